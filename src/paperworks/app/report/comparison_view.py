"""What the page of a comparison shows, worked out beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from paperworks.app.evidence import Evidence
from paperworks.core import Measurement, Paper

from . import words
from .addresses import comparison_page
from .choice import Chosen
from .comparison import ClaimChange, Comparison, Side, compare
from .difference import Change
from .numbers import shown
from .result_view import ResultView
from .runs import run_words
from .surroundings import Differing

_MARKS = {Change.SAME: "same", Change.NOISE: "noise", Change.CHANGED: "changed", Change.APART: "apart"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeView:
    """A claim's row: both sides, the difference, and what it comes to. ``mark`` names its drawing."""

    one: ClaimChange
    ends: tuple[ResultView, ResultView]
    difference: str
    said: str
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PairView:
    """Two runs in words, and what differs between them besides the numbers, by kind."""

    runs: tuple[str, str]
    kinds: tuple[tuple[str, tuple[Differing, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonView:
    """The page: ``brief`` is its result in two or three words, "" where nothing was compared."""

    file: str
    summary: str
    brief: str
    changes: tuple[ChangeView, ...]
    pairs: tuple[PairView, ...]
    gone: tuple[str, ...]


def comparison_view(paper: Paper, published: Mapping[str, Evidence], local: Mapping[str, Evidence]) -> ComparisonView:
    """Your runs of ``paper`` against the published."""
    compared = compare(paper, Side(name="published", runs=published), Side(name="yours", runs=local))
    return ComparisonView(
        file=comparison_page(paper),
        summary=words.summary(compared),
        brief=_brief(compared),
        changes=tuple(_change_view(one) for one in compared.claims),
        pairs=tuple(
            PairView(
                runs=(run_words(pair.first), run_words(pair.second)),
                kinds=tuple((kind, tuple(group)) for kind, group in groupby(pair.differing, key=lambda one: one.kind)),
            )
            for pair in compared.runs
        ),
        gone=compared.gone,
    )


def _change_view(one: ClaimChange) -> ChangeView:
    return ChangeView(
        one=one,
        ends=(_end("published", one.first), _end("yours", one.second)),
        difference=words.difference(one),
        said=words.change(one),
        mark=_MARKS[one.change],
    )


def _end(origin: str, chosen: Chosen) -> ResultView:
    number = chosen.result if isinstance(chosen.result, Measurement) else None
    return ResultView(origin=origin, chosen=chosen, shown=shown(number, chosen.claim.judge) if number else None)


def _brief(compared: Comparison) -> str:
    if not compared.compared:
        return ""
    changed = len(compared.of(Change.CHANGED))
    return f"{changed} changed" if changed else "none changed"
