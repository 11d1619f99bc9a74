"""What a run found out about a claim: a number with its interval, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal, get_args

from .checks import require_number, require_string, require_text, require_tuple

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
        require_text("a measurement's claim", self.claim, "give the id of the claim")
        who = f"measurement of {self.claim}"
        for name in ("value", "low", "high") if self.baseline is None else ("value", "low", "high", "baseline"):
            require_number(
                f"{who}: {name}", getattr(self, name), "a claim with no finite number is Untested, with the reason"
            )
        if not self.low <= self.value <= self.high:
            raise ValueError(f"{who}: the interval [{self.low}, {self.high}] must contain the value {self.value}")
        if self.interval not in get_args(Interval):
            raise ValueError(f"{who}: interval is one of {', '.join(get_args(Interval))}; not {self.interval!r}")
        if self.scale not in get_args(Scale):
            raise ValueError(f"{who}: scale is one of {', '.join(get_args(Scale))}; not {self.scale!r}")
        if self.interval == "exact" and self.low != self.high:
            raise ValueError(f"{who}: an exact value has low == value == high; name what the interval is over instead")
        fewest = MIN_SEEDS if self.interval.startswith("seeds") else 1
        if not isinstance(self.n, int) or isinstance(self.n, bool):
            raise ValueError(f"{who}: n must be a Python int, not {type(self.n).__name__} ({self.n!r})")
        if self.n < fewest:
            raise ValueError(
                f"{who}: n={self.n} is too few for an interval of kind {self.interval!r}; give at least {fewest}"
            )
        require_text(f"{who}: setting", self.setting, "say on what it was measured")
        require_string(f"{who}: unit", self.unit)
        require_string(f"{who}: note", self.note)
        require_tuple(f"{who}: figures", self.figures, str)
        require_tuple(f"{who}: rows", self.rows, Mapping)
        for row in self.rows:
            _check_row(who, row)


_NEEDED = tuple(field.name for field in fields(Measurement) if field.default is MISSING)
_MORE = {field.name for field in fields(Measurement)} - set(_NEEDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Untested:
    """A claim that this run has no number for, and the reason."""

    claim: str
    reason: str

    def __post_init__(self) -> None:
        require_text("an untested result's claim", self.claim, "give the id of the claim")
        require_text(f"claim {self.claim} is untested; its reason", self.reason, "say why in a sentence")


def to_record(result: Measurement | Untested) -> dict[str, Any]:
    """The result as JSON types: the fields of a `Measurement`, or ``{"claim", "untested": reason}``."""
    if isinstance(result, Untested):
        return {"claim": result.claim, "untested": result.reason}
    record: dict[str, Any] = {field.name: getattr(result, field.name) for field in fields(result)}
    record["rows"] = [dict(row) for row in result.rows]
    record["figures"] = list(result.figures)
    return record


def from_record(record: Mapping[str, Any]) -> Measurement | Untested:
    """The inverse of `to_record`; unknown keys are left aside.

    Raises ValueError where a field is missing or does not have its type.
    """
    if not isinstance(record, Mapping):
        raise ValueError(f"the record of a result is an object, not {type(record).__name__}")
    if "untested" in record:
        return Untested(claim=_field(record, "claim"), reason=record["untested"])
    given = {name: _field(record, name) for name in _NEEDED} | {name: record[name] for name in _MORE & record.keys()}
    for name in ("rows", "figures"):  # JSON has lists where a Measurement has tuples
        if isinstance(given.get(name), list):
            given[name] = tuple(given[name])
    return Measurement(**given)


def _field(record: Mapping[str, Any], name: str) -> Any:
    if name not in record:
        raise ValueError(f"the record of a result lacks {name!r}")
    return record[name]


def _check_row(who: str, row: Mapping[str, str | float | None]) -> None:
    for column, cell in row.items():
        require_string(f"{who}: the name of a row's column", column)
        if cell is not None and not isinstance(cell, str):
            require_number(f"{who}: row cell {column!r}", cell, "None stands for a cell without a number")
