"""``paperworks compare``: two runs of a paper side by side, and what really changed between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import groupby
from pathlib import Path

import typer
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from paperworks.app import store as stores
from paperworks.app.console import CHANGE_MARKS, result_text, verdict_text
from paperworks.app.evidence import Evidence
from paperworks.app.job import BENCH, PRESETS
from paperworks.app.report import export, words
from paperworks.app.report.choice import ORDER, Chosen
from paperworks.app.report.comparison import ClaimChange, Comparison, RunPair, Side, compare
from paperworks.app.report.difference import Change
from paperworks.app.report.runs import run_words
from paperworks.app.store import Store
from paperworks.core import Measurement, Paper, UserError, paper
from paperworks.lab import cli, places

CHANGED, NOTHING_COMPARED = 3, 4
"""The exit codes besides 0, "nothing changed": some claim did, and no claim has a number on both sides."""

_PUBLISHED, _LOCAL = "published", "local"
_NAMES = (_PUBLISHED, _LOCAL, *PRESETS)


def compare_runs(name: str, first: str, second: str, *, as_json: bool) -> None:
    """Print what changed from ``first`` to ``second``, each `published`, `local`, a preset or an evidence file.

    Exits `CHANGED` or `NOTHING_COMPARED` where that is so.
    """
    about = paper(name)
    if first == second:
        raise UserError(f"both sides are {first}; name two, e.g. `paperworks compare {about.command} published local`")
    names = Path(first).name, Path(second).name
    labels = names if names[0] != names[1] else (first, second)
    compared = compare(about, _side(about, first, labels[0]), _side(about, second, labels[1]))
    if as_json:
        cli.print_json({"slug": about.slug, **export.comparison_json(compared)})
    else:
        cli.show(*_shown(compared))
    if not compared.compared:
        raise typer.Exit(NOTHING_COMPARED)
    if compared.of(Change.CHANGED):
        raise typer.Exit(CHANGED)


def _side(about: Paper, asked: str, label: str) -> Side:
    if asked == _PUBLISHED:
        return _several(_PUBLISHED, stores.published(about.slug), f"{about.command} has no published run")
    store = Store(places.home())
    if asked == _LOCAL:
        return _several(
            "yours",
            store.read_all(about.slug),
            f"no run of {about.command} here is evidence: `paperworks run {about.command}`",
        )
    if asked in PRESETS:
        run = store.read(about.slug, asked)
        if run is None:
            raise UserError(
                f"there is no {asked} run of {about.command} here: `paperworks run {about.command} --preset {asked}`"
            )
        return _single(f"your {asked} run", run)
    return _single(label, _of_file(about, asked))


def _several(name: str, runs: dict[str, Evidence], without: str) -> Side:
    held = {preset: run for preset, run in runs.items() if preset in ORDER}
    if not held:
        raise UserError(without)
    return Side(name=name, runs=held)


def _single(name: str, run: Evidence) -> Side:
    return Side(name=name, runs={run.preset: run}, order=(run.preset,))


def _of_file(about: Paper, asked: str) -> Evidence:
    path = Path(asked)
    if not path.exists() and path.suffix != ".json" and path.name == asked:
        near = get_close_matches(asked, _NAMES, n=1)
        right = f"did you mean {near[0]}?" if near else f"give an evidence file or one of {', '.join(_NAMES)}"
        raise UserError(f"there is no run {asked!r}; {right}")
    run = stores.read_file(path)
    if run.slug != about.slug:
        raise UserError(f"{asked} is a run of {run.slug}, not of {about.slug}")
    if run.preset == BENCH:
        raise UserError(f"{asked} is a bench, which has times and no claims: give a run's evidence")
    return run


def _shown(compared: Comparison) -> Iterable[RenderableType]:
    yield Text(compared.paper.title, style="bold")
    yield Text(f"{compared.second.name} against {compared.first.name}", style="dim")
    for one in compared.claims:
        yield from ("", *_claim(compared, one))
    if compared.gone:
        yield from ("", Text(f"results of claims that the paper no longer has: {', '.join(compared.gone)}"))
    for pair in compared.runs:
        yield from ("", *_pair(compared, pair))
    yield from ("", Text(words.summary(compared).replace("\u00a0", " "), style="bold"))


def _claim(compared: Comparison, one: ClaimChange) -> tuple[RenderableType, ...]:
    lines = _lines()
    lines.add_row(compared.first.name, _end(one.first))
    lines.add_row(compared.second.name, _end(one.second))
    mark, style = CHANGE_MARKS[one.change]
    lines.add_row("change", Text(f"{mark} {words.change(one)}", style=style))
    if apart := words.difference(one):
        lines.add_row("", Text(f"  {apart}", style="bold"))
    return Text.assemble((f"{one.claim.id}  ", "bold"), one.claim.says), _indented(lines, len(one.claim.id) + 2)


def _end(chosen: Chosen) -> Text:
    """The verdict and the number of one side; why there is none stands in the line of the change."""
    text = verdict_text(chosen.verdict, stand_in=chosen.stand_in)
    if not isinstance(chosen.result, Measurement):
        return text
    text.append(f"  {result_text(chosen.claim, chosen.result)}", style="bold")
    return text.append(f"  {chosen.preset} run" + (", judged anew" if chosen.stale else ""), style="not bold default")


def _pair(compared: Comparison, pair: RunPair) -> Sequence[RenderableType]:
    lines = _lines()
    lines.add_row(compared.first.name, run_words(pair.first))
    lines.add_row(compared.second.name, run_words(pair.second))
    for kind, group in groupby(pair.differing, key=lambda one: one.kind):
        for at, one in enumerate(group):
            lines.add_row("" if at else kind, f"{one.name}: {one.first} → {one.second}")
    if not pair.differing:
        lines.add_row("", "the same sizes, seeds, source, packages and machine")
    return Text("What else differs", style="bold"), _indented(lines, 2)


def _lines() -> Table:
    lines = Table.grid(padding=(0, 2, 0, 0))
    lines.add_column(no_wrap=True, style="dim")
    lines.add_column()
    return lines


def _indented(lines: Table, by: int) -> Padding:
    return Padding(lines, (0, 0, 0, by), expand=False)
