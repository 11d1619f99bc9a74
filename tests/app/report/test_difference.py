"""Whether two measurements differ by more than noise: known answers, coverage, and what must hold for any two."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperworks.app.report.difference import Change, change, difference, noise
from paperworks.core import Measurement
from paperworks.lab import stats


def measured(value, low, high, interval="seeds", **more):
    settings = {"claim": "C1", "n": 5, "scale": "same", "setting": "s"} | more
    return Measurement(value=value, low=low, high=high, interval=interval, **settings)


def of(estimate):
    return Measurement(claim="C1", scale="same", setting="s", **estimate.as_fields())


def exact(value):
    return measured(value, value, value, "exact")


@st.composite
def measurements(draw):
    value, below, above = (draw(st.floats(low, 1e6)) for low in (-1e6, 0, 0))
    kind = draw(st.sampled_from(["exact", "seeds", "items", "seeds+items"]))
    return exact(value) if kind == "exact" else measured(value, value - below, value + above, kind)


def test_two_shares_get_newcombes_interval():
    """56/70 against 48/80: Newcombe 1998, table II, example (a), method 10 prints 0.0524 to 0.3339."""
    apart = difference(of(stats.wilson(48, 80)), of(stats.wilson(56, 70)))
    assert (round(apart.value, 4), round(apart.low, 4), round(apart.high, 4)) == (0.2, 0.0524, 0.3339)


def test_two_means_over_seeds_get_banerjees_interval():
    few, many = [1.0, 2.0, 4.0], [3.0, 3.5, 2.5, 3.0, 4.0]
    halves = [np.std(x, ddof=1) / len(x) ** 0.5 * t for x, t in ((few, 4.302653), (many, 2.776445))]
    apart = difference(of(stats.mean(few)), of(stats.mean(many)))
    assert apart.value == pytest.approx(np.mean(many) - np.mean(few))
    assert apart.high - apart.value == pytest.approx(math.hypot(*halves), rel=1e-6)
    assert apart.value - apart.low == pytest.approx(math.hypot(*halves), rel=1e-6)


@pytest.mark.parametrize("spread", [0.1, 1.0, 10.0])
@pytest.mark.parametrize(("seeds", "others"), [(3, 3), (3, 10), (5, 5)])
@pytest.mark.parametrize("together", [0.0, 0.8])
def test_where_nothing_changed_at_most_one_in_twenty_is_called_changed(spread, seeds, others, together):
    rng = np.random.default_rng(0)
    runs, called = 1500, 0
    shared = rng.standard_normal((runs, max(seeds, others)))
    ours, theirs = (
        math.sqrt(together) * shared[:, :n] + math.sqrt(1 - together) * rng.standard_normal((runs, n))
        for n in (seeds, others)
    )
    for one, other in zip(ours, spread * theirs, strict=True):
        called += change(of(stats.mean(one)), of(stats.mean(other))) is Change.CHANGED
    assert called / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_a_change_well_beyond_the_noise_is_found():
    rng = np.random.default_rng(1)
    found = [
        change(of(stats.mean(rng.standard_normal(5))), of(stats.mean(5 + rng.standard_normal(5)))) for _ in range(300)
    ]
    assert found.count(Change.CHANGED) > 0.95 * len(found)


def test_intervals_that_overlap_may_belong_to_a_change_and_those_that_do_not_always_do():
    first, second = measured(0.0, -1.0, 1.0), measured(1.8, 0.8, 2.8)
    assert first.high > second.low
    assert change(first, second) is Change.CHANGED
    assert change(first, measured(1.3, 0.3, 2.3)) is Change.NOISE


@given(measurements(), measurements())
def test_turned_round_the_difference_changes_its_sign_and_the_answer_stays(first, second):
    there, back = difference(first, second), difference(second, first)
    assert (back.value, back.low, back.high) == (-there.value, -there.high, -there.low)
    assert there.low <= there.value <= there.high
    assert change(first, second) is change(second, first)
    assert change(first, first) is Change.SAME
    if first.high < second.low:
        assert change(first, second) in {Change.CHANGED, Change.SAME}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (exact(95.45), exact(95.45 * (1 + 1e-8)), Change.SAME),
        (exact(95.45), exact(95.46), Change.CHANGED),
        (exact(3_000_000), exact(3_000_001), Change.CHANGED),
        (exact(0.0), exact(2e-12), Change.CHANGED),
        (exact(3.7e-12), exact(0.9e-12), Change.CHANGED),
        (exact(1.0), measured(1.2, 0.9, 1.5), Change.NOISE),
        (exact(1.0), measured(1.2, 1.1, 1.3), Change.CHANGED),
        (measured(1.2, 1.1, 1.3), measured(1.2, 1.1, 1.3), Change.SAME),
        (measured(1.2, 1.1, 1.3), measured(1.2, 1.0, 1.4), Change.NOISE),
        (measured(1.2, 1.2, 1.2), measured(1.3, 1.3, 1.3), Change.CHANGED),
        (measured(0.0, -1.0, 0.0), measured(0.0, 0.0, 1.0), Change.NOISE),
    ],
)
def test_exact_numbers_have_no_noise_and_no_rounding_is_a_change(first, second, expected):
    assert change(first, second) is expected


def test_a_lopsided_interval_counts_on_the_side_that_faces_the_other():
    first, wide_above = measured(1.0, 0.99, 1.01), measured(2.0, 1.9, 9.0)
    assert change(first, wide_above) is Change.CHANGED
    assert change(measured(10.0, 9.99, 10.01), wide_above) is Change.CHANGED
    assert change(measured(8.0, 7.99, 8.01), wide_above) is Change.NOISE


@pytest.mark.parametrize(
    ("kinds", "text"),
    [
        (("exact", "exact"), ""),
        (("exact", "seeds"), "seeds"),
        (("items", "items"), "items"),
        (("items", "seeds"), "seeds and items"),
        (("seeds+items", "exact"), "seeds and items"),
    ],
)
def test_the_noise_is_named_for_what_the_intervals_are_over(kinds, text):
    first, second = (exact(1.0) if kind == "exact" else measured(1.0, 0.9, 1.1, kind) for kind in kinds)
    assert noise(first, second) == text
