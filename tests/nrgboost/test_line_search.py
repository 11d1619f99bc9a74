"""The step along a tree: the known answer, the official grid, the ends of the range."""

import numpy as np
import pytest

from paperworks.nrgboost.line_search import best_step, likelihood_gain, log_expectation
from paperworks.nrgboost.reference import grid_step

HALF = np.array([0.5, 0.5])


def test_the_known_answer():
    p, value = np.array([0.75, 0.25]), np.array([0.5, -0.5])
    assert best_step(p, HALF, value) == pytest.approx(np.log(3), abs=1e-9)
    assert grid_step(p, HALF, value) == pytest.approx(10**0.04)


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_best_step_of_the_grid_or_better(seed):
    rng = np.random.default_rng(seed)
    p, q = rng.dirichlet(np.ones(30), 2)
    value = np.minimum(p / q, 2) - 1
    mine, grid = best_step(p, q, value), grid_step(p, q, value)
    assert likelihood_gain(p, q, mine * value) >= likelihood_gain(p, q, grid * value)
    assert mine == pytest.approx(grid, rel=0.06)


def test_it_stays_within_the_official_range():
    value = np.array([1.0, -1.0])
    assert best_step(np.array([1.0, 0.0]), HALF, value) == pytest.approx(10)
    assert best_step(np.array([0.0, 1.0]), HALF, value) == pytest.approx(1e-3)
    assert likelihood_gain(HALF, HALF, best_step(HALF, HALF, np.zeros(2)) * np.zeros(2)) == 0


def test_the_gain_of_a_step():
    p, value = np.array([0.75, 0.25]), np.array([0.5, -0.5])
    assert log_expectation(HALF, value) == pytest.approx(np.log(np.cosh(0.5)))
    assert likelihood_gain(p, HALF, value) == pytest.approx(0.25 - np.log(np.cosh(0.5)))
