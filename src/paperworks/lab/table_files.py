"""Tables in files, CSV and Parquet: read with the types that a model expects, written whole or not at all."""

from __future__ import annotations

import io
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from paperworks.core import UserError

from .disk import write_atomically

__all__ = ["csv_text", "read_table", "require_table_name", "write_table"]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([+-]\d{2}:?\d{2}|Z)?)?")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,?\d+([eE][+-]?\d+)?\s*")
_CSV, _PARQUET = (".csv", ".tsv", ".csv.gz", ".tsv.gz"), (".parquet", ".pq")


def read_table(path: Path, *, texts: Collection[str] = ()) -> Any:
    """The table in a file: a pandas frame from CSV, an Arrow table from Parquet, after the file's name.

    In CSV, columns named in ``texts`` stay texts, and others whose every value is an ISO date become dates; a file of
    semicolons may have decimal commas. Raises UserError for a file that is absent, empty, of another kind or not
    readable, or has two columns of one name.
    """
    if not path.exists():
        raise UserError(f"there is no file {path}")
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a CSV or Parquet file")
    table = _read_parquet(path) if _is_parquet(path) else _read_csv(path, texts)
    if len(table) == 0:
        raise UserError(f"{path} has no rows")
    return table


def write_table(table: Any, path: Path) -> Path:
    """Put a pandas or Arrow table into a file, CSV or Parquet after its name; the path.

    Raises UserError for another name, or where the file cannot be written.
    """
    require_table_name(path)
    buffer = io.BytesIO()
    if _is_parquet(path):
        arrow = table if isinstance(table, pa.Table) else pa.Table.from_pandas(table, preserve_index=False)
        pq.write_table(arrow, buffer)
    else:
        compression: Any = "gzip" if path.name.lower().endswith(".gz") else None
        _as_frame(table).to_csv(buffer, index=False, sep=_separator_of(path.name), compression=compression)
    try:
        write_atomically(path, buffer.getvalue())
        path.chmod(0o644)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from error
    return path


def csv_text(table: Any) -> str:
    """A table as CSV, for standard output."""
    return str(_as_frame(table).to_csv(index=False))


def require_table_name(path: Path) -> None:
    """UserError unless the name ends like that of a CSV or Parquet file."""
    if not path.name.lower().endswith((*_CSV, *_PARQUET)):
        raise UserError(f"{path.name!r} is no name of a table; end it in .csv, .tsv or .parquet")


def _as_frame(table: Any) -> pd.DataFrame:
    return table.to_pandas() if isinstance(table, pa.Table) else table


def _is_parquet(path: Path) -> bool:
    require_table_name(path)
    return path.name.lower().endswith(_PARQUET)


def _read_parquet(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} cannot be read as Parquet: {_first_line(error)}") from error


def _read_csv(path: Path, texts: Collection[str]) -> pd.DataFrame:
    separator = _separator(path)
    try:
        header = pd.read_csv(path, sep=separator, header=None, nrows=1, dtype="string").iloc[0].dropna()
        if header.duplicated().any():
            twice = header[header.duplicated()].iloc[0]
            raise UserError(f"{path} has two columns of the name {twice!r}; every column needs its own")
        frame = pd.read_csv(
            path,
            sep=separator,
            dtype=dict.fromkeys(texts, "string"),
            dtype_backend="numpy_nullable",
            low_memory=False,
        )
    except UserError:
        raise
    except pd.errors.EmptyDataError:
        raise UserError(f"{path} is empty") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} cannot be read as CSV: it is not in UTF-8; save it as UTF-8 text") from None
    except (pd.errors.ParserError, OSError, EOFError, ValueError) as error:
        raise UserError(f"{path} cannot be read as CSV: {_first_line(error)}") from error
    return frame.apply(lambda cells: cells if cells.name in texts else _typed(cells, separator))


def _typed(cells: pd.Series, separator: str) -> pd.Series:
    """Texts that are all dates as dates, and in a file of semicolons those that all have a decimal comma as numbers."""
    if not isinstance(cells.dtype, pd.StringDtype):
        return cells
    if _all_match(cells, _DATE):
        return pd.to_datetime(cells, format="ISO8601")
    if separator == ";" and _all_match(cells, _DECIMAL_COMMA):
        return cells.str.replace(",", ".", regex=False).astype("Float64")
    return cells


def _separator(path: Path) -> str:
    """A tab where the name says so, a semicolon where the first line has those and no comma, else a comma."""
    if _separator_of(path.name) == "\t":
        return "\t"
    if path.name.lower().endswith(".gz"):
        return ","
    with path.open("rb") as file:
        first = file.readline()
    return ";" if b";" in first and b"," not in first else ","


def _separator_of(name: str) -> str:
    return "\t" if name.lower().endswith((".tsv", ".tsv.gz")) else ","


def _all_match(cells: pd.Series, pattern: re.Pattern[str]) -> bool:
    present = cells.dropna()
    return bool(len(present)) and all(pattern.fullmatch(value) is not None for value in present)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
