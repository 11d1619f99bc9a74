"""Drawing and counting: what is counted adds up, and deterministic Jacobi decoding draws the right law."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from paperworks.sjd import drawing
from paperworks.sjd.drawing import FAST, PAPER, PLAIN, REPRODUCIBLE, draw, drawn, jacobi_passes, seconds_apiece

NAMES = ("boat", "house", "boat")


@pytest.mark.parametrize("way", [PAPER, FAST, replace(FAST, window=4), replace(REPRODUCIBLE, adaptive=True)])
def test_every_code_is_counted_once(tiny_shipped, way):
    found = drawn(way=way, names=NAMES, first=3, device="cpu")
    assert found["codes"].shape == found["taken"].shape == (3, 16)
    assert (found["codes"] < 8).all()
    assert (1 / found["taken"]).sum(1) == pytest.approx(found["passes"])


def test_plain_pictures_are_those_of_gumbel_verification(tiny_shipped):
    plain, ours = (drawn(way=way, names=NAMES, first=0, device="cpu") for way in (PLAIN, REPRODUCIBLE))
    assert (plain["codes"] == ours["codes"]).all()
    assert (plain["passes"] == 16).all()
    assert (ours["passes"] < 16).all()


def test_pictures_depend_on_their_own_seed_alone(tiny_shipped):
    whole = drawn(way=FAST, names=NAMES, first=0, device="cpu")
    alone, _ = draw(tiny_shipped, NAMES[1:2], [1], FAST)
    assert (whole["codes"][1] == alone[0]).all()


def test_times_and_passes_come_by_way_and_name(tiny_shipped):
    found = seconds_apiece(seed=1, names=NAMES[:2], ways=(PLAIN, FAST), device="cpu")
    assert found["seconds"].shape == found["passes"].shape == (2, 2)
    assert (found["seconds"] > 0).all()
    assert (found["passes"][0] == 16).all()
    assert (found["passes"][1] < 16).all()


def test_deterministic_jacobi_ends_and_takes_no_more_passes_than_codes(tiny_shipped):
    wide = jacobi_passes(seed=0, names=NAMES, window=8, device="cpu")
    assert all(1 < passes <= 16 for passes in wide)
    assert jacobi_passes(seed=0, names=NAMES[:1], window=1, device="cpu") == [16]


def test_deterministic_jacobi_draws_from_the_laws_after_what_it_took(tiny_shipped, monkeypatch):
    """With certain laws every draw is the likeliest code, and what is taken is what greedy decoding takes."""
    taken = []

    def likeliest(image, ids, cache, generator):
        logits = image.model(ids, past_key_values=cache).logits[0, :, : image.codes]
        fresh = logits.argmax(-1)
        taken.append((ids[0, 1:] if len(taken) else ids[0, :0], fresh))
        return fresh

    monkeypatch.setattr(drawing, "_fresh", likeliest)
    (passes,) = jacobi_passes(seed=0, names=["tree"], window=6, device="cpu")
    codes = []
    for drafts, fresh in taken:
        run = int((fresh[: len(drafts)] == drafts).long().cumprod(0).sum())
        codes += fresh[: run + 1].tolist()
    ids = tiny_shipped.ids(["tree"])
    greedy = tiny_shipped.model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False)
    assert codes == greedy[0, 1:].tolist()
    assert len(taken) == passes < 16


def test_a_pass_is_never_wider_than_the_window(tiny_shipped, monkeypatch):
    widths = []
    fresh = drawing._fresh

    def watched(image, ids, cache, generator):
        widths.append(ids.shape[1])
        return fresh(image, ids, cache, generator)

    monkeypatch.setattr(drawing, "_fresh", watched)
    jacobi_passes(seed=0, names=["tree"], window=5, device="cpu")
    assert max(widths) == 5
    assert np.sum(widths) >= 16
