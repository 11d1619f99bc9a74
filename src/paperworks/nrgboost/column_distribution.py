"""The whole distribution of one column, for each row of a table: mean, quantiles, intervals, scores, samples."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import log_softmax
from sklearn.utils import check_random_state

from . import spread
from .binning import Bins, Codes, Floats
from .columns import CategoryColumn, Column, NumberColumn

_ROUNDING = 1e-6  # of a grid step: what a decimal number may lose on its way to a float


class ColumnDistribution:
    """The distribution of a column in each of N rows, over the K bins of its values (section 2.5).

    Numbers are uniform inside of a bin: over the reals of an interval, or over the integers, or the multiples of
    10^-d, that it holds. Categories are as they are. "Missing" is no value: the bins share its mass.
    """

    def __init__(self, column: Column, logits: Floats) -> None:
        """``logits`` [N, cardinality] are unnormalised, in the order of the column's codes; "missing" is left out."""
        self._column = column
        self.logits: Floats = log_softmax(logits[:, int(column.has_missing) :], axis=1)

    def __len__(self) -> int:
        return len(self.logits)

    def __repr__(self) -> str:
        return f"ColumnDistribution({self._column.name!r}, {len(self)} rows, {self.logits.shape[1]} bins)"

    @property
    def name(self) -> str:
        """The column's name."""
        return self._column.name

    @property
    def proba(self) -> Floats:
        """The probability of each bin, [N, K]; rows sum to 1."""
        return np.exp(self.logits)

    @property
    def values(self) -> np.ndarray[Any, Any]:
        """What each bin stands for, [K]: its category, or the mean of a number's bin."""
        column = self._column
        return _array(column.values) if isinstance(column, CategoryColumn) else column.averages(column.bins.centres)

    @property
    def unit(self) -> str:
        """The unit in which `crps` counts the dates and durations of this column ("D" is a day); else nothing."""
        return self._column.unit if isinstance(self._column, NumberColumn) else ""

    def mean(self) -> np.ndarray[Any, Any]:
        """The expected value, [N]; for dates to a microsecond. TypeError for categories."""
        column = self._number("mean")
        return column.averages(self.proba @ column.bins.centres)

    def mode(self) -> np.ndarray[Any, Any]:
        """The most probable category, or the middle of the bin of highest density, [N]."""
        column = self._column
        if isinstance(column, CategoryColumn):
            return _array(column.values)[self.logits.argmax(axis=1)]
        densest = (self.logits - np.log(column.bins.widths)).argmax(axis=1)
        middle = column.bins.centres[densest]
        return column.from_steps(np.floor(middle) if column.bins.grid else middle)

    def median(self) -> np.ndarray[Any, Any]:
        """`quantile` (0.5), [N]."""
        return self.quantile(0.5)

    def quantile(self, q: ArrayLike) -> np.ndarray[Any, Any]:
        """The smallest value whose `cdf` reaches ``q``: [N] for one number in [0, 1], [N, Q] for a list of them.

        Raises ValueError for ``q`` outside of [0, 1], TypeError for categories without an order.
        """
        levels = np.asarray(q, dtype=np.float64)
        if levels.ndim > 1 or not ((levels >= 0) & (levels <= 1)).all():
            raise ValueError(f"quantiles are numbers from 0 to 1, not {q}")
        self._require_order("quantiles")
        found = [self._at(np.full(len(self), level)) for level in np.atleast_1d(levels)]
        return found[0] if levels.ndim == 0 else np.stack(found, axis=1)

    def interval(self, level: float = 0.9) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """The central interval that holds a share ``level`` of the distribution: its two ends, each [N]."""
        if not 0 < level < 1:
            raise ValueError(f"an interval's level is between 0 and 1, not {level}")
        return self.quantile((1 - level) / 2), self.quantile((1 + level) / 2)

    def cdf(self, value: Any) -> Floats:
        """The probability of at most ``value``, [N]; ``value`` is one for all rows or one a row.

        Raises ValueError for what is no value of the column, TypeError for categories without an order.
        """
        self._require_order("cumulative probabilities")
        if isinstance(self._column, CategoryColumn):
            return np.take_along_axis(self.proba.cumsum(axis=1), self._codes(value)[:, None], axis=1)[:, 0]
        return self._mass_before(value, _share_up_to)

    def cdf_below(self, value: Any) -> Floats:
        """The probability of less than ``value``, [N]: `cdf` without the mass of the value itself, if it has any."""
        self._require_order("cumulative probabilities")
        if isinstance(self._column, CategoryColumn):
            return np.take_along_axis(self._below(), self._codes(value)[:, None], axis=1)[:, 0]
        return self._mass_before(value, _share_below)

    def log_prob(self, value: Any) -> Floats:
        """The logarithm of the density at ``value`` in the column's unit, or of a category's probability, [N].

        On a grid it is the mass of a grid value over the step. ``value`` is one for all rows or one a row.
        """
        codes = self._codes(value)
        widths = self._column.log_widths[int(self._column.has_missing) :]
        return np.take_along_axis(self.logits, codes[:, None], axis=1)[:, 0] - widths[codes]

    def crps(self, value: Any) -> Floats:
        """The continuous ranked probability score of what came, [N]; 0 is best, in the column's unit (`unit`).

        The integral of (cdf(x) - [x >= value])^2 over x, exact for these distributions. ``value`` is one for all rows
        or one a row. TypeError for categories.
        """
        column = self._number("crps")
        at = self._positions(value)
        distance = (self.proba * spread.mean_distances(column.bins, at)).sum(axis=1)
        scores = distance - spread.half_mean_difference(column.bins, self.proba)
        return np.maximum(scores, 0) / 10.0 ** (column.decimals or 0)

    def sample(self, n: int, random_state: Any = None) -> np.ndarray[Any, Any]:
        """``n`` independent draws for each row, [N, n]."""
        uniform = check_random_state(random_state).random_sample((n, len(self)))
        if n < 1:
            raise ValueError(f"the number of draws is {n}; it must be at least 1")
        return np.stack([self._at(row) for row in uniform], axis=1)

    def _number(self, what: str) -> NumberColumn:
        if isinstance(self._column, CategoryColumn):
            raise TypeError(f"column {self.name!r} has categories, which have no {what}; use proba or mode()")
        return self._column

    def _require_order(self, what: str) -> None:
        if self._column.categorical:
            raise TypeError(f"column {self.name!r} has categories without an order, and so no {what}; use proba")

    def _at(self, levels: Floats) -> np.ndarray[Any, Any]:
        """The value at which each row's cumulative probability reaches ``levels`` [N]."""
        cumulative = self.proba.cumsum(axis=1)
        levels = levels * cumulative[:, -1]
        codes = np.minimum((cumulative < levels[:, None]).sum(axis=1), cumulative.shape[1] - 1)
        if isinstance(self._column, CategoryColumn):
            return _array(self._column.values)[codes]
        rows = np.arange(len(self))
        mass = self.proba[rows, codes]
        rest = levels - (cumulative[rows, codes] - mass)
        share = np.clip(np.divide(rest, mass, out=np.zeros(len(self)), where=mass > 0), 0, 1)
        bins = self._column.bins
        if not bins.grid:
            return self._column.from_steps(bins.low[codes] + share * (bins.high - bins.low)[codes])
        ahead = np.clip(np.ceil(share * bins.points[codes] - _ROUNDING) - 1, 0, None)
        return self._column.from_steps(bins.low[codes] + ahead)

    def _below(self) -> Floats:
        """The probability of all bins before each one, [N, K]."""
        return self.proba.cumsum(axis=1) - self.proba

    def _mass_before(self, value: Any, share_of: Callable[[Bins, Codes, Floats], Floats]) -> Floats:
        """The probability of the bins before that of each value, and of the share of its own that ``share_of`` says."""
        bins, at = self._number("position").bins, self._positions(value)
        codes = bins.locate(at)
        before = np.take_along_axis(self._below(), codes[:, None], axis=1)[:, 0]
        total = before + share_of(bins, codes, at) * np.take_along_axis(self.proba, codes[:, None], axis=1)[:, 0]
        return np.where(np.isnan(at), np.nan, np.clip(total, 0, 1))

    def _positions(self, value: Any) -> Floats:
        column = self._number("position")
        return column.positions(self._series(value))

    def _codes(self, value: Any) -> Codes:
        codes, absent = self._column.encode(self._series(value))
        codes = codes - self._column.has_missing
        if absent.any() or (codes < 0).any():
            raise ValueError(f"column {self.name!r}: a value is missing, or a category that training never saw")
        return codes

    def _series(self, value: Any) -> pd.Series:
        given = pd.Series([value] if np.isscalar(value) or not hasattr(value, "__len__") else value, name=self.name)
        if len(given) == 1:
            given = given.repeat(len(self))
        if len(given) != len(self):
            raise ValueError(f"give one value, or one for each of the {len(self)} rows, not {len(given)}")
        return given.reset_index(drop=True)


def _share_up_to(bins: Bins, codes: Codes, at: Floats) -> Floats:
    """How much of its bin lies at or below each position [N]: the part of the interval, or of the grid values."""
    low, high = bins.low[codes], bins.high[codes]
    if bins.grid:
        return np.clip((np.floor(at + _ROUNDING) - low + 1) / bins.points[codes], 0, 1)
    width = high - low
    inside = np.divide(at - low, width, out=(at >= low).astype(np.float64), where=width > 0)
    return np.clip(inside, 0, 1)


def _share_below(bins: Bins, codes: Codes, at: Floats) -> Floats:
    """How much of its bin lies below each position [N]; of a single value all or nothing."""
    low, high = bins.low[codes], bins.high[codes]
    if bins.grid:
        return np.clip((np.ceil(at - _ROUNDING) - low) / bins.points[codes], 0, 1)
    width = high - low
    return np.clip(np.divide(at - low, width, out=(at > low).astype(np.float64), where=width > 0), 0, 1)


def _array(values: tuple[Hashable, ...]) -> np.ndarray[Any, Any]:
    """Categories as an array of their own type; of objects where they are of several."""
    kinds = {type(value) for value in values}
    if len(kinds) == 1 and kinds <= {str, int, float, bool}:
        return np.array(values)
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out
