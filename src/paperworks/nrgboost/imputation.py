"""Missing cells of a table filled in from what the rest of their rows says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .column_distribution import ColumnDistribution
from .columns import Column, NumberColumn
from .encoding import EncodedRows
from .fitting import Progress
from .sampling import BLOCK
from .table_model import TableModel
from .threads import blocks

METHODS = ("gibbs", "mean", "mode")
_ROWS = 4096
EXACT_UP_TO = 64
"""Combinations of the other missing cells of a row that are summed over; beyond, sweeps are as good and much faster."""


def impute_frame(
    model: TableModel,
    frame: pd.DataFrame,
    rows: EncodedRows,
    method: str,
    *,
    n_steps: int,
    seed: int,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """``frame``, which ``rows`` encode, with its missing cells filled in; ValueError for an unknown ``method``."""
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; it must be one of {', '.join(METHODS)}")
    incomplete = np.flatnonzero(rows.absent.any(axis=1))
    if not len(incomplete):
        return frame.copy()
    say = progress or (lambda stage, done, total: None)
    drawn = _drawn(model, rows[incomplete], n_steps, seed, say) if method == "gibbs" else None
    filled = {}
    for place in range(len(model.encoder.columns)):
        cells = frame.iloc[:, place]
        members = np.flatnonzero(rows.absent[:, place])
        if len(members) and drawn is not None:
            cells = _filled(cells, members, drawn.iloc[:, place][rows.absent[incomplete, place]])
        elif len(members):
            cells = _filled(cells, members, _guesses(model, rows[members], place, cells, method))
            say("imputing", place + 1, len(model.encoder.columns))
        filled[place] = cells
    return pd.DataFrame(filled).set_axis(frame.columns, axis=1)


def _drawn(model: TableModel, rows: EncodedRows, n_steps: int, seed: int, say: Progress) -> pd.DataFrame:
    """The rows after Gibbs sweeps of all their missing and unknown cells, in which "missing" cannot be drawn."""
    free = rows.absent | rows.unknown
    bins = np.where(free, model.complete.sample_initial(len(rows), seed), rows.bins)
    for number, part in enumerate(blocks(len(rows), BLOCK)):
        own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        bins[part] = model.complete.gibbs(
            np.ascontiguousarray(bins[part]), n_steps, free=free[part], seed=own, n_threads=model.n_threads
        )
        say("imputing", part.stop, len(rows))
    return model.encoder.decode(bins, np.random.default_rng(seed))


def _guesses(model: TableModel, rows: EncodedRows, place: int, cells: pd.Series, method: str) -> pd.Series:
    """The values for a column in which all of ``rows`` lack one, a block of rows at a time."""
    found = (model.conditional(rows[part], place, most_combinations=EXACT_UP_TO) for part in blocks(len(rows), _ROWS))
    return pd.concat([_guess(each, model.encoder.columns[place], cells, method) for each in found], ignore_index=True)


def _guess(distribution: ColumnDistribution, column: Column, cells: pd.Series, method: str) -> pd.Series:
    """The mean or the most probable value of each row, a value that the column's cells can hold."""
    if method == "mode" or not isinstance(column, NumberColumn) or column.kind == "boolean":
        return pd.Series(distribution.mode())
    mean = distribution.mean()
    if pd.api.types.is_integer_dtype(cells.dtype):
        return pd.Series(np.round(mean).astype(np.int64))
    return pd.Series(mean)


def _filled(cells: pd.Series, members: Any, values: pd.Series) -> pd.Series:
    """``cells`` with ``values`` at the positions ``members``; categories that it lacks are added."""
    out = cells.copy()
    given = values.to_numpy()
    if isinstance(out.dtype, pd.CategoricalDtype):
        lacking = [category for category in pd.unique(given) if category not in out.cat.categories]
        out = out.cat.add_categories(lacking)
    if isinstance(out.dtype, pd.DatetimeTZDtype):
        moments = pd.DatetimeIndex(values)
        given = (moments if moments.tz is not None else moments.tz_localize("UTC")).tz_convert(out.dtype.tz)
    out.iloc[members] = given
    return out
