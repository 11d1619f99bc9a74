"""A child as its parent sees it: started in a session of its own, read from, weighed, and ended as a whole."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from . import family

_CHUNK = 1 << 20
_GRACE_S = 2.0
_PAUSE_S = 0.01


@dataclass(frozen=True, slots=True)
class Usage:
    """What a child and its descendants used: CPU seconds, and the most memory they held at once in megabytes."""

    cpu_s: float
    peak_mb: float


class Child:
    """A running child: ``python -m MODULE ARGUMENTS``. Everything it and its descendants are is gone after `end`.

    ``memory_limit`` is the most, in bytes, that they may hold together; whoever holds the child sees to it.
    """

    def __init__(self, module: str, *arguments: str, variables: dict[str, str], log: Path, memory_limit: float) -> None:
        self.memory_limit = memory_limit
        self._started = time.monotonic()
        self.exit_status: int | None = None
        self._cpu_s = 0.0
        self._peak_bytes = 0
        self._known: set[psutil.Process] = set()
        self._mark = family.new_mark()
        log.parent.mkdir(parents=True, exist_ok=True)
        self.events, events_end = os.pipe()
        lifeline_end, self._lifeline = os.pipe()
        variables = variables | {
            "PAPERWORKS_EVENTS": str(events_end),
            "PAPERWORKS_LIFELINE": str(lifeline_end),
            family.MARK: self._mark,
        }
        try:
            with log.open("wb") as output:
                self._process = subprocess.Popen(
                    [sys.executable, "-u", "-P", "-X", "faulthandler", "-m", module, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=variables,
                    pass_fds=(events_end, lifeline_end),
                    start_new_session=True,
                )
        except BaseException:
            os.close(self.events)
            os.close(self._lifeline)
            raise
        finally:
            os.close(events_end)
            os.close(lifeline_end)
        os.set_blocking(self.events, False)

    @property
    def pid(self) -> int:
        """The child's process id, which is also the id of its group and session."""
        return self._process.pid

    @property
    def seconds(self) -> float:
        """How long ago it was started."""
        return time.monotonic() - self._started

    def read(self) -> bytes | None:
        """What has arrived on the events descriptor: b"" where nothing has yet, None where nothing will any more."""
        try:
            return os.read(self.events, _CHUNK) or None
        except BlockingIOError:
            return b""

    def has_exited(self) -> bool:
        """True once the child itself, though perhaps not its descendants, has come to its end."""
        if self.exit_status is not None:
            return True
        pid, status, used = os.wait4(self.pid, os.WNOHANG)
        if not pid:
            return False
        self.exit_status = self._process.returncode = os.waitstatus_to_exitcode(status)
        self._cpu_s = max(self._cpu_s, used.ru_utime + used.ru_stime)
        unit = 1 if sys.platform == "darwin" else 1024
        self._peak_bytes = max(self._peak_bytes, used.ru_maxrss * unit)
        return True

    def followed(self, tick_s: float) -> Iterator[bytes]:
        """What arrives on the events descriptor, b"" each ``tick_s`` that nothing does, until the child has exited."""
        while True:
            exited = self.has_exited()  # asked before reading: nothing more comes once this is true
            data = self.read()
            if exited and not data:
                return
            if not data:
                select.select([] if data is None else [self.events], [], [], tick_s)
            yield data or b""

    @property
    def usage(self) -> Usage:
        """What the child and its descendants have used, as far as is known now."""
        return Usage(cpu_s=self._cpu_s, peak_mb=self._peak_bytes / 1e6)

    def describe_exit(self) -> str:
        """How the child ended that did not say so itself, in words."""
        return describe_exit(self.exit_status or 0)

    def weigh(self) -> int:
        """The bytes of memory that the child and its descendants hold now."""
        try:
            root = psutil.Process(self.pid)
            family = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return 0
        self._known.update(family)
        total, cpu_s = 0, 0.0
        for process in family:
            with suppress(psutil.Error):
                total += process.memory_info().rss
                used = process.cpu_times()
                cpu_s += used.user + used.system
        self._cpu_s = max(self._cpu_s, cpu_s)
        self._peak_bytes = max(self._peak_bytes, total)
        return total

    def end(self, *, at_once: bool = False) -> Usage:
        """End the child and all that it started, wherever that is by now; harmless where they have ended already."""
        self.weigh()
        if not at_once and not self.has_exited():
            self._signal_group(signal.SIGTERM)
            deadline = time.monotonic() + _GRACE_S
            while not self.has_exited() and time.monotonic() < deadline:
                time.sleep(_PAUSE_S)
        self._signal_group(signal.SIGKILL)
        for process in self._known:
            with suppress(psutil.Error):
                process.kill()
        family.end(self._mark)
        while not self.has_exited():
            time.sleep(_PAUSE_S)
        self._close()
        return self.usage

    def _signal_group(self, number: signal.Signals) -> None:
        # The guard that the child left in its group keeps the group's id from being given to another.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _close(self) -> None:
        for descriptor in (self.events, self._lifeline):
            with suppress(OSError):
                os.close(descriptor)
        self.events = self._lifeline = -1


def describe_exit(status: int) -> str:
    """How a child ended that did not say so itself, in words."""
    if status >= 0:
        return f"it exited with code {status} before it was done"
    try:
        return f"it was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"it was killed by signal {-status}"
