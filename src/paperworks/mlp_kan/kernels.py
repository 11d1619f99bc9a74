"""Splines and their slopes on the CPU, compiled: the Cox-de Boor recursion for many points of a feature at a time.

The points of a feature lie side by side, so that every step of the recursion is a vector operation, and no column is
looked up. It takes any knots, and any order from 1. Where knots coincide, 0/0 counts as 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

__all__ = ["columns", "slopes"]

_BLOCK = 256  # points at a time: the rows that the recursion works on stay in the first-level cache
_OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
F = TypeVar("F", bound=Callable[..., object])
_njit: Any = numba.njit


def _compiled(function: F) -> F:
    return cast(F, _njit(cache=True, **_OPTIONS)(function))


def _inlined(function: F) -> F:
    """Only of what is inlined does the compiler see that no rows overlap, which is what makes loops vector loops."""
    return cast(F, _njit(inline="always", **_OPTIONS)(function))


@_inlined
def _inverse(one: Any, low: Any, high: Any) -> Any:
    # ``one`` is of the points' type: a whole number would make this, and with it every loop, float64.
    width = high - low
    return width if width == 0 else one / width


@_inlined
def _ramps(one: Any, knots: Any, cell: int, degree: int) -> Any:
    """Where a basis function begins and ends, and the slopes of the two ramps that it is blended with."""
    low, high = knots[cell], knots[cell + degree + 1]
    return low, high, _inverse(one, low, knots[cell + degree]), _inverse(one, knots[cell + 1], high)


@_inlined
def _blend(place: Any, ramps: Any, row: Any, after: Any, out: Any, count: int) -> None:
    """One step of the recursion: of two neighbours of a degree, one of the next."""
    low, high, rise, fall = ramps
    for i in range(count):
        out[i] = (place[i] - low) * rise * row[i] + (high - place[i]) * fall * after[i]


@_inlined
def _recursion(x: Any, knots: Any, degree: int, place: Any, values: Any) -> None:
    """The basis of a degree at x [n] in ``values`` [cells, _BLOCK], and where x lies, in ``place``.

    What is beyond the knots is put on the last one, which no cell holds: all is 0 there, and no infinity gets in.
    """
    cells, one, zero = len(knots) - 1, values.dtype.type(1), values.dtype.type(0)
    first, last = knots[0], knots[cells]
    for i in range(len(x)):
        place[i] = x[i] if (x[i] >= first) & (x[i] < last) else last
    for cell in range(cells):
        low, high, row = knots[cell], knots[cell + 1], values[cell]
        for i in range(len(x)):
            row[i] = one if (place[i] >= low) & (place[i] < high) else zero
    for d in range(1, degree + 1):
        for cell in range(cells - d):
            _blend(place, _ramps(one, knots, cell, d), values[cell], values[cell + 1], values[cell], len(x))


@_compiled
def columns(x: Any, gate: Any, knots: Any, order: int, out: Any) -> None:
    """For x [F, N] and gate = sigmoid(x): silu(x) and the basis on knots [F, M], in ``out`` [F, 1 + G + k, N]."""
    cells, one = knots.shape[1] - 1, x.dtype.type(1)
    place, values = np.empty(_BLOCK, x.dtype), np.empty((cells, _BLOCK), x.dtype)
    for feature in range(x.shape[0]):
        for start in range(0, x.shape[1], _BLOCK):
            end = min(start + _BLOCK, x.shape[1])
            points, gates, base = x[feature, start:end], gate[feature, start:end], out[feature, 0, start:end]
            for i in range(end - start):
                base[i] = points[i] * gates[i]
            _recursion(points, knots[feature], order - 1, place, values)
            for cell in range(cells - order):
                ramps, column = _ramps(one, knots[feature], cell, order), out[feature, 1 + cell, start:end]
                _blend(place, ramps, values[cell], values[cell + 1], column, end - start)


@_compiled
def slopes(x: Any, gate: Any, knots: Any, order: int, columns: Any, slope: Any) -> None:
    """The gradient with respect to x, in ``slope`` [F, N], of the one with respect to the ``columns``.

    ``columns`` is overwritten by what :func:`columns` returns: it is needed next, and half of it is at hand.
    """
    cells, one, degree = knots.shape[1] - 1, x.dtype.type(1), x.dtype.type(order)
    place, values = np.empty(_BLOCK, x.dtype), np.empty((cells, _BLOCK), x.dtype)
    for feature in range(x.shape[0]):
        for start in range(0, x.shape[1], _BLOCK):
            end = min(start + _BLOCK, x.shape[1])
            points, gates = x[feature, start:end], gate[feature, start:end]
            base, total = columns[feature, 0, start:end], slope[feature, start:end]
            for i in range(end - start):
                total[i] = base[i] * gates[i] * (one + points[i] * (one - gates[i]))
                base[i] = points[i] * gates[i]
            _recursion(points, knots[feature], order - 1, place, values)
            for cell in range(cells - order):
                ramps, column = _ramps(one, knots[feature], cell, order), columns[feature, 1 + cell, start:end]
                rise, fall, row, after = degree * ramps[2], degree * ramps[3], values[cell], values[cell + 1]
                for i in range(end - start):
                    total[i] += column[i] * (rise * row[i] - fall * after[i])
                _blend(place, ramps, row, after, column, end - start)
