"""log Z by annealed importance sampling: the boosting rounds are the annealing path (section 8, point 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .tree import add_values

if TYPE_CHECKING:
    from .model import EnergyModel

__all__ = ["log_partition"]


def log_partition(model: EnergyModel, n_particles: int, seed: int, n_steps: int, n_threads: int) -> tuple[float, float]:
    """(estimate of log Z, its standard error) from ``n_particles`` draws of f_0, whose own Z is 1.

    A particle's weight gains exp tree_t(x) in round t; then ``n_steps`` Gibbs sweeps of the model with that tree move
    it. The mean weight is unbiased for Z (Neal 2001); the error of its logarithm is by the delta method.

    Raises ValueError for fewer than 2 particles.
    """
    if n_particles < 2:
        raise ValueError(f"n_particles={n_particles} gives no standard error; give at least 2")
    rows = model.sample_initial(n_particles, seed)
    log_weights = np.zeros(n_particles)
    for number, tree in enumerate(model.trees):
        add_values(tree, rows, log_weights)
        if number + 1 < model.n_rounds:
            step_seed = (seed << 20) + number + 1
            rows = model.gibbs(rows, n_steps, n_rounds=number + 1, seed=step_seed, n_threads=n_threads)
    top = log_weights.max(initial=0.0) if model.n_rounds == 0 else log_weights.max()
    weights = np.exp(log_weights - top)
    mean = weights.mean()
    return float(top + np.log(mean)), float(weights.std(ddof=1) / mean / np.sqrt(n_particles))
