"""How the values of an ordered column become bins (section 2.6), and what is known of a value from its bin.

A column whose values lie on a grid (integers, or reals with at most five decimals) is handled in the grid's own steps,
so that every edge and every sampled value is an exact integer until it is written down again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

Floats: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
Codes: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"

MOST_CODES = 256
"""A bin's number is one byte."""

MOST_DECIMALS = 5
_TOLERANCE = 1e-3
_EXACT = 2.0**53


@dataclass(frozen=True, slots=True)
class Bins:
    """The bins of an ordered column, ascending.

    A value lies in bin ``np.digitize(value, inner)``, so that one outside of the training range joins an end bin.
    Inside of bin k it is thought uniform: between ``low[k]`` and ``high[k]``, or, on a ``grid``, over the integers from
    ``low[k]`` to ``high[k]``, both included. Where the two are equal the bin is one single value.
    """

    inner: Floats  # [K - 1]
    low: Floats  # [K]
    high: Floats  # [K]
    grid: bool

    def __len__(self) -> int:
        return len(self.low)

    @property
    def centres(self) -> Floats:
        """The mean of each bin, [K]."""
        return (self.low + self.high) / 2

    @property
    def points(self) -> Floats:
        """How many grid values each bin holds, [K]; 1 where there is no grid."""
        return self.high - self.low + 1 if self.grid else np.ones(len(self))

    @property
    def widths(self) -> Floats:
        """The length, or on a grid the number of values, over which a bin's mass is spread, [K].

        A single value among intervals, which quantiles leave where much mass lies on the maximum, has no length; it
        counts as the narrowest of the others. Where every bin is a single value, each counts as 1.
        """
        if self.grid:
            return self.points
        widths = self.high - self.low
        if not (widths > 0).any():
            return np.ones(len(self))
        return np.where(widths > 0, widths, widths[widths > 0].min())

    def locate(self, values: Floats) -> Codes:
        """The bin of each value [N]."""
        return np.digitize(values, self.inner).astype(np.int64)

    def draw(self, codes: Codes, uniform: Floats, low: float = -np.inf, high: float = np.inf) -> Floats:
        """A value of each bin [N], at the place in it that ``uniform`` [N] in [0, 1) says, not outside [low, high]."""
        bottom = np.maximum(self.low[codes], np.ceil(low) if self.grid else low)
        top = np.minimum(self.high[codes], np.floor(high) if self.grid else high)
        if self.grid:
            return bottom + np.floor(uniform * (top - bottom + 1))
        return bottom + uniform * (top - bottom)

    def share_within(self, low: float, high: float) -> Floats:
        """The share of each bin's mass that lies in [low, high], [K]."""
        if self.grid:
            bottom, top = np.maximum(self.low, np.ceil(low)), np.minimum(self.high, np.floor(high))
            return np.maximum(top - bottom + 1, 0) / self.points
        bottom, top = np.maximum(self.low, low), np.minimum(self.high, high)
        width = self.high - self.low
        atom = (self.low >= low) & (self.low <= high)
        return np.where(width > 0, np.maximum(top - bottom, 0) / np.where(width > 0, width, 1), atom)


def decimals_of(values: Floats) -> int | None:
    """The smallest number of decimals, 0 to 5, with which every value is written; None where more are needed.

    A value counts as written with d decimals when it is nearer than a thousandth of 10^-d to a multiple of it.
    Columns too large for exact integers have none either.
    """
    largest = float(np.abs(values).max(initial=0))
    for decimals in range(MOST_DECIMALS + 1):
        if largest * 10.0**decimals >= _EXACT:
            return None
        unit = 10.0**-decimals
        rest = values % unit
        if np.minimum(rest, unit - rest).max(initial=0) < _TOLERANCE * unit:
            return decimals
    return None


def grid_bins(values: Floats, most: int, span: int, weights: Floats | None) -> Bins:
    """Bins of integers: one for each, where they lie within ``span`` of each other, else at most ``most`` quantiles.

    ``weights`` [N] are the rows' weights; None where each counts once.
    """
    first, last = values.min(), values.max()
    if last - first <= span:
        points = np.arange(first, last + 1)
        return Bins(points[1:], points, points, grid=True)
    edges = integer_edges(quantiles(values, most, weights))
    return Bins(edges[1:-1], edges[:-1], edges[1:] - 1, grid=True)


def interval_bins(values: Floats, most: int, weights: Floats | None) -> Bins:
    """Quantile bins of reals, at most ``most``; a left edge that repeats is kept once."""
    edges = quantiles(values, most, weights)
    kept = np.append(np.insert(np.diff(edges[:-1]) > 0, 0, True), True)
    edges = edges[kept]
    return Bins(edges[1:-1], edges[:-1], edges[1:], grid=False)


def value_bins(values: Floats) -> Bins:
    """A bin for each distinct value; the borders are half-way between neighbours."""
    distinct = np.unique(values)
    return Bins((distinct[:-1] + distinct[1:]) / 2, distinct, distinct, grid=False)


def integer_edges(edges: Floats) -> Floats:
    """Quantiles as edges between integers: ceiled, pushed apart where they coincide, the last one past the maximum."""
    ceiled = np.ceil(edges)
    push = np.append(np.insert(np.diff(ceiled[:-1]) == 0, 0, False), True)
    pushed = ceiled + push
    return pushed[np.insert(np.diff(pushed) > 0, 0, True)]


def quantiles(values: Floats, most: int, weights: Floats | None) -> Floats:
    """The ``most`` + 1 quantiles at equal steps from minimum to maximum, linear between neighbouring ranks.

    Integer ``weights`` are numbers of repetitions: a row of weight 2 counts as that row twice, to the last bit. Other
    weights are first scaled to a mean of 1.
    """
    levels = np.linspace(0, 1, most + 1)
    if weights is None:
        return np.asarray(np.quantile(values, levels), dtype=np.float64)
    order = np.argsort(values, kind="stable")
    ascending, repeats = values[order], weights[order]
    if not np.array_equal(repeats, np.round(repeats)):
        repeats = repeats * (len(repeats) / repeats.sum())
    last_rank = np.cumsum(repeats)
    return _linear(levels * (last_rank[-1] - 1), lambda rank: ascending[_row_of(last_rank, rank)])


def _row_of(last_rank: Floats, rank: Floats) -> Codes:
    return np.minimum(np.searchsorted(last_rank, rank, side="right"), len(last_rank) - 1).astype(np.int64)


def _linear(position: Floats, value_at: Callable[[Floats], Floats]) -> Floats:
    """The value at each real ``position``, between those at the two ranks beside it, as numpy's quantile does it."""
    below = np.floor(position)
    share = position - below
    left, right = value_at(below), value_at(below + 1)
    gap = right - left
    return np.where(share < 0.5, left + gap * share, right - gap * (1 - share))
