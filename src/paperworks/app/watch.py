"""Who follows a run while it is under way: the console and the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from paperworks.core import Paper

from .evidence import Evidence

OutcomeKind = Literal["complete", "current", "failed", "missing", "refused", "interrupted", "waiting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one paper came out of a run.

    ``complete``: every claim has its result. ``current``: it was up to date and not run. ``failed``: ``message`` says
    why, ``log`` where to look. ``missing``: a package is not installed. ``refused``: what was asked cannot be done.
    ``interrupted``: stopped half-way, to be resumed. ``waiting``: stopped before it began.
    """

    paper: Paper
    preset: str
    kind: OutcomeKind
    message: str = ""
    evidence: Evidence | None = None
    log: Path | None = None


class Watcher(Protocol):
    """What a run tells, from its one thread, as it goes."""

    def started(self, paper: Paper) -> None:
        """The paper's child has been started."""

    def progressed(self, paper: Paper, label: str, done: int, total: int | None) -> None:
        """The experiment has come so far with what ``label`` names."""

    def measured(self, paper: Paper, evidence: Evidence, claim: str) -> None:
        """A claim has its result."""

    def benched(self, paper: Paper, row: Mapping[str, Any]) -> None:
        """A bench has measured one case."""

    def noted(self, paper: Paper, text: str) -> None:
        """Something happened to the run that a person may want to know."""

    def finished(self, outcome: Outcome) -> None:
        """The paper is done with, one way or another."""

    def tick(self) -> None:
        """A moment has passed."""


class Watchers:
    """Several watchers as one, told in turn."""

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._watchers = watchers

    def started(self, paper: Paper) -> None:
        """See `Watcher`."""
        for watcher in self._watchers:
            watcher.started(paper)

    def progressed(self, paper: Paper, label: str, done: int, total: int | None) -> None:
        """See `Watcher`."""
        for watcher in self._watchers:
            watcher.progressed(paper, label, done, total)

    def measured(self, paper: Paper, evidence: Evidence, claim: str) -> None:
        """See `Watcher`."""
        for watcher in self._watchers:
            watcher.measured(paper, evidence, claim)

    def benched(self, paper: Paper, row: Mapping[str, Any]) -> None:
        """See `Watcher`."""
        for watcher in self._watchers:
            watcher.benched(paper, row)

    def noted(self, paper: Paper, text: str) -> None:
        """See `Watcher`."""
        for watcher in self._watchers:
            watcher.noted(paper, text)

    def finished(self, outcome: Outcome) -> None:
        """See `Watcher`."""
        for watcher in self._watchers:
            watcher.finished(outcome)

    def tick(self) -> None:
        """See `Watcher`."""
        for watcher in self._watchers:
            watcher.tick()
