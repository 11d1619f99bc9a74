"""What samples are to have in some of their columns: one value, a value a row, a range, or a set."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from . import cells
from .columns import UNKNOWN, CategoryColumn, Column, NumberColumn
from .encoding import TableEncoder


@dataclass(slots=True)
class Conditions:
    """Conditions on n samples, as the engine and the decoder need them; made by `conditions`."""

    bins: np.ndarray[Any, np.dtype[np.uint8]]  # [n, D]; counts where ``fixed``
    fixed: np.ndarray[Any, np.dtype[np.bool_]]  # [D]
    shares: list[np.ndarray[Any, Any] | None]  # by column: which part of each bin is allowed, [card]
    within: dict[int, tuple[float, float]] = field(default_factory=dict)  # by column: the range, in its steps
    exact: dict[int, pd.Series] = field(default_factory=dict)  # by column: the very values that were asked for


def conditions(encoder: TableEncoder, given: Mapping[Any, Any] | None, n: int) -> Conditions:
    """The conditions that ``given`` says: column -> a value, an array of ``n``, ``slice(low, high)``, or a set.

    A slice holds both of its ends, and either may be None. Raises ValueError for a column or a value that there is not,
    TypeError for a range of categories that have no order.
    """
    width = len(encoder.columns)
    out = Conditions(np.zeros((n, width), dtype=np.uint8), np.zeros(width, dtype=bool), [None] * width)
    for name, wanted in (given or {}).items():
        place = encoder.index(name)
        column = encoder.columns[place]
        if isinstance(wanted, slice):
            _allow_range(out, place, column, wanted)
        elif isinstance(wanted, Set):
            out.shares[place] = _allowed_values(column, wanted)
        else:
            values = _one_a_row(column, wanted, n)
            out.bins[:, place], out.fixed[place] = _codes(column, values), True
            if isinstance(column, NumberColumn):
                out.exact[place] = column.series(column.to_steps(values), values.isna().to_numpy())
    return out


def _one_a_row(column: Column, wanted: Any, n: int) -> pd.Series:
    is_one = isinstance(wanted, str) or not hasattr(wanted, "__len__")
    values = pd.Series([wanted] * n if is_one else list(wanted), name=column.name)
    if len(values) != n:
        raise ValueError(f"given[{column.name!r}] has {len(values)} values; give one, or one for each of the {n} rows")
    return values


def _codes(column: Column, values: pd.Series) -> np.ndarray[Any, Any]:
    codes, absent = column.encode(values)
    if absent.any() and not column.has_missing:
        raise ValueError(f"given[{column.name!r}] is missing, and that column had no missing value in training")
    if (codes == UNKNOWN).any():
        wrong = values[codes == UNKNOWN].iloc[0]
        raise ValueError(f"given[{column.name!r}] is {wrong!r}, which training never saw; {_known(column)}")
    return codes


def _allowed_values(column: Column, wanted: Set[Any]) -> np.ndarray[Any, Any]:
    if not wanted:
        raise ValueError(f"given[{column.name!r}] is an empty set; name at least one value")
    shares = np.zeros(column.cardinality)
    shares[_codes(column, pd.Series(list(wanted), name=column.name))] = 1
    return shares


def _allow_range(out: Conditions, place: int, column: Column, wanted: slice) -> None:
    if wanted.step is not None:
        raise ValueError(f"given[{column.name!r}]: a range has two ends and no step")
    if isinstance(column, CategoryColumn):
        out.shares[place] = _categories_between(column, wanted)
        return
    low = -np.inf if wanted.start is None else _position(column, wanted.start)
    high = np.inf if wanted.stop is None else _position(column, wanted.stop)
    shares = column.bins.share_within(low, high)
    if not shares.any():
        raise ValueError(
            f"given[{column.name!r}]: nothing lies between {wanted.start} and {wanted.stop}; {_known(column)}"
        )
    out.shares[place] = np.concatenate([np.zeros(int(column.has_missing)), shares])
    out.within[place] = (low, high)


def _position(column: NumberColumn, value: Any) -> float:
    return float(column.positions(pd.Series([value], name=column.name))[0])


def _categories_between(column: CategoryColumn, wanted: slice) -> np.ndarray[Any, Any]:
    if not column.ordered:
        raise TypeError(f"given[{column.name!r}]: its categories have no order; name a set of them instead of a range")
    ends = [end for end in (wanted.start, wanted.stop) if end is not None]
    codes = dict(zip(ends, _codes(column, pd.Series(ends, name=column.name, dtype=object)), strict=True))
    low = codes.get(wanted.start, int(column.has_missing))
    high = codes.get(wanted.stop, column.cardinality - 1)
    every = np.arange(column.cardinality)
    return ((every >= low) & (every <= high)).astype(np.float64)


def _known(column: Column) -> str:
    """What there is, for a message."""
    if isinstance(column, CategoryColumn):
        shown = ", ".join(map(repr, column.categories[:8]))
        return f"it has {shown}" + (f" and {len(column.categories) - 8} more" if len(column.categories) > 8 else "")
    ends = [cells.plain(end) for end in column.from_steps(np.array([column.bins.low[0], column.bins.high[-1]]))]
    return f"its values lie from {ends[0]} to {ends[1]}"
