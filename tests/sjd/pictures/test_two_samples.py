"""Two-sample tests: they find a difference that is there, and no more than chance where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from paperworks.sjd.drawing import PAPER, drawn
from paperworks.sjd.two_samples import Sample, p_values, sample_of


def sampled(rng, size=30, shift=0.0, share=0.3):
    counts = rng.multinomial(64, [share, 0.3, 0.7 - share], size=size).astype(float)
    return Sample(counts, rng.normal(shift, 1, size), rng.normal(shift, 1, (size, 5)))


def test_what_differs_is_found_by_the_test_for_it():
    rng = np.random.default_rng(0)
    groups = [0] * 60
    histogram = p_values(sampled(rng), sampled(rng, share=0.4), groups, rng)
    assert histogram["histogram of codes"] < 0.01
    assert min(histogram["nats under the model"], histogram["energy distance"]) > 0.01
    shifted = p_values(sampled(rng), sampled(rng, shift=1.0), groups, rng)
    assert max(shifted["nats under the model"], shifted["energy distance"]) < 0.01


def test_no_difference_gives_p_values_that_are_spread_evenly():
    rng = np.random.default_rng(1)
    found = [p_values(sampled(rng, 12), sampled(rng, 12), [0] * 24, rng) for _ in range(60)]
    for test in found[0]:
        assert 0.35 < np.mean([one[test] for one in found]) < 0.65
        assert min(one[test] for one in found) >= 1 / 2000


def test_samples_of_unequal_groups_are_compared_within_them():
    """Twenty of one kind and ten of another, beside ten and twenty: nothing differs within a kind."""
    rng = np.random.default_rng(2)
    one = sampled(rng, 20).and_then(sampled(rng, 10, shift=5.0))
    other = sampled(rng, 10).and_then(sampled(rng, 20, shift=5.0))
    kinds = [0] * 20 + [1] * 10 + [0] * 10 + [1] * 20
    assert min(p_values(one, other, kinds, rng).values()) > 0.02
    assert p_values(one, other, [0] * 60, rng)["energy distance"] < 0.02


def test_a_sample_says_what_the_model_thinks(image, tiny_shipped):
    names = ("boat", "tree")
    codes = drawn(way=PAPER, names=names, first=0, device="cpu")["codes"]
    found = sample_of(image, names, codes)
    assert found.counts.sum(1).tolist() == [16, 16]
    assert found.looks.shape == (2, 2 * 2 * 3)
    alone = sample_of(image, names[1:], codes[1:])
    assert alone.nats[0] == pytest.approx(found.nats[1], abs=1e-5)
    assert (found.nats > 0).all()
