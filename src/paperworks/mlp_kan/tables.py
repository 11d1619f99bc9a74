"""Tables in files, CSV and Parquet, as numbers that a network can be trained on."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from paperworks.core import UserError
from paperworks.lab.table_files import read_table

__all__ = ["Table", "read"]

_MOST_CATEGORIES = 12
_FEWEST_ROWS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows x [n, columns] and the target's values y [n]; ``left_out`` counts the rows that had a missing value.

    A column of texts is one column of 0 and 1 for each text but the first, named "column=text".
    """

    source: str
    target: str
    columns: tuple[str, ...]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    left_out: int


def read(path: Path, *, target: str, without: Sequence[str] = ()) -> Table:
    """The table in a file, without the columns named, those of one value, and rows with a missing value.

    Raises UserError for a file that is absent or unreadable, a column that is absent or neither numbers nor a few
    texts, a target that is no numbers, and fewer than 30 rows.
    """
    frame = _frame(path)
    frame.columns = [str(name) for name in frame.columns]
    for name in (target, *without):
        _require_column(frame, name, path)
    frame = frame.drop(columns=[name for name in without if name != target])
    y = _numbers(frame.pop(target))
    if y is None:
        raise UserError(f"column {target!r} of {path.name} is not numbers: a formula has a number for its value")
    columns = {name: part for column in frame for name, part in _encoded(frame[column]).items()}
    if not columns:
        raise UserError(f"{path.name} has no column that varies besides {target!r}: there is nothing to fit it from")
    return _complete(path.name, target, columns, y)


def _frame(path: Path) -> pd.DataFrame:
    table = read_table(path)
    return table.to_pandas() if isinstance(table, pa.Table) else table


def _require_column(frame: pd.DataFrame, name: str, path: Path) -> None:
    if name not in frame.columns:
        near = difflib.get_close_matches(name, frame.columns, n=1)
        right = f"did you mean {near[0]!r}?" if near else f"the first are {', '.join(frame.columns[:10])}"
        raise UserError(f"{path.name} has no column {name!r}: {right}")
    if list(frame.columns).count(name) > 1:
        raise UserError(f"{path.name} has two columns {name!r}: each needs a name of its own")


def _numbers(column: pd.Series) -> NDArray[np.float64] | None:
    """A column's values with nan for what is missing or infinite, or None if they are no numbers."""
    if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)):
        return None
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def _encoded(column: pd.Series) -> dict[str, NDArray[np.float64]]:
    numbers = _numbers(column)
    if numbers is not None:
        return {str(column.name): numbers} if len(np.unique(numbers[~np.isnan(numbers)])) > 1 else {}
    texts = column.astype("object").where(column.notna(), None)
    categories = sorted({str(text) for text in texts if text is not None})
    if len(categories) > _MOST_CATEGORIES:
        raise UserError(
            f"column {column.name!r} has {len(categories)} different texts, and at most {_MOST_CATEGORIES} can be told "
            f"apart: leave it out by --without {column.name}"
        )
    return {
        f"{column.name}={category}": np.array([np.nan if text is None else str(text) == category for text in texts])
        for category in categories[1:]
    }


def _complete(source: str, target: str, columns: dict[str, NDArray[np.float64]], y: NDArray[np.float64]) -> Table:
    x = np.stack([np.asarray(values, dtype=np.float64) for values in columns.values()], axis=1)
    whole = ~np.isnan(x).any(axis=1) & ~np.isnan(y)
    if whole.sum() < _FEWEST_ROWS:
        raise UserError(f"{source} has {whole.sum()} rows without a missing value: at least {_FEWEST_ROWS} are needed")
    x, y = x[whole], y[whole]
    if np.ptp(y) == 0:
        raise UserError(f"column {target!r} of {source} has one value only: there is nothing to fit")
    varies = np.ptp(x, axis=0) > 0
    names = tuple(name for name, keep in zip(columns, varies, strict=True) if keep)
    return Table(source=source, target=target, columns=names, x=x[:, varies], y=y, left_out=int((~whole).sum()))
