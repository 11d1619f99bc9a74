"""A table as rows of bins, and rows of bins as a table again (section 2.6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from .binning import Floats
from .column_fit import BinningConfig, fit_column
from .columns import UNKNOWN, Column, Mask
from .domain import Domain


@dataclass(frozen=True)
class EncodedRows:
    """Rows of bins and what is not known of them.

    ``absent`` marks the cells that were missing, ``unknown`` those that no bin stands for: missing in a column that
    had no missing value in training, or a category that training never saw. Their bin says nothing.
    """

    bins: np.ndarray[Any, np.dtype[np.uint8]]  # [N, D]
    absent: Mask  # [N, D]
    unknown: Mask  # [N, D]

    def __len__(self) -> int:
        return len(self.bins)

    def __getitem__(self, rows: Any) -> EncodedRows:
        return EncodedRows(self.bins[rows], self.absent[rows], self.unknown[rows])


@dataclass(frozen=True)
class TableEncoder:
    """The columns of a table and how each is binned; made by `fit_encoder`."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """The columns' names, in order."""
        return [column.name for column in self.columns]

    @cached_property
    def domain(self) -> Domain:
        """The bins of every column, for the engine."""
        return Domain(
            cards=tuple(column.cardinality for column in self.columns),
            categorical=tuple(column.categorical for column in self.columns),
        )

    def index(self, name: str | int) -> int:
        """The position of a column, by name or, as in an array, by number; ValueError where there is none."""
        is_number = isinstance(name, int | np.integer) and not isinstance(name, bool)
        if is_number and -len(self.columns) <= int(name) < len(self.columns):
            return int(name) % len(self.columns)
        if name in self.names:
            return self.names.index(str(name))
        raise ValueError(f"there is no column {name!r}; the columns are {', '.join(map(repr, self.names))}")

    def encode(self, frame: pd.DataFrame, *, without: int | None = None) -> EncodedRows:
        """The rows of ``frame``, whose columns are those of training in their order. ValueError for a wrong value.

        ``frame`` may lack the column at position ``without``; nothing is known of its cells then.
        """
        rows = len(frame)
        given = [column for place, column in enumerate(self.columns) if place != without]
        encoded = {column.name: column.encode(frame.iloc[:, place]) for place, column in enumerate(given)}
        if without is not None:
            encoded[self.columns[without].name] = (np.full(rows, UNKNOWN), np.ones(rows, dtype=bool))
        codes = np.stack([encoded[name][0] for name in self.names], axis=1)
        absent = np.stack([encoded[name][1] for name in self.names], axis=1)
        unknown = codes == UNKNOWN
        return EncodedRows(np.ascontiguousarray(np.where(unknown, 0, codes), dtype=np.uint8), absent, unknown)

    def decode(
        self,
        bins: np.ndarray[Any, np.dtype[np.uint8]],
        rng: np.random.Generator,
        within: Mapping[int, tuple[float, float]] | None = None,
    ) -> pd.DataFrame:
        """Rows of bins [N, D] as a table: values drawn inside of their bins and ``within`` (in steps, by column)."""
        within = within or {}
        everywhere = (-np.inf, np.inf)
        parts = {
            column.name: column.decode(bins[:, place].astype(np.int64), rng, within.get(place, everywhere))
            for place, column in enumerate(self.columns)
        }
        return pd.DataFrame(parts)

    def log_widths(self, bins: np.ndarray[Any, np.dtype[np.uint8]]) -> Floats:
        """The sum over columns of the logarithm of each cell's bin width, [N]: what turns a mass into a density."""
        total = np.zeros(len(bins))
        for place, column in enumerate(self.columns):
            total += column.log_widths[bins[:, place]]
        return total


def fit_encoder(
    frame: pd.DataFrame,
    config: BinningConfig,
    *,
    categorical: str | Sequence[Any] = "from_dtype",
    weights: Floats | None = None,
) -> TableEncoder:
    """The encoder of a training table.

    ``categorical`` is "from_dtype" (texts and pandas categories), or the names, positions or mask of the columns that
    are categories besides those. Raises ValueError and TypeError as `fit_column` does, naming the column.
    """
    chosen = _chosen(categorical, list(frame.columns))
    return TableEncoder(
        tuple(
            fit_column(frame.iloc[:, place], config, categorical=place in chosen, weights=weights)
            for place in range(frame.shape[1])
        )
    )


def _chosen(categorical: str | Sequence[Any], names: list[str]) -> set[int]:
    """The positions of the columns that ``categorical`` names."""
    if isinstance(categorical, str):
        if categorical != "from_dtype":
            raise ValueError(
                f"categorical_features is {categorical!r}; it must be 'from_dtype', or a list of names, positions or "
                "True and False"
            )
        return set()
    given = np.asarray(categorical)
    if given.dtype == bool:
        if given.shape != (len(names),):
            raise ValueError(
                f"categorical_features has {given.size} entries of True and False for {len(names)} columns"
            )
        return set(np.flatnonzero(given).tolist())
    places = set()
    for each in given.tolist():
        if isinstance(each, int) and 0 <= each < len(names):
            places.add(each)
        elif each in names:
            places.add(names.index(each))
        else:
            raise ValueError(f"categorical_features names {each!r}, and there is no such column")
    return places
