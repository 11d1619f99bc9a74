"""The step along a tree that raises the estimated likelihood most (section 2.2, point 4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["best_step", "likelihood_gain", "log_expectation"]

STEPS = (1e-3, 10.0)
"""The official grid spans these."""

_MOST_ITERATIONS = 100


def best_step(p: NDArray[np.float64], q: NDArray[np.float64], value: NDArray[np.float64]) -> float:
    """argmax over alpha in `STEPS` of ``alpha sum p value - log sum q exp(alpha value)``; ``p``, ``q`` [L] sum to 1.

    The function is concave, with the derivative E_p v - E_alpha v and the second derivative -Var_alpha v, where alpha
    tilts q. So Newton's steps, kept within the interval where the derivative changes its sign, find the maximum.
    """
    low, high = STEPS
    mean = float(p @ value)
    alpha = 1.0
    for _ in range(_MOST_ITERATIONS):
        slope, variance = _derivatives(alpha, mean, q, value)
        low, high = (alpha, high) if slope > 0 else (low, alpha)
        step = slope / variance if variance > 0 else 0.0
        following = alpha + step if low <= alpha + step <= high else (low * high) ** 0.5
        if abs(following - alpha) <= 1e-12 * alpha:
            return following
        alpha = following
    return alpha


def likelihood_gain(p: NDArray[np.float64], q: NDArray[np.float64], value: NDArray[np.float64]) -> float:
    """``sum p value - log sum q exp(value)``, what adding the tree adds to the likelihood; p and q sum to 1."""
    return float(p @ value) - log_expectation(q, value)


def log_expectation(q: NDArray[np.float64], value: NDArray[np.float64]) -> float:
    """``log sum q exp(value)``: what the tree adds to log Z."""
    top = value.max()
    return float(top + np.log(q @ np.exp(value - top)))


def _derivatives(alpha: float, mean: float, q: NDArray[np.float64], value: NDArray[np.float64]) -> tuple[float, float]:
    tilted = q * np.exp(alpha * (value - value.max()))
    tilted /= tilted.sum()
    expected = float(tilted @ value)
    return mean - expected, float(tilted @ (value - expected) ** 2)
