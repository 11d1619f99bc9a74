"""The thirty formulas: their known values, their ranges, and what the paper's table says of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from paperworks.mlp_kan import feynman

_KNOWN = {
    "I.6.20a": ([0.0], 0.398942),
    "I.6.20": ([0.0, 1.0], 0.398942),
    "I.6.20b": ([1.0, 0.0, 1.0], 0.241971),
    "I.8.4": ([0.0, 3.0, 1.0, 5.0], 5.0),
    "I.9.18": ([2.0, 3.0, 4.0, 0.0, 1.0, 0.0, 2.0, 0.0, 2.0], 24 / 9),
    "I.10.7": ([2.0, 0.6, 1.0], 2.5),
    "I.11.19": ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 44.0),
    "I.12.1": ([2.0, 3.0], 6.0),
    "I.12.2": ([2.0, 3.0, 0.5, 2.0], 6 / (8 * math.pi)),
    "I.12.4": ([3.0, 0.5, 2.0], 3 / (8 * math.pi)),
    "I.12.5": ([2.0, 3.0], 6.0),
    "I.12.11": ([2.0, 1.0, 3.0, 1.0, math.pi / 2], 8.0),
    "I.13.4": ([2.0, 1.0, 2.0, 3.0], 14.0),
    "I.13.12": ([1.0, 1.0, 1.0, 2.0, 0.5], 1.5),
    "I.14.3": ([2.0, 3.0, 4.0], 24.0),
    "I.14.4": ([2.0, 3.0], 9.0),
    "I.15.3x": ([3.0, 0.6, 2.0, 1.0], 1.8 / 0.8),
    "I.15.3t": ([3.0, 0.6, 2.0, 1.0], 1.8 / 0.8),
    "I.15.10": ([2.0, 0.6, 1.0], 1.5),
    "I.16.6": ([0.5, 0.5, 1.0], 0.8),
    "I.18.4": ([1.0, 2.0, 3.0, 4.0], 3.5),
    "I.18.5": ([2.0, 3.0, math.pi / 2], 6.0),
    "I.18.16": ([2.0, 3.0, 4.0, math.pi / 6], 12.0),
    "I.24.6": ([2.0, 1.0, 2.0, 3.0], 22.5),
    "I.25.13": ([3.0, 2.0], 1.5),
    "I.26.2": ([0.5, math.pi / 2], math.pi / 6),
    "I.27.6": ([2.0, 4.0, 2.0], 1.0),
    "I.29.4": ([3.0, 2.0], 1.5),
    "I.29.16": ([3.0, 4.0, math.pi / 2, 0.0], 5.0),
    "I.30.3": ([2.0, 2.0, math.pi / 2], 4.0),
}


def test_the_table_has_the_papers_thirty_equations():
    assert set(feynman.TABLE) == set(_KNOWN)
    assert len(feynman.TABLE) == 30


@pytest.mark.parametrize("name", _KNOWN)
def test_a_formula_has_its_known_value(name):
    point, value = _KNOWN[name]
    assert float(feynman.TABLE[name].formula(*point)) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("name", feynman.TABLE)
def test_points_lie_in_the_ranges_and_values_are_finite(name):
    x, y = feynman.load(name, n=500, rng=np.random.default_rng(0))
    low, high = np.array(list(feynman.TABLE[name].ranges.values())).T
    assert x.shape == (500, len(low))
    assert y.shape == (500,)
    assert ((low <= x) & (x < high)).all()
    assert np.ptp(x, axis=0) == pytest.approx(high - low, rel=0.05)
    assert np.isfinite(y).all()


def test_means_of_the_papers_table_are_those_that_the_claims_state():
    rows = feynman.TABLE.values()
    assert np.mean([row.mlp_kan for row in rows]) == pytest.approx(0.0287, abs=5e-5)
    assert np.mean([row.mlp for row in rows]) == pytest.approx(0.2024, abs=5e-5)
    assert np.mean([row.kan for row in rows]) == pytest.approx(0.0276, abs=5e-5)
    assert np.exp(np.mean([np.log(row.mlp_kan) for row in rows])) == pytest.approx(0.0120, abs=5e-5)
    assert np.exp(np.mean([np.log(row.kan) for row in rows])) == pytest.approx(0.0138, abs=5e-5)
    assert sum(row.mlp_kan < row.kan for row in rows) == 20
    assert all(row.mlp_kan < row.mlp for row in rows)


def test_the_papers_mlp_learned_nothing_on_ten_equations():
    assert feynman.target_std("I.12.1") == pytest.approx(1 / 3, rel=0.01)
    ratios = {name: row.mlp / feynman.target_std(name) for name, row in feynman.TABLE.items()}
    assert {name for name, ratio in ratios.items() if ratio >= 0.9} == {
        *("I.6.20a", "I.6.20", "I.10.7", "I.12.1", "I.12.2", "I.12.5", "I.14.4", "I.24.6", "I.26.2", "I.30.3")
    }
    assert ratios["I.24.6"] == pytest.approx(1.45, abs=0.01)
    assert ratios["I.29.4"] == pytest.approx(0.65, abs=0.01)


def test_pykans_two_wrong_entries_can_be_asked_for():
    rng = np.random.default_rng
    x, y = feynman.load("I.16.6", n=50, rng=rng(1), variant="pykan")
    u, v, c = x.T
    assert y == pytest.approx(u * v / (1 + u * v / c**2))
    x, y = feynman.load("I.18.4", n=50, rng=rng(1), variant="pykan")
    assert y == pytest.approx(x[:, 0] * x[:, 1] * np.sin(x[:, 2]))
    same = [feynman.load("I.12.1", n=5, rng=rng(1), variant=variant)[1] for variant in ("true", "pykan")]
    assert (same[0] == same[1]).all()


def test_an_unknown_equation_is_refused_with_those_near_it():
    with pytest.raises(ValueError, match=r"no equation 'I\.12\.12' here: there are .*I\.12\.1"):
        feynman.load("I.12.12", n=3, rng=np.random.default_rng(0))
