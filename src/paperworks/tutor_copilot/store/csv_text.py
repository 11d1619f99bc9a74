"""Tables as CSV that a spreadsheet opens without doing what a cell says."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from typing import Any


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table with a header; None is an empty cell."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return out.getvalue()


def csv_of(kind: type[Any], rows: Iterable[Any]) -> str:
    """The same for rows that are dataclasses of one ``kind``."""
    return csv_text([field.name for field in fields(kind)], (astuple(row) for row in rows))


def _harmless(cell: Any) -> Any:
    """A text that a spreadsheet would take for a formula, behind an apostrophe that makes it a text."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
