"""The geometry of the small drawing under a claim: the judge's range, "no effect", and each interval.

Positions are percentages of the drawing's width, so that the text in it keeps its size on every screen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from paperworks.core import Judge, Measurement

from .numbers import column

_MARGIN = 0.09
_WORD = 14.0  # percent of a phone's width that a word of five letters needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One interval and its value, from whose run."""

    origin: str
    left: float
    right: float
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A number on the axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A word above the drawing: at ``at`` percent, ``shift`` pixels aside, set from its ``anchor``."""

    text: str
    at: float
    shift: int
    anchor: Literal["start", "end"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """What is drawn: the range from ``left`` to ``right`` in which the claim holds, ``null``, bars, ticks, words."""

    left: float
    right: float
    null: float | None
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    labels: tuple[Label, ...]


def strip(judge: Judge, results: Mapping[str, Measurement]) -> Strip | None:
    """The drawing for ``results`` (origin -> measurement) under ``judge``; None without a result."""
    if not results:
        return None
    landmarks = [edge for edge in (judge.low, judge.high, judge.null) if edge is not None and math.isfinite(edge)]
    ends = landmarks + [end for result in results.values() for end in (result.low, result.high)]
    start, width = _domain(min(ends), max(ends))

    def at(number: float) -> float:
        return round(min(100.0, max(0.0, (number - start) / width * 100)), 2)

    left, right = at(judge.low), at(judge.high)
    null = None if judge.null is None else at(judge.null)
    return Strip(
        left=left,
        right=right,
        null=null,
        bars=tuple(
            Bar(origin=origin, left=at(result.low), right=at(result.high), at=at(result.value))
            for origin, result in results.items()
        ),
        ticks=_ticks(start, width),
        labels=_labels(left, right, null),
    )


def _labels(left: float, right: float, null: float | None) -> tuple[Label, ...]:
    """ "holds" at the end of the range away from null, "no effect" on the other side of null, where there is room."""
    null_is_left = null is None or null <= left
    holds = (
        Label(text="holds", at=right, shift=-6, anchor="end")
        if null_is_left
        else Label(text="holds", at=left, shift=6, anchor="start")
    )
    if null is None:
        return (holds,) if right - left >= _WORD else ()
    outside = (null if null_is_left else 100 - null) >= 2 * _WORD
    away: Literal["start", "end"] = "end" if null_is_left == outside else "start"
    no_effect = Label(text="no effect", at=null, shift=-6 if away == "end" else 6, anchor=away)
    room = right - left if outside else right - left - 2 * _WORD
    return (holds, no_effect) if room >= _WORD else (no_effect,)


def _domain(low: float, high: float) -> tuple[float, float]:
    span = high - low or abs(high) or 1.0
    return low - _MARGIN * span, (high - low) + 2 * _MARGIN * span


def _ticks(start: float, width: float) -> tuple[Tick, ...]:
    step = 10.0 ** math.floor(math.log10(width / 3))
    step *= next(factor for factor in (1, 2, 5, 10) if width / (step * factor) <= 5)
    first = math.ceil((start + 0.03 * width) / step)
    last = math.floor((start + 0.97 * width) / step)
    numbers = [index * step for index in range(first, last + 1)]
    return tuple(
        Tick(at=round((number - start) / width * 100, 2), text=text)
        for number, text in zip(numbers, column(numbers), strict=True)
    )
