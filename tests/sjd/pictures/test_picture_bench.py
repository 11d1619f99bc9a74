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
    assert [row.target for row in others] == [None] * 3


def test_plain_decoding_takes_a_pass_a_code(image):
    assert draw(image, ["boat"], [0], PLAIN)[1].nfe == 16
