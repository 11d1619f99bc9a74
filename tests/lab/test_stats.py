"""Intervals cover as often as they say, agree with scipy where scipy has them, and refuse what has none."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap, t, ttest_1samp

from paperworks.core import Measurement
from paperworks.lab import stats


def covers_at_least(hits: int, trials: int, level: float = 0.95) -> bool:
    """False where so few hits would be a 1-in-10000 accident of an interval with that level."""
    return binomtest(hits, trials, level, alternative="less").pvalue > 1e-4


def test_mean_is_scipys_t_interval():
    values = [0.2, 0.5, 0.45, 0.9]
    want = ttest_1samp(values, 0).confidence_interval(0.95)
    got = stats.mean(values)
    assert (got.low, got.high) == pytest.approx((want.low, want.high), rel=1e-12)
    assert (got.n, got.interval) == (4, "seeds")


def test_three_seeds_pay_for_being_three():
    got = stats.mean([0.0, 1.0, 2.0])
    quantile = 0.95 * math.sqrt(2 / (4 * 0.975 * 0.025))  # closed form of Student's t for 2 degrees of freedom: 4.30
    assert got.high == pytest.approx(1 + quantile / math.sqrt(3), rel=1e-12)


def test_difference_uses_the_pairing():
    noise = np.array([0.0, 10.0, -10.0, 5.0])
    got = stats.difference(noise + 1, noise)
    assert (got.low, got.value, got.high) == pytest.approx((1, 1, 1))
    assert stats.mean(noise + 1).low < 0, "without the pairing the effect would drown"


def test_ratio_is_symmetric_under_exchange():
    ours, baseline = np.array([1.0, 2.0, 4.0, 3.0]), np.array([2.0, 3.0, 5.0, 7.0])
    one, other = stats.ratio(ours, baseline), stats.ratio(baseline, ours)
    assert (one.low, one.value, one.high) == pytest.approx((1 / other.high, 1 / other.value, 1 / other.low), rel=1e-12)


def test_geometric_mean_is_the_log_means_exponential():
    values = [1.0, 10.0, 100.0]
    got = stats.geometric_mean(values)
    half = t.ppf(0.975, 2) * math.log(10) / math.sqrt(3)
    assert (got.low, got.value, got.high) == pytest.approx((10 * math.exp(-half), 10, 10 * math.exp(half)))


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (10, 10), (7, 10), (1, 1), (431, 1000)])
def test_wilson_is_scipys(successes, n):
    want = binomtest(successes, n).proportion_ci(0.95, method="wilson")
    got = stats.wilson(successes, n)
    assert (got.low, got.high) == pytest.approx((want.low, want.high), abs=1e-12)
    assert (got.value, got.n, got.interval) == (successes / n, n, "items")


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 3), (4, 3), (0.5, 3)])
def test_wilson_wants_counts(successes, n):
    with pytest.raises(ValueError, match="counts"):
        stats.wilson(successes, n)


def test_clustered_standard_error_is_scipys():
    items = np.random.default_rng(0).exponential(size=60)
    want = bootstrap((items,), np.mean, n_resamples=9999, rng=np.random.default_rng(1)).standard_error
    got = stats.clustered(items, np.random.default_rng(2), resamples=9999)
    assert (got.high - got.value) / t.ppf(0.975, 59) == pytest.approx(want * math.sqrt(60 / 59), rel=0.03)


def test_clusters_widen_the_interval_of_items_that_move_together():
    rng = np.random.default_rng(3)
    clusters = np.repeat(np.arange(30), 20)
    items = rng.standard_normal(30)[clusters] + 0.1 * rng.standard_normal(600)
    whole = stats.clustered(items, np.random.default_rng(0), clusters=clusters)
    alone = stats.clustered(items, np.random.default_rng(0))
    assert whole.value == pytest.approx(alone.value)
    assert (whole.n, alone.n) == (30, 600)
    assert (whole.high - whole.low) > 3 * (alone.high - alone.low)


def test_cluster_names_may_be_anything_and_in_any_order():
    rng = np.random.default_rng(4)
    items, clusters = rng.random(40), rng.integers(8, size=40)
    order = rng.permutation(40)
    named = [f"text {index}" for index in clusters[order]]
    one = stats.clustered(items, np.random.default_rng(0), clusters=clusters)
    other = stats.clustered(items[order], np.random.default_rng(0), clusters=named)
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_seed_interval_covers():
    rng = np.random.default_rng(5)
    draws = rng.standard_normal((3000, 3))
    hits = sum(e.low <= 0 <= e.high for e in map(stats.mean, draws))
    assert covers_at_least(hits, 3000)
    assert covers_at_least(3000 - hits, 3000, 0.03), "nor is it so wide that it says nothing"


def test_ratio_interval_covers_over_seeds():
    rng = np.random.default_rng(6)
    hits = 0
    for _ in range(1000):
        baseline = np.exp(rng.standard_normal(4))
        estimate = stats.ratio(1.3 * baseline * np.exp(0.2 * rng.standard_normal(4)), baseline)
        hits += estimate.low <= 1.3 <= estimate.high
    assert covers_at_least(hits, 1000)


@pytest.mark.parametrize(
    ("by_seed", "by_item", "by_both"),
    [(1, 0.1, 0.3), (0.1, 1, 0.3), (0.3, 1, 1), (0, 1, 1), (0, 0, 1), (1, 0, 0)],
    ids=["seeds", "items", "all", "items and noise", "noise", "seeds alone"],
)
def test_two_level_interval_covers_whatever_varies(by_seed, by_item, by_both):
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(400):
        values = (
            by_seed * rng.standard_normal((3, 1))
            + by_item * rng.standard_normal((1, 40))
            + by_both * rng.standard_normal((3, 40))
        )
        estimate = stats.two_level(values, rng, resamples=200)
        hits += estimate.low <= 0 <= estimate.high
    assert covers_at_least(hits, 400)


def test_items_cannot_stand_in_for_seeds():
    rng = np.random.default_rng(8)
    values = rng.standard_normal((3, 1)) + 0.01 * rng.standard_normal((3, 5000))
    two, seeds = stats.two_level(values, rng), stats.mean(values.mean(axis=1))
    assert two.high - two.low == pytest.approx(seeds.high - seeds.low, rel=0.1)
    assert (two.n, two.interval) == (3, "seeds+items")


def test_two_level_ratio_covers():
    rng = np.random.default_rng(9)
    hits = 0
    for _ in range(300):
        items = np.exp(0.5 * rng.standard_normal((1, 60)))
        baseline = items * np.exp(0.1 * rng.standard_normal((4, 60)))
        ours = 0.8 * items * np.exp(0.1 * rng.standard_normal((4, 1)) + 0.1 * rng.standard_normal((4, 60)))
        estimate = stats.two_level_ratio(ours, baseline, rng, resamples=200)
        hits += estimate.low <= 0.8 * math.exp(0.1**2 / 2) <= estimate.high
    assert covers_at_least(hits, 300)


def test_clustered_intervals_cover():
    rng = np.random.default_rng(10)
    means = ratios = 0
    for _ in range(400):
        clusters = np.repeat(np.arange(20), rng.integers(1, 9, size=20))
        effect = rng.standard_normal(20)[clusters] + rng.standard_normal(clusters.size)
        estimate = stats.clustered(effect, rng, clusters=clusters, resamples=200)
        means += estimate.low <= 0 <= estimate.high
        baseline = rng.uniform(1, 2, clusters.size)
        estimate = stats.clustered_ratio(
            baseline * (1 + 0.05 * effect), baseline, rng, clusters=clusters, resamples=200
        )
        ratios += estimate.low <= 1 <= estimate.high
    assert covers_at_least(means, 400)
    assert covers_at_least(ratios, 400)


@pytest.mark.parametrize("measure", [stats.two_level, stats.clustered], ids=["two_level", "clustered"])
def test_the_same_generator_gives_the_same_interval(measure):
    values = np.random.default_rng(11).random((5, 30) if measure is stats.two_level else 30)
    assert measure(values, np.random.default_rng(1)) == measure(values, np.random.default_rng(1))


def test_many_items_are_resampled_in_parts_of_bounded_size(monkeypatch):
    values = np.random.default_rng(12).random((3, 1000))
    whole = stats.two_level(values, np.random.default_rng(0), resamples=100)
    monkeypatch.setattr(stats, "_DRAWS_AT_ONCE", 3000)
    assert stats.two_level(values, np.random.default_rng(0), resamples=100) == whole


RNG = np.random.default_rng(0)
TOO_FEW = {
    "mean": lambda v: stats.mean(v),
    "difference": lambda v: stats.difference(v, v),
    "ratio": lambda v: stats.ratio(v, v),
    "geometric_mean": lambda v: stats.geometric_mean(v),
    "two_level": lambda v: stats.two_level(np.outer(v, np.ones(4)), RNG),
    "two_level_ratio": lambda v: stats.two_level_ratio(np.outer(v, np.ones(4)), np.outer(v, np.ones(4)), RNG),
}


@pytest.mark.parametrize("measure", TOO_FEW.values(), ids=TOO_FEW)
def test_fewer_than_three_seeds_have_no_interval(measure):
    with pytest.raises(ValueError, match="at least 3, or yield Untested"):
        measure([1.0, 2.0])


@pytest.mark.parametrize("measure", TOO_FEW.values(), ids=TOO_FEW)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_and_infinity_are_refused(measure, bad):
    with pytest.raises(ValueError, match="NaN or infinite"):
        measure([1.0, 2.0, bad])


@pytest.mark.parametrize("measure", TOO_FEW.values(), ids=TOO_FEW)
def test_values_that_are_all_the_same_have_an_interval_without_width(measure):
    got = measure([0.1, 0.1, 0.1])
    assert got.low <= got.value <= got.high
    assert got.high - got.low < 1e-14


def test_what_is_not_paired_is_refused():
    with pytest.raises(ValueError, match="must be paired"):
        stats.difference([1, 2, 3], [1, 2, 3, 4])
    with pytest.raises(ValueError, match="same seeds and items"):
        stats.two_level_ratio(np.ones((3, 4)), np.ones((3, 5)), RNG)
    with pytest.raises(ValueError, match="must be paired"):
        stats.clustered_ratio(np.ones(6), np.ones(7), RNG)
    with pytest.raises(ValueError, match="cluster of each item"):
        stats.clustered(np.ones(6), RNG, clusters=[1, 2, 3])


def test_shapes_are_named_in_words():
    with pytest.raises(ValueError, match=r"values must be \[seeds, items\], not of shape \(3,\)"):
        stats.two_level([1, 2, 3], RNG)
    with pytest.raises(ValueError, match="a list of numbers"):
        stats.mean([[1, 2, 3]])
    with pytest.raises(ValueError, match="at least 2"):
        stats.two_level([[1], [2], [3]], RNG)
    with pytest.raises(ValueError, match="at least 5"):
        stats.clustered([1, 2, 3, 4], RNG)


def test_ratios_want_positive_values():
    for measure in (lambda: stats.ratio([1, 2, 0], [1, 1, 1]), lambda: stats.geometric_mean([1, -2, 3])):
        with pytest.raises(ValueError, match="above 0"):
            measure()
    with pytest.raises(ValueError, match="above 0"):
        stats.two_level_ratio([[-1, 1]] * 3, [[1, 1]] * 3, RNG)


def test_an_exact_number_has_no_interval():
    got = stats.exact(97.3)
    assert (got.low, got.value, got.high, got.n, got.interval) == (97.3, 97.3, 97.3, 1, "exact")


def test_an_estimate_cannot_lie_outside_its_interval():
    with pytest.raises(ValueError, match="lies in its interval"):
        stats.Estimate(value=2, low=0, high=1, n=3, interval="seeds")


numbers = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.lists(numbers, min_size=3, max_size=8))
def test_every_estimate_over_seeds_makes_a_measurement(values):
    fields = stats.mean(values).as_fields()
    Measurement(claim="C1", scale="smaller", setting="made up", **fields)
    assert fields["low"] <= fields["value"] <= fields["high"]


@given(st.lists(st.lists(numbers, min_size=5, max_size=5), min_size=3, max_size=5))
def test_every_two_level_and_clustered_estimate_makes_a_measurement(values):
    for estimate in (
        stats.two_level(values, np.random.default_rng(0), resamples=20),
        stats.clustered(np.ravel(values), np.random.default_rng(0), resamples=20),
    ):
        result = Measurement(claim="C1", scale="smaller", setting="made up", **estimate.as_fields())
        assert result.low <= result.value <= result.high
