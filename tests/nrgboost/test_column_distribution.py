"""Every statistic of a column's distribution against draws from it, and against sums that can be done by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from paperworks.nrgboost.column_distribution import ColumnDistribution
from paperworks.nrgboost.column_fit import BinningConfig, fit_column
from paperworks.nrgboost.columns import CategoryColumn, Column, NumberColumn

N, DRAWS = 4, 20_000
KINDS = ("quantised reals", "cents", "few integers", "many integers", "a value a bin", "missing too", "days", "flags")


def column(kind: str) -> NumberColumn:
    rng = np.random.default_rng(11)
    values = {
        "quantised reals": lambda: pd.Series(rng.normal(size=400)),
        "cents": lambda: pd.Series(np.round(rng.gamma(2, 40, 400), 2)),
        "few integers": lambda: pd.Series(rng.integers(-3, 9, 400)),
        "many integers": lambda: pd.Series(rng.geometric(0.001, 400)),
        "a value a bin": lambda: pd.Series(rng.choice([1 / 3, 0.7777777, 4.1234567], 400)),
        "missing too": lambda: pd.Series(np.where(rng.random(400) < 0.2, np.nan, rng.normal(size=400))),
        "days": lambda: pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 900, 400), unit="D")),
        "flags": lambda: pd.Series(rng.random(400) < 0.5),
    }[kind]()
    made = fit_column(values.rename("x"), BinningConfig(max_bins=20, few_values="values"))
    assert isinstance(made, NumberColumn)
    return made


def distribution(of: Column, rows: int = N) -> ColumnDistribution:
    return ColumnDistribution(of, np.random.default_rng(2).normal(size=(rows, of.cardinality)) * 1.5)


def as_numbers(of: NumberColumn, values: np.ndarray) -> np.ndarray:
    flat = of.positions(pd.Series(values.ravel())) / 10.0 ** (of.decimals or 0)
    return flat.reshape(values.shape)


@pytest.mark.parametrize("kind", KINDS)
def test_mean_cdf_and_crps_agree_with_draws(kind: str) -> None:
    of = column(kind)
    dist = distribution(of)
    draws = dist.sample(DRAWS, random_state=0)
    numbers = as_numbers(of, draws)
    spread = numbers.std(axis=1)
    mean = as_numbers(of, dist.mean()) if kind == "days" else dist.mean()
    assert np.abs(mean - numbers.mean(axis=1)).max() < 0.02 * spread.max() + (1 if kind == "days" else 0)
    came = draws[:, 17]
    at = numbers[:, 17]
    assert np.allclose(dist.cdf(came), (numbers <= at[:, None] + 1e-9).mean(axis=1), atol=0.02)
    half = DRAWS // 2
    crps = np.abs(numbers - at[:, None]).mean(axis=1) - np.abs(numbers[:, :half] - numbers[:, half:]).mean(axis=1) / 2
    assert np.allclose(dist.crps(came), crps, atol=0.02 * spread.max())


@pytest.mark.parametrize("kind", KINDS)
def test_a_quantile_is_the_smallest_value_that_reaches_its_level(kind: str) -> None:
    of = column(kind)
    dist = distribution(of)
    levels = np.array([0.0, 0.05, 0.37, 0.5, 0.93, 1.0])
    found = dist.quantile(levels)
    assert found.shape == (N, len(levels))
    assert np.array_equal(found[:, 3], dist.median())
    for place, level in enumerate(levels):
        assert (dist.cdf(found[:, place]) >= level - 1e-9).all()
    numbers = as_numbers(of, found)
    assert (np.diff(numbers, axis=1) >= 0).all()
    if of.bins.grid and kind != "flags":
        step = 10.0 ** -(of.decimals or 0)
        below = of.from_steps(np.round(numbers[:, 2] / step) - 1)
        assert (dist.cdf(below) < levels[2]).all()
    low, high = dist.interval(0.9)
    assert np.allclose(as_numbers(of, low), numbers[:, 1])
    assert (dist.cdf(high) >= 0.95 - 1e-9).all()


@pytest.mark.parametrize("kind", ["quantised reals", "few integers", "many integers", "cents"])
def test_crps_is_the_integral_that_defines_it(kind: str) -> None:
    of = column(kind)
    dist = distribution(of, rows=1)
    scale = 10.0 ** (of.decimals or 0)
    low, high = of.bins.low[0] / scale - 1, of.bins.high[-1] / scale + 1
    for y in (low + 0.5, of.bins.centres[3] / scale, (of.bins.centres[-1] + 0.37) / scale, high):
        grid = np.linspace(low, high, 20_001)
        inside = ColumnDistribution(of, np.repeat(dist.logits, len(grid), axis=0))
        cdf = inside.cdf(grid)
        integral = np.trapezoid((cdf - (grid >= y)) ** 2, grid)
        assert dist.crps(float(y))[0] == pytest.approx(integral, rel=5e-3, abs=1e-3)


def test_crps_of_a_finely_binned_normal_is_the_closed_form() -> None:
    edges = np.linspace(-8, 8, 257)
    values = pd.Series((edges[:-1] + edges[1:]) / 2 + np.pi * 1e-7, name="x")
    of = fit_column(values, BinningConfig())
    assert isinstance(of, NumberColumn)
    mass = np.diff(norm.cdf(np.append(of.bins.low, of.bins.high[-1])))
    dist = ColumnDistribution(of, np.log(mass[None]))
    for y in (-1.3, 0.0, 2.2):
        closed = y * (2 * norm.cdf(y) - 1) + 2 * norm.pdf(y) - 1 / np.sqrt(np.pi)
        assert dist.crps(y)[0] == pytest.approx(closed, abs=1e-3)


@pytest.mark.parametrize("kind", ["quantised reals", "cents", "many integers"])
def test_densities_sum_to_one(kind: str) -> None:
    of = column(kind)
    dist = distribution(of, rows=1)
    scale = 10.0 ** (of.decimals or 0)
    if of.bins.grid:
        points = np.arange(of.bins.low[0], of.bins.high[-1] + 1) / scale
        repeated = ColumnDistribution(of, np.repeat(dist.logits, len(points), axis=0))
        total = np.exp(repeated.log_prob(points)).sum() / scale
    else:
        parts = zip(of.bins.low, of.bins.high, strict=True)
        total = sum(quad(lambda x: np.exp(dist.log_prob(x)[0]), low, high - 1e-12, limit=5)[0] for low, high in parts)
    assert total == pytest.approx(1, abs=1e-6)


def test_the_mode_is_where_density_is_highest_not_mass() -> None:
    values = pd.Series(np.concatenate([np.linspace(0, 1, 50), np.linspace(1, 101, 51)[1:]]) + 1e-7, name="x")
    of = fit_column(values, BinningConfig(max_bins=2))
    dist = ColumnDistribution(of, np.log([[0.4, 0.6]]))
    assert dist.mode()[0] < 1.1


def test_the_mean_of_a_column_of_cents_is_in_its_own_unit() -> None:
    of = fit_column(pd.Series([0.25, 0.75] * 5, name="x"), BinningConfig())
    dist = ColumnDistribution(of, np.log(np.full((1, of.cardinality), 1.0)))
    assert dist.mean()[0] == pytest.approx(0.5)
    assert dist.values[0] == 0.25


def test_one_value_a_bin_predicts_the_values_and_not_the_borders_between_them() -> None:
    values = [1 / 3, 0.7777777, 4.1234567]
    of = column("a value a bin")
    assert ColumnDistribution(of, np.zeros((1, 3))).mean()[0] == pytest.approx(np.mean(values))
    assert set(ColumnDistribution(of, np.zeros((1, 3))).sample(50, 0).ravel()) == set(values)


def test_missing_is_no_value() -> None:
    of = column("missing too")
    assert of.has_missing
    logits = np.zeros((1, of.cardinality))
    logits[0, 0] = 50
    dist = ColumnDistribution(of, logits)
    assert dist.proba.shape == (1, of.cardinality - 1)
    assert dist.proba.sum() == pytest.approx(1)
    assert np.isfinite(dist.mean()).all()


def categories(ordered: bool) -> CategoryColumn:
    values = pd.Series(pd.Categorical(["s", "m", "l"] * 3, categories=["s", "m", "l"], ordered=ordered), name="size")
    made = fit_column(values, BinningConfig())
    assert isinstance(made, CategoryColumn)
    return made


def test_categories_have_probabilities_and_a_mode_but_no_mean() -> None:
    dist = ColumnDistribution(categories(ordered=False), np.log([[0.2, 0.5, 0.3]]))
    assert dist.values.tolist() == ["s", "m", "l"]
    assert dist.mode().tolist() == ["m"]
    assert np.exp(dist.log_prob("l"))[0] == pytest.approx(0.3)
    shares = pd.Series(dist.sample(20_000, 0)[0]).value_counts(normalize=True)
    assert shares["s"] == pytest.approx(0.2, abs=0.01)
    for refused in (dist.mean, dist.median, lambda: dist.cdf("m"), lambda: dist.crps("m")):
        with pytest.raises(TypeError, match="column 'size' has categories"):
            refused()


def test_ordered_categories_have_quantiles() -> None:
    dist = ColumnDistribution(categories(ordered=True), np.log([[0.2, 0.5, 0.3]]))
    assert dist.median().tolist() == ["m"]
    assert dist.quantile([0.1, 0.9]).tolist() == [["s", "l"]]
    assert dist.cdf("m")[0] == pytest.approx(0.7)


@pytest.mark.parametrize("q", [-0.1, 1.1, np.nan, [[0.5]]])
def test_a_level_outside_of_0_to_1_is_refused(q: object) -> None:
    with pytest.raises(ValueError, match="quantiles are numbers from 0 to 1"):
        distribution(column("few integers")).quantile(q)  # type: ignore[arg-type]


def test_other_wrong_arguments_are_refused() -> None:
    dist = distribution(column("few integers"))
    with pytest.raises(ValueError, match="between 0 and 1"):
        dist.interval(1)
    with pytest.raises(ValueError, match="at least 1"):
        dist.sample(0)
    with pytest.raises(ValueError, match="one for each of the 4 rows, not 3"):
        dist.cdf([1, 2, 3])
    with pytest.raises(ValueError, match="a category that training never saw"):
        ColumnDistribution(categories(ordered=False), np.zeros((1, 3))).log_prob("xl")
