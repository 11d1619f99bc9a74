"""Runs papers, each in a child process: one loop that starts them, passes on what they find, and ends them.

A run that is cut off leaves its evidence as partial and its finished steps on the disk; the next run replays those.
"""

from __future__ import annotations

import selectors
import signal
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from paperworks.core import Paper

from . import environment, fingerprint
from .engine import Engine
from .evidence import Evidence
from .job import BENCH, Settings
from .session import Ending, Refused, Session
from .store import Store
from .watch import Outcome, OutcomeKind, Watcher

_TICK_S = 0.2


class Runner:
    """Runs papers on ``engine`` as ``settings`` say, keeps their evidence in ``store``, and tells ``watcher``."""

    def __init__(self, settings: Settings, store: Store, watcher: Watcher, engine: Engine) -> None:
        self._settings = settings
        self._store = store
        self._watcher = watcher
        self._active: list[Session] = []
        self._outcomes: dict[str, Outcome] = {}
        self._selector = selectors.DefaultSelector()
        self._engine = engine
        self._commit = environment.commit()
        self.stopped = False

    def run(self, papers: Sequence[Paper]) -> list[Outcome]:
        """Run every paper that is not up to date; how each came out, in the order given.

        SIGINT and SIGTERM end the children and leave `stopped` true. So does an exception of the watcher's, such as
        a broken pipe, which is raised again.
        """
        waiting = deque(paper for paper in papers if not self._is_current(paper))
        with _on_signals(self._stop):
            try:
                while (waiting or self._active) and not self.stopped:
                    while waiting and len(self._active) < self._settings.jobs:
                        self._start(waiting.popleft())
                    self._turn()
            finally:
                stopped = [session.close(("interrupted", "it was stopped")) for session in self._active]
                self._selector.close()
        for outcome in stopped:
            self._finish(outcome)
        for paper in waiting:
            self._finish(self._outcome(paper, "waiting", "it had not begun"))
        return [self._outcomes[paper.slug] for paper in papers]

    def _is_current(self, paper: Paper) -> bool:
        if self._settings.fresh or self._settings.preset == BENCH:
            return False
        evidence = self._store.read(paper.slug, self._settings.preset)
        if evidence is None:
            return False
        if not fingerprint.is_up_to_date(evidence, seeds=self._settings.seeds, device=self._settings.device):
            return False
        self._store.forget_steps(paper.slug, self._settings.preset)
        self._finish(self._outcome(paper, "current", "it is up to date", evidence))
        return True

    def _start(self, paper: Paper) -> None:
        try:
            session = Session(paper, self._settings, self._store, self._engine, commit=self._commit)
        except Refused as refused:
            self._finish(refused.outcome)
            return
        self._active.append(session)
        self._selector.register(session.child.events, selectors.EVENT_READ, session)
        self._watcher.started(paper)

    def _turn(self) -> None:
        """Take what has arrived, and close the sessions that have come to an end."""
        for key, _ in self._selector.select(_TICK_S):
            if key.data.is_mute:
                self._selector.unregister(key.fd)
        for session in list(self._active):
            for event in session.receive():
                self._pass_on(session, event)
            if (ending := session.ending()) is not None:
                self._close(session, ending)
        self._watcher.tick()

    def _pass_on(self, session: Session, event: Mapping[str, Any]) -> None:
        evidence = session.recording.evidence
        match event["event"]:
            case "result" if evidence is not None:
                self._watcher.measured(session.paper, evidence, event["result"]["claim"])
            case "bench":
                self._watcher.benched(session.paper, event["row"])
            case "note":
                self._watcher.noted(session.paper, event["text"])
            case "progress":
                self._watcher.progressed(session.paper, event["label"], event["done"], event["total"])

    def _close(self, session: Session, ending: Ending) -> None:
        with suppress(KeyError):
            self._selector.unregister(session.child.events)
        self._active.remove(session)
        self._finish(session.close(ending))

    def _finish(self, outcome: Outcome) -> None:
        self._outcomes[outcome.paper.slug] = outcome
        self._watcher.finished(outcome)

    def _outcome(self, paper: Paper, kind: OutcomeKind, message: str, evidence: Evidence | None = None) -> Outcome:
        log = self._store.log_path(paper.slug, self._settings.preset)
        return Outcome(
            paper=paper, preset=self._settings.preset, kind=kind, message=message, evidence=evidence, log=log
        )

    def _stop(self) -> None:
        self.stopped = True


@contextmanager
def _on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` at the first SIGINT or SIGTERM; a second one ends this process the usual way."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}

    def once(_number: int, _frame: FrameType | None) -> None:
        for number, handler in before.items():
            signal.signal(number, handler)
        stop()

    for number in numbers:
        signal.signal(number, once)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
