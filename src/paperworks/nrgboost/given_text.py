"""Conditions as they are written on a command line: ``region=North``, ``age=30..40``, ``region=North|South``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from .columns import CategoryColumn, Column
from .encoding import TableEncoder

_TRUE, _FALSE = {"true", "yes", "1"}, {"false", "no", "0"}


def parse_conditions(encoder: TableEncoder, texts: Iterable[str]) -> dict[str, Any]:
    """What `NRGBoostDensity.sample` takes as ``given``, from texts of the form ``column=value``.

    ``a..b`` is a range with both of its ends, of which one may be left out; ``a|b`` a choice. Values are read by the
    column's type. Raises ValueError for what is no condition, no column or no value of it.
    """
    given: dict[str, Any] = {}
    for text in texts:
        name, value = _split(encoder, text)
        if name in given:
            raise ValueError(f"{name!r} is given twice; write a choice as {name}=a|b and a range as {name}=a..b")
        given[name] = _wanted(encoder.columns[encoder.index(name)], value)
    return given


def _split(encoder: TableEncoder, text: str) -> tuple[str, str]:
    """The column and the rest; a column's own name may hold an equals sign."""
    places = [place for place, letter in enumerate(text) if letter == "="]
    if not places:
        raise ValueError(f"{text!r} is no condition; write column=value, as in {encoder.names[0]}=...")
    for place in reversed(places):
        if (name := text[:place].strip()) in encoder.names:
            return name, text[place + 1 :].strip()
    name = text[: places[0]].strip()
    raise ValueError(f"there is no column {name!r}; the columns are {', '.join(map(repr, encoder.names))}")


def _wanted(column: Column, text: str) -> Any:
    if isinstance(column, CategoryColumn) and text in {str(value) for value in (*column.categories, *column.rare)}:
        return _value(column, text)  # a category that looks like a range or a choice
    if ".." in text and not column.categorical:
        low, _, high = text.partition("..")
        return slice(_value(column, low) if low.strip() else None, _value(column, high) if high.strip() else None)
    if "|" in text:
        return {_value(column, part) for part in text.split("|")}
    return _value(column, text)


def _value(column: Column, text: str) -> Any:
    """The value of the column that ``text`` writes."""
    text = text.strip()
    if isinstance(column, CategoryColumn):
        by_text = {str(value): value for value in (*column.categories, *column.rare)}
        return by_text.get(text, text)
    try:
        if column.kind == "boolean":
            return _flag(text)
        if column.kind == "datetime":
            return pd.Timestamp(text)
        if column.kind == "duration":
            return pd.Timedelta(text)
        return int(text) if column.kind == "integer" and text.lstrip("+-").isdigit() else float(text)
    except ValueError:
        special = {"boolean": "true or false", "datetime": "a date", "duration": "a duration"}
        wanted = special.get(column.kind, "a number")
        raise ValueError(f"{column.name}={text}: that column holds {column.kind} values; give {wanted}") from None


def _flag(text: str) -> bool:
    if text.lower() not in _TRUE | _FALSE:
        raise ValueError(text)
    return text.lower() in _TRUE
