"""The cells of a pandas column: what kind they are, and as plain numbers, moments or categories."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from .binning import Codes, Floats

Kind: TypeAlias = Literal["real", "integer", "boolean", "datetime", "duration", "category"]

_NANOSECONDS = {"D": 86_400 * 10**9, "h": 3_600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}
_KINDS: dict[str, Kind] = {
    "string": "category",
    "boolean": "boolean",
    "integer": "integer",
    "floating": "real",
    "mixed-integer-float": "real",
    "decimal": "real",
    "datetime": "datetime",
    "datetime64": "datetime",
    "date": "datetime",
    "timedelta": "duration",
    "timedelta64": "duration",
    "empty": "real",
}


def kind_of(values: pd.Series) -> Kind:
    """What a pandas column holds, by its type, or by its cells where the type says nothing.

    Raises ValueError for complex numbers, TypeError for cells that are neither number, text, date nor boolean.
    """
    dtype, types = values.dtype, pd.api.types
    if isinstance(dtype, pd.CategoricalDtype | pd.StringDtype):
        return "category"
    if types.is_complex_dtype(dtype):
        raise ValueError(f"Complex data not supported: column {values.name!r} has complex numbers; give their parts")
    by_type: tuple[tuple[Any, Kind], ...] = (
        (types.is_bool_dtype, "boolean"),
        (types.is_integer_dtype, "integer"),
        (types.is_float_dtype, "real"),
        (types.is_datetime64_any_dtype, "datetime"),
        (types.is_timedelta64_dtype, "duration"),
    )
    for is_it, kind in by_type:
        if is_it(dtype):
            return kind
    return _kind_of_cells(values)


def _kind_of_cells(values: pd.Series) -> Kind:
    found = pd.api.types.infer_dtype(values, skipna=True)
    if found == "integer" and values.dropna().abs().max() >= 2**63:
        return "real"
    if found in _KINDS:
        return _KINDS[found]
    for value in values.dropna():
        if isinstance(value, complex):
            raise ValueError(f"Complex data not supported: column {values.name!r} has complex numbers")
        if not isinstance(value, str | int | float | np.generic):
            raise TypeError(
                f"column {values.name!r}: a cell's argument must be a string, a date, a boolean or a number, "
                f"not a {type(value).__name__}"
            )
    return "category"


def dtype_name(values: pd.Series) -> str:
    """The column's type as a text that `of_type` reads; "date" for Python's dates, which pandas calls objects."""
    if values.dtype == object and pd.api.types.infer_dtype(values, skipna=True) == "date":
        return "date"
    return "category" if isinstance(values.dtype, pd.CategoricalDtype) else str(values.dtype)


def of_type(values: pd.Series, dtype: str) -> pd.Series:
    """The column as the type that `dtype_name` named; times without a zone are taken as UTC where it has one."""
    if dtype == "date":
        return values.dt.date.astype(object).where(values.notna(), None)
    target = pd.api.types.pandas_dtype(dtype)
    if isinstance(target, pd.DatetimeTZDtype):
        return values.dt.tz_localize("UTC").dt.tz_convert(target.tz).astype(target)
    if pd.api.types.is_object_dtype(target):
        return values.astype(object).where(values.notna(), None)
    return values.astype(target)


def numbers(values: pd.Series) -> Floats:
    """The cells as floats [N], NaN where missing; ValueError names a cell that is none."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    if values.dtype != object and pd.api.types.is_numeric_dtype(values.dtype):
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    absent = values.isna().to_numpy()
    out = np.full(len(values), np.nan)
    for row, value in enumerate(values):
        if absent[row]:
            continue
        try:
            out[row] = float(value)
        except (TypeError, ValueError):
            raise ValueError(f"column {values.name!r} holds numbers, and {value!r} (row {row}) is none") from None
    return out


def steps_from(values: pd.Series, origin: int) -> Floats:
    """Integers as their distance from ``origin`` [N], without loss where they are too large for floats."""
    floats = numbers(values)
    if not origin:
        return floats
    absent = np.isnan(floats)
    cells = values.to_numpy(dtype=object)
    floats[~absent] = [float(int(cell) - origin) for cell in cells[~absent]]
    return floats


def moments(values: pd.Series, kind: str) -> np.ndarray[Any, Any]:
    """Dates or durations as numpy's, [N]; those of a time zone in UTC. ValueError where a cell is none."""
    try:
        parsed = pd.to_datetime(values) if kind == "datetime" else pd.to_timedelta(values)
        if isinstance(parsed.dtype, pd.DatetimeTZDtype):
            parsed = parsed.dt.tz_convert("UTC").dt.tz_localize(None)
        return parsed.to_numpy()
    except (TypeError, ValueError, AttributeError) as error:
        first = str(error).partition("\n")[0]
        raise ValueError(f"column {values.name!r} holds {kind}s, and a cell is none: {first}") from error


def coarsest_unit(times: np.ndarray[Any, Any]) -> str:
    """The longest unit, from days to nanoseconds, of which every one of ``times`` [N] is a whole number."""
    finest = np.datetime_data(times.dtype)[0]
    ticks = times.astype(np.int64)
    for unit, length in _NANOSECONDS.items():
        factor = length // _NANOSECONDS[finest]
        if factor and not (ticks % factor).any():
            return unit
    return finest


def distinct(values: pd.Series) -> tuple[list[Hashable], Codes]:
    """The different cells that are not missing, as plain values, and which of them each row has [N]; -1: none."""
    index, cells = pd.factorize(values.to_numpy(dtype=object))
    return [plain(cell) for cell in cells], index.astype(np.int64)


def plain(value: Any) -> Any:
    """A numpy scalar as Python's own."""
    return value.item() if isinstance(value, np.generic) else value
