"""Tables in files, read with the columns that a fitted model knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from paperworks.core import UserError
from paperworks.lab.table_files import read_table

from .columns import CategoryColumn
from .encoding import TableEncoder

__all__ = ["read_like"]


def read_like(path: Path, encoder: TableEncoder, *, needed: bool = True) -> Any:
    """The table in a file with the columns of a model, in their order; others are left out.

    Raises UserError where one is absent.
    """
    texts = [
        column.name
        for column in encoder.columns
        if isinstance(column, CategoryColumn) and all(isinstance(value, str) for value in column.categories)
    ]
    table = read_table(path, texts=texts)
    names = list(table.column_names if isinstance(table, pa.Table) else table.columns)
    absent = [name for name in encoder.names if name not in names]
    if absent and needed:
        shown = ", ".join(map(repr, absent[:5]))
        raise UserError(f"{path} lacks column(s) that the model was fitted to: {shown}")
    return table.select(encoder.names) if isinstance(table, pa.Table) else table[encoder.names]
