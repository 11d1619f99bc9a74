"""From the values of a training table's column to its bins (section 2.6)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from . import binning, cells
from .binning import MOST_CODES, Bins, Floats
from .columns import CategoryColumn, Column, Mask, NumberColumn


@dataclass(frozen=True, slots=True, kw_only=True)
class BinningConfig:
    """How columns are binned.

    ``max_bins`` bounds the quantile bins of a number. ``few_values="values"`` keeps a bin for each value of a real
    column that has no more of them than that. ``categorical_overflow="group"`` joins a column's rarest categories
    where there are over 256, which otherwise is an error. ``missing="error"`` refuses missing values.
    """

    max_bins: int = 255
    few_values: Literal["bins", "values"] = "bins"
    categorical_overflow: Literal["error", "group"] = "error"
    missing: Literal["bin", "error"] = "bin"

    def __post_init__(self) -> None:
        if not 2 <= self.max_bins <= MOST_CODES - 1:
            raise ValueError(f"max_bins is {self.max_bins}; it must be from 2 to {MOST_CODES - 1}")
        for name, value, allowed in (
            ("few_values", self.few_values, ("bins", "values")),
            ("categorical_overflow", self.categorical_overflow, ("error", "group")),
            ("missing", self.missing, ("bin", "error")),
        ):
            if value not in allowed:
                raise ValueError(f"{name} is {value!r}; it must be {allowed[0]!r} or {allowed[1]!r}")


def fit_column(
    values: pd.Series, config: BinningConfig, *, categorical: bool = False, weights: Floats | None = None
) -> Column:
    """The column that holds ``values`` [N], rows counted by ``weights`` [N] above 0.

    Raises ValueError for a column without any value, with infinite ones, with over 256 categories, or, if
    ``config.missing`` is "error", with a missing one; TypeError for cells that are neither number, text, date nor
    boolean. Every message names the column.
    """
    kind, absent = cells.kind_of(values), values.isna().to_numpy()
    if absent.all():
        raise ValueError(f"column {values.name!r} has no value at all, only NaN; leave it out")
    if absent.any() and config.missing == "error":
        raise ValueError(f"column {values.name!r} has {int(absent.sum())} missing value(s) (NaN), and missing='error'")
    column: Column
    if categorical or kind == "category":
        column = _categories(values, bool(absent.any()), config, weights)
    else:
        column = _numbers(values, absent, kind, config, weights)
    codes, _ = column.encode(values)
    counts = np.bincount(codes, weights=weights, minlength=column.cardinality)
    return replace(column, counts=counts.astype(np.float64))


def _numbers(
    values: pd.Series, absent: Mask, kind: cells.Kind, config: BinningConfig, weights: Floats | None
) -> NumberColumn:
    present, has_missing = values[~absent], bool(absent.any())
    column = NumberColumn(
        name=str(values.name),
        dtype=cells.dtype_name(values),
        kind=kind,
        bins=Bins(np.zeros(0), np.zeros(1), np.zeros(1), grid=True),
        has_missing=has_missing,
        **_steps(present, kind),
    )
    steps = column.to_steps(present)
    weights = None if weights is None else weights[~absent]
    most = min(config.max_bins, MOST_CODES - has_missing)
    low, high = steps.min(), steps.max()
    if (kind != "real" or column.decimals is not None) and high - low < 2.0**53:
        bins = binning.grid_bins(steps, most, min(config.max_bins, MOST_CODES - 1 - has_missing), weights)
    elif low == high or (config.few_values == "values" and len(np.unique(steps)) <= most):
        bins = binning.value_bins(steps)
    else:
        bins = binning.interval_bins(steps, most, weights)
    return replace(column, bins=bins)


def _steps(present: pd.Series, kind: cells.Kind) -> dict[str, Any]:
    """The origin, unit and decimals in which a column's values become floats without loss."""
    if kind in ("datetime", "duration"):
        times = cells.moments(present, kind)
        unit = cells.coarsest_unit(times)
        return {"unit": unit, "origin": int(times.astype(f"{times.dtype.kind}8[{unit}]").astype(np.int64).min())}
    numbers = cells.numbers(present)
    if not np.isfinite(numbers).all():
        raise ValueError(f"column {present.name!r} contains infinity or a value too large; numbers must be finite")
    if kind == "real":
        return {"decimals": binning.decimals_of(numbers)}
    return {"origin": int(present.min()) if np.abs(numbers).max() >= 2.0**53 else 0}


def _categories(values: pd.Series, has_missing: bool, config: BinningConfig, weights: Floats | None) -> CategoryColumn:
    column = CategoryColumn(
        name=str(values.name),
        dtype=cells.dtype_name(values),
        categories=_distinct_categories(values),
        has_missing=has_missing,
        ordered=bool(getattr(values.dtype, "ordered", False)),
    )
    most = MOST_CODES - has_missing
    if len(column.categories) <= most:
        return column
    if config.categorical_overflow == "error":
        raise ValueError(
            f"column {column.name!r} has {len(column.categories)} categories, and at most {most} fit; leave it out, "
            "or join the rarest (categorical_overflow='group', on the command line --group-rare)"
        )
    return _grouped(column, values, most, weights)


def _distinct_categories(values: pd.Series) -> tuple[Any, ...]:
    if isinstance(values.dtype, pd.CategoricalDtype):
        categories = tuple(cells.plain(category) for category in values.dtype.categories)
    else:
        found, _ = cells.distinct(values)
        categories = tuple(found)
    for category in categories:
        if not isinstance(category, str | int | float):
            raise TypeError(
                f"column {values.name!r}: a category must be a string, a boolean or a number, "
                f"not a {type(category).__name__}"
            )
    if isinstance(values.dtype, pd.CategoricalDtype):
        return categories
    return tuple(sorted(categories, key=lambda category: (isinstance(category, str), category)))


def _grouped(column: CategoryColumn, values: pd.Series, most: int, weights: Floats | None) -> CategoryColumn:
    """The column with its rarest categories joined, so that ``most`` codes are enough."""
    found, index = cells.distinct(values)
    present = index >= 0
    sums = np.bincount(index[present], None if weights is None else weights[present], minlength=len(found))
    counts = dict.fromkeys(column.categories, 0.0) | {
        category: float(total) for category, total in zip(found, sums, strict=True)
    }
    by_count = sorted(column.categories, key=lambda category: -counts[category])
    kept, rare = set(by_count[: most - 1]), by_count[most - 1 :]
    total = sum(counts[category] for category in rare)
    return replace(
        column,
        categories=tuple(category for category in column.categories if category in kept),
        ordered=False,  # a group of rare categories has no place in an order
        rare={category: counts[category] / total if total else 1 / len(rare) for category in rare},
    )
