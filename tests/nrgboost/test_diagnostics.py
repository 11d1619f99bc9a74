"""Diagnostics against chains and tables whose answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from paperworks.nrgboost import NRGBoostDensity, discriminator_auc
from paperworks.nrgboost.diagnostics import (
    chain_diagnostics,
    effective_sample_size,
    marginal_distances,
    split_r_hat,
)

SMALL: dict[str, Any] = {"n_estimators": 6, "max_leaf_nodes": 8, "n_model_samples": 500, "random_state": 0}


def table(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return pd.DataFrame({"x": x, "y": x + 0.3 * rng.normal(size=n), "word": np.where(x > 0, "up", "down")})


def autoregressive(chains: int, length: int, rho: float) -> np.ndarray:
    rng = np.random.default_rng(1)
    out = np.empty((chains, length))
    out[:, 0] = rng.normal(size=chains)
    for step in range(1, length):
        out[:, step] = rho * out[:, step - 1] + np.sqrt(1 - rho**2) * rng.normal(size=chains)
    return out


def test_independent_draws_are_worth_their_number() -> None:
    draws = np.random.default_rng(0).normal(size=(8, 1000))
    assert effective_sample_size(draws) == pytest.approx(8000, rel=0.12)
    assert split_r_hat(draws) == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_an_autoregression_is_worth_what_theory_says(rho: float) -> None:
    draws = autoregressive(16, 3000, rho)
    assert effective_sample_size(draws) / draws.size == pytest.approx((1 - rho) / (1 + rho), rel=0.2)


def test_r_hat_finds_chains_that_stay_apart_and_chains_that_drift() -> None:
    draws = np.random.default_rng(0).normal(size=(4, 200))
    assert split_r_hat(draws + 3 * np.arange(4)[:, None]) > 1.5
    assert split_r_hat(draws + np.linspace(0, 4, 200)) > 1.2
    assert split_r_hat(np.zeros((4, 10))) == 1
    with pytest.raises(ValueError, match="at least 4 draws"):
        split_r_hat(np.zeros((4, 3)))


def test_a_discriminator_knows_what_it_can_know() -> None:
    real = table(300)
    assert discriminator_auc(real, table(400, seed=1)) == pytest.approx(0.5, abs=0.08)
    torn = real.assign(y=np.random.default_rng(2).permutation(real["y"]))  # the marginals are right, the rest is not
    assert discriminator_auc(real, torn) > 0.8
    with pytest.raises(ValueError, match="different columns"):
        discriminator_auc(real, real[["x", "y"]])
    with pytest.raises(ValueError, match="needs at least 5 rows"):
        discriminator_auc(real, real[:3])


def test_marginal_distances_find_the_column_that_is_off() -> None:
    frame = table(600)
    model = NRGBoostDensity(**SMALL).fit(frame)
    assert max(marginal_distances(model, frame).values()) == pytest.approx(0, abs=1e-12)
    distances = marginal_distances(model, frame.assign(x=frame["x"] + 10, word="up"))
    assert distances["x"] > 0.95
    assert distances["word"] == pytest.approx((frame["word"] == "down").mean())
    assert distances["y"] == 0


def test_chains_of_a_model_mix() -> None:
    model = NRGBoostDensity(**SMALL).fit(table(300))
    found = chain_diagnostics(model, n_chains=16, n_steps=60)
    assert 0.95 < found.r_hat < 1.1
    assert 0.02 < found.ess_per_sweep <= 1
