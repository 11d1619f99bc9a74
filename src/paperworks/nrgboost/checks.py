"""Settings and weights that make sense, or a sentence that says what would."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["checked_weights", "require", "require_one_of"]


def require(name: str, value: float, low: float, high: float, *, low_open: bool = False) -> None:
    """Raise ValueError unless ``value`` lies in [low, high], or (low, high]."""
    if not (low < value if low_open else low <= value) or not value <= high:
        bracket = "(" if low_open else "["
        raise ValueError(f"{name}={value} is out of range; it must lie in {bracket}{low}, {high}]")


def require_one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    """Raise ValueError unless ``value`` is one of ``known``."""
    if value not in known:
        raise ValueError(f"{name}={value!r} is not known; choose {' or '.join(map(repr, known))}")


def checked_weights(weights: NDArray[np.float64] | None, count: int) -> NDArray[np.float64]:
    """``weights`` [count] as floats; ones for None. Raises ValueError for no row, or weights that cannot be ones."""
    if count == 0:
        raise ValueError("there are no rows to fit; give at least one")
    if weights is None:
        return np.ones(count)
    weights = np.ascontiguousarray(weights, np.float64)
    if weights.shape != (count,):
        raise ValueError(f"{count} rows need as many weights, not an array of shape {weights.shape}")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("weights must be finite and not negative")
    if not weights.any():
        raise ValueError("all weights are 0; give at least one row a positive weight")
    return weights
