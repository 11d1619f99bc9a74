"""The bench of whole pictures: a row a way and a peer, and a target that follows from the passes."""

from __future__ import annotations

import pytest

from paperworks.lab import Lab
from paperworks.sjd import picture_bench
from paperworks.sjd.drawing import PLAIN, draw


def test_the_target_leaves_a_fifth_of_the_gain_in_passes(image, monkeypatch, tmp_path):
    monkeypatch.setattr(picture_bench, "shipped", lambda device: image)
    monkeypatch.setattr(picture_bench, "NAMES", ("boat", "tree"))
    monkeypatch.setattr(picture_bench, "WAYS", {"Gumbel verification": picture_bench.REPRODUCIBLE})
    plain, *others = picture_bench.picture_rows(Lab("sjd", home=tmp_path, cache=tmp_path))
    passes = sum(draw(image, [name], [0], picture_bench.REPRODUCIBLE)[1].nfe for name in ("boat", "tree"))
    assert plain.peer == "plain decoding, same code"
    assert plain.target == pytest.approx(passes / 32 / 0.8)
    assert f"{32 / passes:.2f} times fewer passes" in plain.case
    assert [row.target for row in others] == [None] * 4
    assert others[-1].peer == "its passes of the model alone"
    assert plain.limit_s == others[-1].peer_s


def test_the_passes_alone_are_those_that_the_picture_took(image, monkeypatch):
    monkeypatch.setattr(picture_bench, "NAMES", ("boat",))
    taken = picture_bench._taken(image, picture_bench.REPRODUCIBLE)
    widths = []
    forward = image.model.forward

    def counted(input_ids, past_key_values, **more):
        widths.append((input_ids.shape[1], past_key_values.get_seq_length()))
        return forward(input_ids=input_ids, past_key_values=past_key_values, **more)

    def alone():
        picture_bench._passes_alone(image, taken, picture_bench.REPRODUCIBLE.window)

    monkeypatch.setattr(image.model, "forward", counted)
    alone()
    (counts,) = taken
    assert len(widths) == len(counts)
    assert [held for _, held in widths[1:]] == [sum(counts[:i]) for i in range(1, len(counts))]
    assert all(width == min(32, 16 - held) for width, held in widths[1:])


def test_plain_decoding_takes_a_pass_a_code(image):
    assert draw(image, ["boat"], [0], PLAIN)[1].nfe == 16
