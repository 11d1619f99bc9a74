"""The implausible rows of a table, and the cells that make them so, as the command line shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from . import tables
from .binning import Floats
from .cells import plain
from .density import NRGBoostDensity
from .fitting import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredRow:
    """A row, counted from 1, its plausibility, and its least plausible cells: column, value, plausibility."""

    number: int
    plausibility: float
    cells: tuple[tuple[str, str, float | None], ...]

    def says(self) -> str:
        """The cells in words."""
        return ", ".join(f"{column}={value} ({_share(share)})" for column, value, share in self.cells)

    def record(self) -> dict[str, Any]:
        """The row as JSON has it."""
        return {
            "row": self.number,
            "plausibility": self.plausibility,
            "cells": [{"column": c, "value": v, "plausibility": share} for c, v, share in self.cells],
        }


@dataclass(frozen=True)
class ScoredTable:
    """The plausibility of rows [N] and of cells [N, D] of a table; cells that training never saw are NaN."""

    frame: pd.DataFrame
    rows: Floats
    cells: Floats
    n_cells: int

    def least_plausible(self, count: int) -> list[ScoredRow]:
        """The ``count`` least plausible rows."""
        return [self._row(int(place)) for place in np.argsort(self.rows, kind="stable")[:count]]

    def with_scores(self, table: Any) -> Any:
        """``table`` with two more columns: the plausibility of each row, and its least plausible cells in words."""
        rows = [self._row(place) for place in range(len(self.frame))]
        scores = {"plausibility": self.rows, "implausible_cells": [row.says() for row in rows]}
        if isinstance(table, pa.Table):
            for name, values in scores.items():
                table = table.append_column(name, pa.array(values))
            return table
        return table.assign(**scores)

    def _row(self, place: int) -> ScoredRow:
        order = np.argsort(np.nan_to_num(self.cells[place], nan=0), kind="stable")[: self.n_cells]
        named = tuple(
            (
                str(self.frame.columns[column]),
                _text(self.frame.iloc[place, column]),
                None if np.isnan(self.cells[place, column]) else float(self.cells[place, column]),
            )
            for column in order
        )
        return ScoredRow(number=place + 1, plausibility=float(self.rows[place]), cells=named)


def score_table(
    model: NRGBoostDensity, table: Any, *, n_cells: int, n_reference: int, seed: int, progress: Progress | None = None
) -> ScoredTable:
    """Score every row and cell of ``table``; rows are compared with ``n_reference`` rows that the model draws."""
    rows = model.plausibility(table, n_reference, random_state=seed, progress=progress)
    return ScoredTable(tables.read(table)[0], rows, model.cell_plausibility(table, progress), n_cells)


def _text(value: Any) -> str:
    if pd.isna(value):
        return "missing"
    if isinstance(value, pd.Timestamp):
        return str(value.date()) if value == value.normalize() else str(value)
    value = plain(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _share(share: float | None) -> str:
    return "never seen in training" if share is None else f"{share:.4f}"
