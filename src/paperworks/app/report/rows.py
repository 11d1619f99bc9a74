"""The rows of a measurement as a table whose numbers line up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .numbers import column

_NONE = "–"

Row = Mapping[str, str | float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Cells as text, row by row; ``numeric`` says of each column whether it holds numbers."""

    title: str
    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    is_open: bool


def table(rows: Sequence[Row], *, title: str, is_open: bool) -> Table:
    """The rows as a `Table`: its columns are all names that occur, in the order in which they first do."""
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    columns = [[row.get(name) for row in rows] for name in names]
    texts = [_texts(cells) for cells in columns]
    return Table(
        title=title,
        columns=tuple(name.replace("_", " ") for name in names),
        numeric=tuple(_is_numeric(cells) for cells in columns),
        rows=tuple(zip(*texts, strict=True)),
        is_open=is_open,
    )


def _is_numeric(cells: Sequence[str | float | None]) -> bool:
    return not any(isinstance(cell, str) for cell in cells) and any(cell is not None for cell in cells)


def _texts(cells: Sequence[str | float | None]) -> list[str]:
    numbers = iter(column([cell for cell in cells if cell is not None and not isinstance(cell, str)]))
    return [_NONE if cell is None else cell if isinstance(cell, str) else next(numbers) for cell in cells]
