"""What a run found out about a claim: a number with its interval, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

Interval = Literal["exact", "seeds", "items", "seeds+items"]
Scale = Literal["same", "smaller", "stand-in"]

MIN_SEEDS = 3
"""An interval over seeds needs at least this many; with fewer, a claim is `Untested`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One number for one claim, with the interval it lies in and the setting it was measured in.

    ``interval`` names what the interval is taken over: nothing ("exact": no randomness anywhere), seeds, items, or
    both; ``n`` counts them (the seeds, where both). ``scale`` is "same" as the paper's, "smaller", or a "stand-in"
    for what could not be had (a simulated market, trial, painter or tutor). ``rows`` hold the whole table that
    ``value`` was reduced from; ``figures`` name what `Lab.figure` returned.
    """

    claim: str
    value: float
    low: float
    high: float
    interval: Interval
    n: int
    scale: Scale
    setting: str
    unit: str = ""
    baseline: float | None = None
    note: str = ""
    rows: tuple[Mapping[str, str | float | None], ...] = ()
    figures: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        who = f"measurement of {self.claim}"
        for name in ("value", "low", "high"):
            _require_number(who, name, getattr(self, name))
        if self.baseline is not None:
            _require_number(who, "baseline", self.baseline)
        if not self.low <= self.value <= self.high:
            raise ValueError(f"{who}: the interval [{self.low}, {self.high}] must contain the value {self.value}")
        if self.interval not in get_args(Interval):
            raise ValueError(f"{who}: interval is one of {', '.join(get_args(Interval))}; not {self.interval!r}")
        if self.scale not in get_args(Scale):
            raise ValueError(f"{who}: scale is one of {', '.join(get_args(Scale))}; not {self.scale!r}")
        if self.interval == "exact" and self.low != self.high:
            raise ValueError(f"{who}: an exact value has low == value == high; name what the interval is over instead")
        fewest = MIN_SEEDS if self.interval.startswith("seeds") else 1
        if not isinstance(self.n, int) or isinstance(self.n, bool) or self.n < fewest:
            raise ValueError(
                f"{who}: n={self.n!r} is too few for an interval of kind {self.interval!r}; give at least {fewest}"
            )
        if not self.setting.strip():
            raise ValueError(f"{who}: setting is blank; say on what it was measured")
        for row in self.rows:
            _check_row(who, row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Untested:
    """A claim that this run has no number for, and the reason."""

    claim: str
    reason: str

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError(f"claim {self.claim} is untested without a reason; say why in a sentence")


def to_record(result: Measurement | Untested) -> dict[str, Any]:
    """The result as JSON types: the fields of a `Measurement`, or ``{"claim", "untested": reason}``."""
    if isinstance(result, Untested):
        return {"claim": result.claim, "untested": result.reason}
    record = asdict(result)
    record["rows"] = [dict(row) for row in result.rows]
    record["figures"] = list(result.figures)
    return record


def from_record(record: Mapping[str, Any]) -> Measurement | Untested:
    """The inverse of `to_record`; unknown keys are left aside.

    Raises ValueError where a field is missing or does not have its type.
    """
    try:
        if "untested" in record:
            return Untested(claim=record["claim"], reason=record["untested"])
        known = {field.name: record[field.name] for field in fields(Measurement) if field.name in record}
        known["rows"] = tuple(dict(row) for row in known.get("rows", ()))
        known["figures"] = tuple(known.get("figures", ()))
        return Measurement(**known)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not the record of a result: {error}") from error


def _require_number(who: str, name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{who}: {name} must be a Python number, not {type(value).__name__} ({value!r})")
    if not math.isfinite(value):
        raise ValueError(f"{who}: {name} is {value}; a claim with no finite number is Untested, with the reason")


def _check_row(who: str, row: object) -> None:
    if not isinstance(row, Mapping):
        raise ValueError(f"{who}: a row is a mapping from column to value, not {type(row).__name__}")
    for column, cell in row.items():
        if not isinstance(column, str):
            raise ValueError(f"{who}: a row's columns are named by strings, not {column!r}")
        if cell is not None and not isinstance(cell, str):
            _require_number(who, f"row cell {column!r}", cell)
