"""A paper's child on some machine of the cluster, as its session sees it; begun again where that machine is lost.

Ray would retry a streaming task by itself, but it matches the items of a retry with those of the first attempt by
their number, and drops as many as were taken before. A child's events come as they come, so that would lose some.
Each attempt is therefore a task of its own here, and the evidence drops what is measured twice.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from paperworks.app.process import Usage, describe_exit

from .order import NOTHING_USED, Report
from .stream import Ended, Failed, Lost, Stream

RETRIES = 3

_PATIENCE_S = 10.0
_GRACE_S = 5.0


class RemoteChild:
    """See `engine.Running`. ``submit`` starts an attempt; ``needs`` says in words what machine it waits for."""

    def __init__(self, submit: Callable[[], Stream], *, needs: str, log: Path) -> None:
        self.memory_limit = float("inf")  # until a machine says how much it has
        self._submit = submit
        self._needs = needs
        self._stream: Stream | None = None
        self._is_over = False
        self._lock = threading.Lock()
        self._held = 0
        self._usage = self._usage_before = NOTHING_USED
        self._seconds_before = 0.0
        self._running_since: float | None = None
        self._machine = ""
        self._how_it_ended = "it was stopped"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
        self.events, events_end = os.pipe()
        os.set_blocking(self.events, False)
        self._thread = threading.Thread(target=self._follow, args=(events_end, log), daemon=True)
        self._thread.start()

    @property
    def seconds(self) -> float:
        """See `Running`: over all attempts."""
        since = self._running_since
        return self._seconds_before + (0.0 if since is None else time.monotonic() - since)

    def read(self) -> bytes | None:
        """See `Running`."""
        try:
            return os.read(self.events, 1 << 20) or None
        except BlockingIOError:
            return b""

    def has_exited(self) -> bool:
        """See `Running`."""
        return not self._thread.is_alive()

    def describe_exit(self) -> str:
        """See `Running`."""
        return self._how_it_ended

    def weigh(self) -> int:
        """See `Running`."""
        return self._held

    def end(self, *, at_once: bool = False) -> Usage:
        """See `Running`. The machine is asked to end the child; one that does not answer has its task killed."""
        with self._lock:
            self._is_over = True
        if self.events >= 0:
            os.close(self.events)
            self.events = -1
        for force in (False, True):
            if self._thread.is_alive():
                if self._stream is not None:
                    self._stream.cancel(force=force)
                self._thread.join(_GRACE_S)
        return _sum(self._usage_before, self._usage)

    def _follow(self, events_end: int, log: Path) -> None:
        """Take what the attempts say, until one has come to its end."""
        with os.fdopen(events_end, "wb", buffering=0) as events, log.open("ab", buffering=0) as printed:
            for attempt in range(1, RETRIES + 2):
                try:
                    self._attempt(events, printed)
                except Ended:
                    return
                except Failed as error:
                    self._how_it_ended = f"its machine could not run it: {error}"
                    return
                except Lost as error:
                    self._count_lost()
                    lost = f"its machine {self._machine} was lost ({error})"
                    self._how_it_ended = f"{lost}, the last of {RETRIES + 1}"
                    if attempt <= RETRIES:
                        _write(events, _note(f"{lost}; begins again, attempt {attempt + 1} of {RETRIES + 1}"))

    def _attempt(self, events: BinaryIO, printed: BinaryIO) -> None:
        with self._lock:
            if self._is_over:
                raise Ended
            self._stream = self._submit()
        if not self._stream.is_ready(_PATIENCE_S):
            _write(events, _note(f"waiting for {self._needs}"))
        while True:
            report: Report = self._stream.take()
            if self._running_since is None:
                self._running_since = time.monotonic()
                self._machine, self.memory_limit = report.machine, report.memory_limit
                _write(events, _note(f"runs on {self._machine}"))
            self._held, self._usage = report.held, report.usage
            with suppress(OSError):  # a full disk costs the log
                printed.write(report.printed)
            _write(events, report.events)
            if report.exit_status is not None:
                self._how_it_ended = describe_exit(report.exit_status)

    def _count_lost(self) -> None:
        self._seconds_before, self._running_since = self.seconds, None
        self._usage_before, self._usage = _sum(self._usage_before, self._usage), NOTHING_USED
        self._held = 0


def _write(events: BinaryIO, data: bytes) -> None:
    left = memoryview(data)
    with suppress(BrokenPipeError):  # the session is over; what the machine still says is not needed
        while left:
            left = left[events.write(left) :]


def _note(text: str) -> bytes:
    return json.dumps({"event": "note", "text": text}).encode() + b"\n"


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(cpu_s=one.cpu_s + other.cpu_s, peak_mb=max(one.peak_mb, other.peak_mb))
