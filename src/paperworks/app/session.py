"""One paper's run under way: its child, what that has said so far, and the limits it is held to."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from paperworks.core import Paper

from . import fingerprint
from .engine import Engine
from .job import Job, Settings
from .lock import Lock
from .recording import Before, Malformed, Recording
from .store import Store
from .watch import Outcome, OutcomeKind

Ending = tuple[OutcomeKind, str]
"""How a session comes out, and why."""

_WEIGH_EVERY_S = 0.5
_EXIT_GRACE_S = 5.0


class Refused(Exception):
    """The session cannot be opened; the outcome says why."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome


class Session:
    """A child that runs ``paper``, from its start to the evidence it leaves. `close` must be called.

    ``is_mute`` turns true once the child can say nothing more, though it may still be there.
    Raises `Refused` where the paper is being run at this preset already, or the child cannot be started.
    """

    def __init__(
        self,
        paper: Paper,
        settings: Settings,
        store: Store,
        engine: Engine,
        *,
        commit: str | None,
    ) -> None:
        self.paper = paper
        self._settings = settings
        self._store = store
        self._engine = engine
        self._job = Job(
            slug=paper.slug,
            preset=settings.preset,
            seeds=settings.seeds,
            device=settings.device,
            threads=engine.threads(settings),
            steps=str(store.steps_path(paper.slug, settings.preset)),
            fingerprint=fingerprint.steps_key(paper.slug, settings.preset, settings.device),
        )
        self._weigh_at = 0.0
        self._ended_at: float | None = None
        self._broken: str | None = None
        self._all_read = False
        self.is_mute = False
        self._lock = Lock(store.lock_path(paper.slug, settings.preset))
        try:
            self._take_lock()
            store.sweep(paper.slug, settings.preset)
            if settings.fresh:
                engine.clear_steps(self._job)
            source = fingerprint.source(paper.slug, settings.preset)
            self.recording = Recording(
                paper=paper, preset=settings.preset, source=source, commit=commit, before=self._before()
            )
            self.child = engine.start(self._job, settings, self.log)
        except OSError as error:
            self._lock.release()
            raise Refused(self._outcome("failed", f"it could not be started: {error}")) from error

    @property
    def log(self) -> Path:
        """What the child prints goes there."""
        return self._store.log_path(self.paper.slug, self._settings.preset)

    def receive(self) -> Iterator[Mapping[str, Any]]:
        """The events that have arrived, the evidence written down after each result.

        What the child should not have written, or the disk did not take, ends the session: see `ending`.
        """
        exited = self.child.has_exited()  # asked before reading: nothing more comes once this is true
        data = self.child.read()
        self.is_mute = data is None
        self._all_read = exited and not data
        try:
            for event in self.recording.take(data or b""):
                if event["event"] == "start":
                    self._ended_at = None  # what a child elsewhere said before its machine was lost is void
                elif event["event"] == "result":
                    self._keep()
                elif event["event"] == "end":
                    self._ended_at = time.monotonic()
                yield event
        except Malformed as error:
            self._broken = str(error)

    def ending(self) -> Ending | None:
        """How the session comes out, once it does: by itself, or because it broke a limit."""
        if self._broken:
            return "failed", self._broken
        if self._all_read:
            return self._exited()
        if self._ended_at is not None:
            return ("complete", "") if time.monotonic() - self._ended_at > _EXIT_GRACE_S else None
        limit = self._settings.timeout
        if limit is not None and self.child.seconds > limit:
            return "failed", f"it took longer than its limit of {limit:g} s (--timeout)"
        return self._too_heavy()

    def close(self, ending: Ending) -> Outcome:
        """End the child and all it started, and leave the evidence as it is now."""
        kind, message = ending
        seconds = self.child.seconds
        usage = self.child.end(at_once=kind == "failed")
        try:
            state: Literal["complete", "partial", "failed"] = "partial"
            if kind in {"complete", "failed"}:
                state = "complete" if kind == "complete" else "failed"
            cost = {"wall_s": seconds, "cpu_s": usage.cpu_s, "peak_mb": usage.peak_mb}
            error = f"{message} (log: {self.log})" if state == "failed" else None
            evidence = self.recording.finish(state, error, cost)
            if evidence is not None and (state != "partial" or evidence.results):
                self._store.write(evidence)
            if state == "complete":
                with suppress(OSError):  # what is left of them is in nobody's way
                    self._engine.clear_steps(self._job)
        except OSError as error:
            kind, message = "failed", f"its evidence could not be written: {error}"
        finally:
            self._lock.release()
        return self._outcome(kind, message)

    def _take_lock(self) -> None:
        holder = self._lock.take()
        if holder is not None:
            by = f"process {holder}" if holder else "another process"
            already = f"{self.paper.command} is being run at {self._settings.preset} by {by} already"
            raise Refused(self._outcome("refused", already))

    def _before(self) -> Before | None:
        """The earlier sessions of an unfinished run whose finished steps this one replays."""
        evidence = self._store.read(self.paper.slug, self._settings.preset)  # whatever comes: it sets a bad file aside
        if evidence is None or evidence.state == "complete" or not Path(self._job.steps).is_dir():
            return None
        same = fingerprint.has_key(evidence, seeds=self._settings.seeds, device=self._settings.device)
        return Before(started=evidence.started, cost=evidence.cost) if same else None

    def _keep(self) -> None:
        assert self.recording.evidence is not None  # a result without a start is malformed
        try:
            self._store.write(self.recording.evidence)
        except OSError as error:
            self._broken = f"its evidence could not be written: {error}"

    def _exited(self) -> Ending:
        if (error := self.recording.error) is not None:
            kind, message = error
            if kind == "crash" or (self.recording.evidence and self.recording.evidence.results):
                return "failed", message
            return ("missing" if kind == "missing" else "refused"), message
        if self.recording.ended:
            return "complete", ""
        return "failed", self.child.describe_exit()

    def _too_heavy(self) -> Ending | None:
        now = time.monotonic()
        if now < self._weigh_at:
            return None
        self._weigh_at = now + _WEIGH_EVERY_S
        held = self.child.weigh()
        if held <= self.child.memory_limit:
            return None
        return "failed", (
            f"its processes held {held / 1e9:.2f} GB of memory, more than the limit of "
            f"{self.child.memory_limit / 1e9:.2f} GB (--memory)"
        )

    def _outcome(self, kind: OutcomeKind, message: str) -> Outcome:
        recording = getattr(self, "recording", None)
        return Outcome(
            paper=self.paper,
            preset=self._settings.preset,
            kind=kind,
            message=message,
            evidence=recording.evidence if recording else None,
            log=self.log,
        )
