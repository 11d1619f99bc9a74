"""What a person sees of a run: lines in a log, bars on a terminal, and the verdicts at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

from paperworks.core import Claim, Measurement, Paper, Untested, Verdict, verdict
from paperworks.lab import cli

from .evidence import Evidence
from .report.difference import Change
from .report.numbers import seconds, shown
from .watch import Outcome

MARKS = {
    Verdict.HOLDS: ("●", "○", "green"),
    Verdict.PARTLY: ("◐", "◔", "yellow"),
    Verdict.FAILS: ("■", "□", "red"),
    Verdict.UNCLEAR: ("◆", "◇", "magenta"),
    Verdict.UNTESTED: ("–", "–", "dim"),
}
"""For each verdict its mark, the hollow one of a stand-in, and the colour, which never stands alone."""

CHANGE_MARKS = {
    Change.SAME: ("=", "dim"),
    Change.NOISE: ("≈", "not dim"),
    Change.CHANGED: ("≠", "bold yellow"),
    Change.APART: ("–", "dim"),
}
"""For what happened to a claim between two runs its mark and its style."""

_WORD_WIDTH = max(len(word) for word in Verdict) + 2


def verdict_text(said: Verdict, *, stand_in: bool = False) -> Text:
    """The verdict as mark and word, hollow and named so where a stand-in was measured."""
    solid, hollow, style = MARKS[said]
    text = Text(f"{hollow if stand_in else solid} {said}", style=style)
    return text.append(" (stand-in)") if stand_in else text


def result_text(claim: Claim, result: Measurement | Untested | None) -> str:
    """The number with its interval, or the reason why there is none."""
    if isinstance(result, Measurement):
        return str(shown(result, claim.judge))
    return result.reason if result else claim.untestable or "no result"


def is_stand_in(result: Measurement | Untested | None) -> bool:
    """True where what was measured stands in for what the paper used."""
    return isinstance(result, Measurement) and result.scale == "stand-in"


class Lines:
    """A line for everything that becomes known, as a log wants it."""

    def __init__(self, console: Console, papers: Iterable[Paper]) -> None:
        self._console = console
        self._width = max((len(paper.command) for paper in papers), default=0)

    def started(self, paper: Paper) -> None:
        """See `Watcher`."""
        self.say(paper, Text("started"))

    def progressed(self, paper: Paper, label: str, done: int, total: int | None) -> None:
        """See `Watcher`. A log has no use for it."""

    def measured(self, paper: Paper, evidence: Evidence, claim: str) -> None:
        """See `Watcher`."""
        known = paper.claim(claim)
        result = evidence.results[claim].of
        said = verdict_text(verdict(known, result), stand_in=is_stand_in(result))
        said.pad_right(max(0, _WORD_WIDTH - len(said)))
        ids = max(len(claim.id) for claim in paper.claims)
        line = Text.assemble(f"{claim:<{ids}}  ", said, f"  {result_text(known, result)}")
        if isinstance(result, Measurement):
            line.append(f"  {result.setting}", style="dim")
        self.say(paper, line, cut=isinstance(result, Measurement))

    def benched(self, paper: Paper, row: Mapping[str, Any]) -> None:
        """See `Watcher`."""
        self.say(paper, Text(f"{row['case']}: {row['ratio']:.3g} times the time of {row['peer']}"))

    def noted(self, paper: Paper, text: str) -> None:
        """See `Watcher`."""
        self.say(paper, Text(text, style="yellow"))

    def finished(self, outcome: Outcome) -> None:
        """See `Watcher`."""
        self.say(outcome.paper, outcome_text(outcome))

    def tick(self) -> None:
        """See `Watcher`."""

    def say(self, paper: Paper, text: Text, *, cut: bool = False) -> None:
        """One line about ``paper``; with ``cut`` it ends at the edge of a terminal, never in a log."""
        line = Text.assemble((f"{paper.command:<{self._width}}  ", "bold"), text)
        if cut and self._console.file.isatty():
            line.truncate(self._console.width, overflow="ellipsis")
        self._console.print(line, soft_wrap=True)


class Bars(Lines):
    """The lines, and below them a bar a paper with what its experiment is at."""

    def __init__(self, console: Console, papers: Iterable[Paper]) -> None:
        papers = list(papers)
        super().__init__(console, papers)
        self._tasks: dict[str, TaskID] = {}
        self._bars = Progress(
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.completed}/{task.total} claims"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[label]}", style="dim", markup=False, table_column=Column(no_wrap=True)),
            console=console,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def started(self, paper: Paper) -> None:
        """See `Watcher`."""
        name = f"{paper.command:<{self._width}}"
        self._tasks[paper.slug] = self._bars.add_task(name, total=len(paper.claims), label="starting")

    def progressed(self, paper: Paper, label: str, done: int, total: int | None) -> None:
        """See `Watcher`."""
        self._bars.update(self._tasks[paper.slug], label=f"{label} {done}" + (f"/{total}" if total else ""))

    def measured(self, paper: Paper, evidence: Evidence, claim: str) -> None:
        """See `Watcher`."""
        super().measured(paper, evidence, claim)
        self._bars.update(self._tasks[paper.slug], completed=len(evidence.results))

    def benched(self, paper: Paper, row: Mapping[str, Any]) -> None:
        """See `Watcher`."""
        super().benched(paper, row)
        self._bars.update(self._tasks[paper.slug], label=str(row["case"]))

    def finished(self, outcome: Outcome) -> None:
        """See `Watcher`."""
        if (task := self._tasks.pop(outcome.paper.slug, None)) is not None:
            self._bars.remove_task(task)
        super().finished(outcome)


def watcher(console: Console, papers: Iterable[Paper]) -> AbstractContextManager[Lines]:
    """Bars where ``console`` is a terminal that can draw them, lines elsewhere."""
    if console.file.isatty() and not console.is_dumb_terminal:
        return Bars(console, papers)
    return nullcontext(Lines(console, papers))


def outcome_text(outcome: Outcome) -> Text:
    """How a paper came out of a run, in a line."""
    match outcome.kind:
        case "complete":
            took = outcome.evidence.cost.get("wall_s", 0.0) if outcome.evidence else 0.0
            return Text(f"done in {seconds(took)}")
        case "current":
            return Text("up to date, not run again (--fresh insists)", style="dim")
        case "failed":
            return Text.assemble(("failed: ", "bold red"), f"{outcome.message} (log: {outcome.log})")
        case "missing" | "refused":
            return Text.assemble(("not run: ", "bold yellow"), outcome.message)
        case "interrupted":
            return Text("stopped; what was measured is kept", style="yellow")
        case "waiting":
            return Text("not begun", style="dim")


def verdict_table(outcomes: Sequence[Outcome], *, wide: bool) -> Table | None:
    """The verdict on every claim that the run knows of, a row a claim, with what the claim says where it is ``wide``.

    None where there is no verdict to show.
    """
    columns = ("paper", "claim", "verdict", "measured")
    rows = [
        row
        for outcome in outcomes
        if outcome.evidence is not None
        for row in _rows(outcome.paper, outcome.evidence, wide=wide)
    ]
    if not rows:
        return None
    return (
        cli.table((*columns, "what it says"), rows, folded=("what it says",))
        if wide
        else cli.table(columns, rows, folded=("measured",))
    )


def _rows(paper: Paper, evidence: Evidence, *, wide: bool) -> Iterator[tuple[str | Text, ...]]:
    for claim in paper.claims:
        result = evidence.of(claim)
        if result is None and evidence.state != "complete":
            continue
        said = verdict_text(verdict(claim, result), stand_in=is_stand_in(result))
        text = result_text(claim, result)
        if not wide:
            yield paper.command, claim.id, said, text
        elif isinstance(result, Measurement):
            yield paper.command, claim.id, said, text, claim.says
        else:
            yield paper.command, claim.id, said, "–", Text.assemble(claim.says, (f" {text}", "dim"))
