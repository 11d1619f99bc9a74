"""What the templates show, worked out beforehand: a template only places it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from paperworks.app.evidence import Evidence
from paperworks.core import Claim, Measurement, Paper, Published, Verdict

from . import words
from .addresses import paper_page
from .choice import ORDER, Chosen, choose
from .comparison_view import ComparisonView, comparison_view
from .figures import data_url
from .methods import methods
from .numbers import plain, shown
from .result_view import ResultView
from .rows import Table, table
from .runs import BenchTable, RunView, bench_table, run_view
from .snippet import snippet
from .strip import Strip, strip

ORIGINS = ("published", "yours")
LONG_TABLE = 8

Runs = Mapping[str, Evidence]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A number that the paper prints, or, without ``number``, the sentence that stands for it."""

    number: str
    label: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureView:
    """A figure of a page: ``number`` counts them, ``src`` is a data URL."""

    number: int
    alt: str
    src: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimView:
    """A claim with everything that is shown about it."""

    claim: Claim
    cells: tuple[Cell, ...]
    results: tuple[ResultView, ...]
    strip: Strip | None
    judged_by: str
    tables: tuple[Table, ...] = ()
    figures: tuple[FigureView, ...] = ()
    seen_before: tuple[int, ...] = ()

    @property
    def search_words(self) -> str:
        """What a search finds the claim by."""
        said = (self.claim.id, self.claim.says, self.claim.metric, self.claim.setting, self.claim.source)
        return " ".join((*said, *(cell.label for cell in self.cells)))

    def result(self, origin: str) -> ResultView:
        """The result of that origin."""
        return next(view for view in self.results if view.origin == origin)

    @property
    def strip_words(self) -> str:
        """The drawing in words, for who cannot see it."""
        found = [f"{view.origin}: {view.shown}" for view in self.results if view.shown and not view.chosen.stale]
        return f"{self.judged_by}. " + "; ".join(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperView:
    """A paper's page, and that of its comparison."""

    paper: Paper
    file: str
    snippet: str
    methods: tuple[str, ...]
    claims: tuple[ClaimView, ...]
    telling: ClaimView
    figures: tuple[FigureView, ...]
    runs: tuple[RunView, ...]
    bench: tuple[BenchTable, ...]
    ran: Mapping[str, bool]
    comparison: ComparisonView

    @property
    def search_words(self) -> str:
        """What a search finds the paper, and with it all its claims, by."""
        paper = self.paper
        names = (paper.slug, paper.command, paper.arxiv, paper.title, *paper.authors, paper.field, paper.gist)
        return " ".join((*names, *self.methods))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many claims of one origin came to which verdict; stand-ins are counted apart."""

    origin: str
    counts: Mapping[Verdict, int]
    stand_ins: int

    @property
    def measured(self) -> int:
        """The claims that have a verdict, stand-ins left out."""
        return sum(count for verdict, count in self.counts.items() if verdict is not Verdict.UNTESTED)


def paper_view(paper: Paper, published: Runs, local: Runs) -> PaperView:
    """Everything the page of ``paper`` shows, from the runs (preset -> evidence) of both origins."""
    runs = {"published": published, "yours": local}
    gallery = _Gallery(runs)
    claims = tuple(_claim_view(claim, runs, gallery) for claim in paper.claims)
    return PaperView(
        paper=paper,
        file=paper_page(paper),
        snippet=snippet(paper.slug),
        methods=methods(paper.slug),
        claims=claims,
        telling=_most_telling(claims),
        figures=gallery.rest(),
        runs=tuple(run_view(origin, run) for origin in ORIGINS for run in _in_order(runs[origin])),
        bench=tuple(bench_table(origin, runs[origin]["bench"]) for origin in ORIGINS if "bench" in runs[origin]),
        ran={origin: any(preset in ORDER for preset in runs[origin]) for origin in ORIGINS},
        comparison=comparison_view(paper, published, local),
    )


def tally(views: Iterable[PaperView], origin: str) -> Tally:
    """The headline's counts over all papers for one origin."""
    chosen = [
        result.chosen for view in views for claim in view.claims for result in claim.results if result.origin == origin
    ]
    counted = [one.verdict for one in chosen if not one.stand_in]
    return Tally(
        origin=origin,
        counts={verdict: counted.count(verdict) for verdict in Verdict},
        stand_ins=len(chosen) - len(counted),
    )


def _claim_view(claim: Claim, runs: Mapping[str, Runs], gallery: _Gallery) -> ClaimView:
    chosen = {origin: choose(claim, runs[origin]) for origin in ORIGINS}
    results = tuple(_result_view(origin, one, runs[origin]) for origin, one in chosen.items())
    numbers = {origin: one.measurement for origin, one in chosen.items() if one.measurement}
    figures, seen = gallery.of(chosen)
    return ClaimView(
        claim=claim,
        cells=tuple(_cell(cell) for cell in claim.published),
        results=results,
        strip=strip(claim.judge, numbers) if claim.judge else None,
        judged_by=words.judged_by(claim),
        tables=tuple(
            table(
                number.rows,
                title=f"{_whose(origin)}, {chosen[origin].preset} run",
                is_open=len(number.rows) <= LONG_TABLE,
            )
            for origin, number in numbers.items()
            if number.rows
        ),
        figures=figures,
        seen_before=seen,
    )


def _result_view(origin: str, chosen: Chosen, runs: Runs) -> ResultView:
    number = chosen.result
    if not isinstance(number, Measurement):
        return ResultView(origin=origin, chosen=chosen, shown=None)
    details = {
        "Run": f"{chosen.preset}, {words.interval_over(number)}",
        "Scale": words.SCALES[number.scale],
        "Setting": number.setting,
        "Baseline": "" if number.baseline is None else plain(number.baseline, number.unit),
        "Note": number.note,
    }
    return ResultView(
        origin=origin,
        chosen=chosen,
        shown=shown(number, chosen.claim.judge),
        details=tuple((name, text) for name, text in details.items() if text),
        cut_off=runs[chosen.preset or ""].state != "complete",
    )


def _cell(cell: Published) -> Cell:
    number = "" if cell.value is None else plain(cell.value, cell.unit, digits=8)
    return Cell(number=number, label=cell.label, note=cell.note)


def _most_telling(claims: tuple[ClaimView, ...]) -> ClaimView:
    """The claim that says most in one line: measured, on no stand-in, against a number that the paper prints."""

    def weight(view: ClaimView) -> tuple[bool, bool, bool, bool]:
        numbers = [result.chosen for result in view.results if result.chosen.measurement]
        decided = any(one.verdict in {Verdict.HOLDS, Verdict.FAILS} for one in numbers)
        return (
            bool(numbers) and not any(one.stand_in for one in numbers),
            any(cell.number for cell in view.cells),
            decided,
            len(numbers) == len(view.results),
        )

    return max(claims, key=weight)


class _Gallery:
    """Gives each figure of a paper its number, and its place at the first claim that names it."""

    def __init__(self, runs: Mapping[str, Runs]) -> None:
        self._runs = runs
        self._numbers: dict[tuple[str, str, str], int] = {}

    def of(self, chosen: Mapping[str, Chosen]) -> tuple[tuple[FigureView, ...], tuple[int, ...]]:
        """The figures that these results show first, and the numbers of those that were shown before."""
        new: list[FigureView] = []
        seen: list[int] = []
        for origin, one in chosen.items():
            for name in map(str, one.measurement.figures if one.measurement else ()):
                key = (origin, one.preset or "", name)
                if key in self._numbers:
                    seen.append(self._numbers[key])
                elif name in self._runs[origin][key[1]].figures:
                    new.append(self._add(key))
        return tuple(new), tuple(seen)

    def rest(self) -> tuple[FigureView, ...]:
        """The figures of the runs that no claim shows, of the largest run of each origin that has any."""
        new = []
        for origin in ORIGINS:
            held = [run for run in _in_order(self._runs[origin]) if run.figures and run.preset in ORDER]
            shown = {name for of, _, name in self._numbers if of == origin}
            new += (
                [self._add((origin, held[0].preset, name)) for name in held[0].figures if name not in shown]
                if held
                else []
            )
        return tuple(new)

    def _add(self, key: tuple[str, str, str]) -> FigureView:
        origin, preset, name = key
        number = self._numbers[key] = len(self._numbers) + 1
        figure = self._runs[origin][preset].figures[name]
        caption = f"{_whose(origin)}, {preset} run."
        return FigureView(number=number, alt=figure.alt, src=data_url(figure), caption=caption)


def _in_order(runs: Runs) -> list[Evidence]:
    known = [runs[preset] for preset in ORDER if preset in runs]
    return known + [runs[preset] for preset in sorted(runs) if preset not in ORDER]


def _whose(origin: str) -> str:
    return "Published" if origin == "published" else "Yours"
