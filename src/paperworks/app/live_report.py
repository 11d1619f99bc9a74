"""The report, kept up to date while a run is under way."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from paperworks.core import MissingExtra, Paper, papers
from paperworks.lab.disk import sole_writer

from . import store as stores
from .evidence import Evidence
from .store import Store
from .watch import Outcome

_EVERY_S = 3.0


class LiveReport:
    """Writes the report into ``folder`` when papers finish, and every few seconds while measurements arrive.

    A report that cannot be written costs one ``warn`` sentence, and no run. ``path`` is its index, None without one.
    """

    def __init__(self, folder: Path, store: Store, *, warn: Callable[[str], None]) -> None:
        self.path: Path | None = None
        self._folder = folder
        self._warn = warn
        self._off = False
        self._due = False
        self._written_at = 0.0
        self._published = {slug: stores.published(slug) for slug in papers()}
        self._store = store
        self._local = self._read()
        self._own: dict[str, dict[str, Evidence]] = {}

    def write(self, *, live: bool) -> None:
        """Write the report as things stand, in the end with what other runs have found meanwhile."""
        if self._off:
            return
        if not live:
            self._local = self._read()
        local = {slug: held | self._own.get(slug, {}) for slug, held in self._local.items()}
        try:
            from .report import write_report

            with sole_writer(self._folder):
                self.path = write_report(self._folder, local=local, published=self._published, live=live)
        except MissingExtra as error:
            self._off = True
            self._warn(f"no report is written: {error}")
        except Exception as error:  # whatever is wrong with the page, the evidence is what a run is for
            self._off = True
            self._warn(f"the report could not be written: {type(error).__name__}: {error}")
        self._due = False
        self._written_at = time.monotonic()

    def started(self, paper: Paper) -> None:
        """See `Watcher`."""

    def progressed(self, paper: Paper, label: str, done: int, total: int | None) -> None:
        """See `Watcher`."""

    def measured(self, paper: Paper, evidence: Evidence, claim: str) -> None:
        """See `Watcher`."""
        self._own.setdefault(paper.slug, {})[evidence.preset] = evidence
        self._due = True

    def benched(self, paper: Paper, row: Mapping[str, Any]) -> None:
        """See `Watcher`."""

    def noted(self, paper: Paper, text: str) -> None:
        """See `Watcher`."""

    def finished(self, outcome: Outcome) -> None:
        """See `Watcher`."""
        if outcome.evidence is not None and outcome.kind != "current":
            self._own.setdefault(outcome.paper.slug, {})[outcome.preset] = outcome.evidence
            self.write(live=True)

    def tick(self) -> None:
        """See `Watcher`."""
        if self._due and time.monotonic() - self._written_at > _EVERY_S:
            self.write(live=True)

    def _read(self) -> dict[str, dict[str, Evidence]]:
        return {slug: self._store.read_all(slug) for slug in papers()}
