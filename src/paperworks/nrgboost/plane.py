"""Densities on a plane whose every cell is known, so that a model's divergence from them is exact (figure 2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.special import log_softmax, ndtr, rel_entr

from .binning import Floats
from .boosting import BoostingConfig, boost
from .domain import Domain
from .model import EnergyModel

__all__ = ["PLANES", "SHOWN_ROUNDS", "cell_masses", "learn"]

SIDE = 64
"""Bins of each of the two columns."""

SHOWN_ROUNDS = (1, 3, 10, 100)
"""The rounds of figure 2."""

_LEAVES = 16
_NOISE = 0.08
_CURVE_POINTS = 2000


def learn(*, plane: str, seed: int, rows: int, pool: int, rounds: int, threads: int) -> dict[str, Any]:
    """Boost trees of 16 leaves from the uniform distribution on ``rows`` draws of ``plane``.

    Returns ``divergence`` and ``from_rows``, KL of the model from the true cell masses and from the shares of the rows
    drawn, nats, after 0, 1, ... rounds [rounds + 1]; ``truth`` [64, 64]; and ``masses`` [R, 64, 64] of the model after
    each of `SHOWN_ROUNDS`.
    """
    truth = cell_masses(plane)
    counts = np.random.default_rng([seed, 0]).multinomial(rows, truth.ravel())
    cells = _every_cell()
    domain = Domain((SIDE, SIDE), (False, False))
    config = BoostingConfig(n_rounds=rounds, max_leaves=_LEAVES, n_model_samples=pool, initial_uniform_mixture=1.0)
    model = boost(cells, domain, config, weights=counts.astype(np.float64), seed=seed, n_threads=threads).model
    stages = [_masses(model, cells, min(number, model.n_rounds)) for number in range(rounds + 1)]
    return {
        "divergence": np.array([rel_entr(truth.ravel(), stage).sum() for stage in stages]),
        "from_rows": np.array([rel_entr(counts / rows, stage).sum() for stage in stages]),
        "truth": truth,
        "masses": np.stack([stages[min(number, rounds)] for number in SHOWN_ROUNDS]).reshape(-1, SIDE, SIDE),
    }


def cell_masses(plane: str) -> Floats:
    """The probability of each cell, [64, 64], the first column's bin first: a curve blurred by normal noise.

    The noise factorises, so a cell's mass is a mean over the curve's points of products of normal probabilities; what
    lies outside of the square is left out.
    """
    points = PLANES[plane]()
    edges = np.linspace(-1.5, 1.5, SIDE + 1)
    reached = ndtr((edges[None, :, None] - points.T[:, None, :]) / _NOISE)
    inside = np.diff(reached, axis=1)
    masses = inside[0] @ inside[1].T
    return np.asarray(masses / masses.sum())


def _moons() -> Floats:
    """Two half circles that reach into each other, [N, 2]."""
    angle = np.linspace(0, np.pi, _CURVE_POINTS)
    upper = np.column_stack([np.cos(angle) - 0.5, np.sin(angle) - 0.25])
    return np.asarray(0.8 * np.concatenate([upper, -upper]))


def _spiral() -> Floats:
    """Two turns of Archimedes' spiral, walked at an even pace, [N, 2]."""
    angle = np.sqrt(np.linspace(0.02, 1, _CURVE_POINTS)) * 4 * np.pi
    radius = 1.25 * angle / angle[-1]
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


PLANES: Mapping[str, Callable[[], Floats]] = {"two moons": _moons, "spiral": _spiral}
"""The curves by name."""


def _every_cell() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """All cells of the plane, [4096, 2]."""
    first, second = np.divmod(np.arange(SIDE**2), SIDE)
    return np.ascontiguousarray(np.column_stack([first, second]), dtype=np.uint8)


def _masses(model: EnergyModel, cells: np.ndarray[Any, np.dtype[np.uint8]], n_rounds: int) -> Floats:
    return np.asarray(np.exp(log_softmax(model.energy(cells, n_rounds))))
