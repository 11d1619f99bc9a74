"""Calibrated intervals hold as often as they say, however wrong the distribution was."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from paperworks.nrgboost import ColumnDistribution, NRGBoostRegressor, calibrate_intervals
from paperworks.nrgboost.column_fit import BinningConfig, fit_column

REALS, INTEGERS = np.linspace(-9, 9, 4000), np.arange(-9, 10)


def told(grid: np.ndarray, rows: int, spread: float, seed: int) -> tuple[ColumnDistribution, np.ndarray]:
    """Forecasts of deviation ``spread`` on the values of ``grid``, and what came: it strays by 1."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=rows)
    column = fit_column(pd.Series(grid, name="x"), BinningConfig(max_bins=200))
    came = grid[np.abs(grid - (centre + rng.normal(size=rows))[:, None]).argmin(axis=1)]
    return ColumnDistribution(column, norm.logpdf(column.bins.centres, centre[:, None], spread)), came


def held(ends: tuple[np.ndarray, np.ndarray], came: np.ndarray) -> float:
    return float(((ends[0] <= came) & (came <= ends[1])).mean())


@pytest.mark.parametrize("spread", [0.4, 1.0, 2.5])
def test_intervals_of_reals_hold_as_often_as_they_say(spread: float) -> None:
    calibrated = calibrate_intervals(*told(REALS, 2000, spread, seed=0))
    dist, came = told(REALS, 2000, spread, seed=1)
    for level in (0.2, 0.5, 0.9, 0.99):
        assert held(calibrated.interval(dist, level), came) == pytest.approx(level, abs=0.035)
    is_off = abs(held(dist.interval(0.9), came) - 0.9) > 0.05
    assert is_off == (spread != 1.0)


def test_on_a_grid_intervals_hold_at_least_as_often_and_no_narrower_ones_would_do() -> None:
    calibrated = calibrate_intervals(*told(INTEGERS, 2000, 2.5, seed=0))
    dist, came = told(INTEGERS, 2000, 2.5, seed=1)
    for level in (0.5, 0.9):
        low, high = calibrated.interval(dist, level)
        assert held((low, high), came) > level - 0.035
        assert held((low + 1, high), came) < level or held((low, high - 1), came) < level


def test_the_rank_is_that_of_split_conformal_prediction() -> None:
    """With 9 rows the 90 % interval reaches as far as the worst of them; with 8 that is not enough to know."""
    dist, came = told(REALS, 9, 1.0, seed=3)
    low, high = calibrate_intervals(dist, came).interval(dist, 0.9)
    assert held((low, high), came) == 1
    assert min((came - low).min(), (high - came).min()) == pytest.approx(0, abs=1e-5)
    low, high = calibrate_intervals(*told(REALS, 8, 1.0, seed=3)).interval(dist, 0.9)
    assert np.allclose(dist.cdf(low), 0)
    assert np.allclose(dist.cdf(high), 1)


def test_a_cdf_below_leaves_out_the_value_itself() -> None:
    dist, came = told(INTEGERS, 50, 1.0, seed=0)
    assert np.allclose(dist.cdf(came) - dist.cdf_below(came), np.exp(dist.log_prob(came)))
    assert np.allclose(dist.cdf_below(came + 1), dist.cdf(came))
    smooth, came = told(REALS, 50, 1.0, seed=0)
    assert np.allclose(smooth.cdf(came), smooth.cdf_below(came))


def test_rows_without_a_value_are_left_out() -> None:
    dist, came = told(REALS, 40, 1.0, seed=0)
    some = np.where(np.arange(40) % 2, np.nan, came)
    assert len(calibrate_intervals(dist, some).reach) == 20
    with pytest.raises(ValueError, match="no row has a value of 'x'"):
        calibrate_intervals(dist, np.full(40, np.nan))


def test_wrong_questions_are_refused() -> None:
    dist, came = told(REALS, 10, 1.0, seed=0)
    calibrated = calibrate_intervals(dist, came)
    with pytest.raises(ValueError, match="between 0 and 1, not 90"):
        calibrated.interval(dist, 90)
    column = fit_column(pd.Series(REALS, name="y"), BinningConfig())
    with pytest.raises(ValueError, match="calibrated for 'x', not for 'y'"):
        calibrated.interval(ColumnDistribution(column, np.zeros((10, column.cardinality))))
    kinds = fit_column(pd.Series(list("aab"), name="kind"), BinningConfig())
    with pytest.raises(TypeError, match="without an order"):
        calibrate_intervals(ColumnDistribution(kinds, np.zeros((3, 2))), list("aab"))


def test_a_model_that_has_seen_too_little_is_mended() -> None:
    """Few trees leave the distribution too wide: its 90 % intervals hold nearly always, calibrated ones as they say."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(3000, 2))
    target = features[:, 0] * 3 + rng.normal(size=3000)
    model = NRGBoostRegressor(n_estimators=12, max_leaf_nodes=32, n_model_samples=3000, random_state=0)
    model.fit(features[:1000], target[:1000])
    foretold = [model.predict_distribution(features[part]) for part in (slice(1000, 2000), slice(2000, None))]
    calibrated = calibrate_intervals(foretold[0], target[1000:2000]).interval(foretold[1], 0.9)
    plain = foretold[1].interval(0.9)
    assert held(plain, target[2000:]) > 0.95
    assert held(calibrated, target[2000:]) == pytest.approx(0.9, abs=0.035)
    assert np.mean(calibrated[1] - calibrated[0]) < np.mean(plain[1] - plain[0])
