"""The parent's side of one run: start the child, read what it says within bounds, end it in time, leave nothing."""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .inside.job import Job
from .limits import Limits
from .result import Status

_START = "import sys; sys.path.insert(0, sys.argv[6]); from inside import launch; del sys.path[0]; launch.main()"
_HERE = str(Path(__file__).parent)
_STARTUP_S = 30.0
_GRACE_S = 5.0
_REPORT_BYTES = 1 << 16
_SEALS = ("F_SEAL_SEAL", "F_SEAL_SHRINK", "F_SEAL_GROW", "F_SEAL_WRITE")


class Refusal(RuntimeError):
    """The child could not put up a layer, and ran nothing."""

    def __init__(self, layer: str, why: str) -> None:
        super().__init__(f"{layer}: {why}")
        self.layer, self.why = layer, why


@dataclass(slots=True, kw_only=True)
class Traces:
    """What is known of a run once it is over: the streams, the records of the code, and how the processes ended."""

    stdout: bytes
    stderr: bytes
    results: bytes
    ended_by: Status | None
    status: int | None
    cpu_s: float
    peak_mb: float
    wall_s: float


@dataclass(slots=True)
class _Streams:
    """What has come so far from each pipe, and whether one has brought more than it may."""

    limit: int
    got: dict[str, bytearray] = field(default_factory=dict)
    overflowed: bool = False

    def add(self, name: str, data: bytes) -> None:
        room = (_REPORT_BYTES if name == "report" else self.limit) - len(self.got[name])
        self.got[name] += data[:room]
        self.overflowed |= len(data) > room


def supervise(job: Job, stdin: bytes, limits: Limits, hash_seed: int) -> Traces:
    """Run ``job`` in a child and wait until all of its processes are gone.

    Raises `Refusal` where a layer that the job asks for cannot be put up.
    """
    with ExitStack() as stack:
        streams, lifeline, child = _start(stack, job, stdin, limits, hash_seed)
        watched = _Watched(streams, lifeline, limits)
        try:
            watched.follow()
        finally:
            watched.cut()
            _end(child)
    return watched.traces()


def _start(
    stack: ExitStack, job: Job, stdin: bytes, limits: Limits, hash_seed: int
) -> tuple[dict[str, int], int, subprocess.Popen[bytes]]:
    """Start the child; the ends that are ours: where to read each stream, and the lifeline."""
    ours, theirs = {}, {}
    for name in ("stdout", "stderr", "results", "report"):
        ours[name], theirs[name] = os.pipe2(os.O_CLOEXEC)
    theirs["lifeline"], lifeline = os.pipe2(os.O_CLOEXEC)
    for reading in ours.values():
        stack.callback(os.close, reading)
    theirs |= {"job": _sealed(job.to_bytes()), "stdin": _sealed(stdin)}
    given = [theirs[name] for name in ("job", "results", "report", "lifeline")]
    try:
        child = subprocess.Popen(
            [sys._base_executable, "-s", "-S", "-P", "-u", "-c", _START, *map(str, [*given, os.getpid()]), _HERE],  # type: ignore[attr-defined]
            stdin=theirs["stdin"],
            stdout=theirs["stdout"],
            stderr=theirs["stderr"],
            pass_fds=given,
            start_new_session=True,
            cwd="/",
            env=_environment(job, hash_seed),
        )
    except BaseException:
        os.close(lifeline)
        raise
    finally:
        for descriptor in theirs.values():
            os.close(descriptor)
    return ours, lifeline, child


def _environment(job: Job, hash_seed: int) -> dict[str, str]:
    """Everything the child inherits; nothing of ours."""
    return {
        "HOME": job.scratch,
        "LANG": "C.UTF-8",
        "PATH": "",
        "PYTHONHASHSEED": str(hash_seed),
        "PYTHONUTF8": "1",
        "TMPDIR": job.scratch,
        "TZ": "UTC",
    }


def _sealed(content: bytes) -> int:
    """A descriptor of a file in memory that holds ``content``, at its start, and can never be changed again."""
    handle = os.memfd_create("sandbox", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(handle, "wb", closefd=False) as file:
        file.write(content)
    fcntl.fcntl(handle, fcntl.F_ADD_SEALS, sum(getattr(fcntl, name) for name in _SEALS))
    os.lseek(handle, 0, os.SEEK_SET)
    return handle


class _Watched:
    """A running child: its streams, its clock, and the lifeline whose closing ends it."""

    def __init__(self, readers: dict[str, int], lifeline: int, limits: Limits) -> None:
        self._readers, self._lifeline, self._limits = readers, lifeline, limits
        self._streams = _Streams(limits.output, {name: bytearray() for name in readers})
        self._began = time.monotonic()
        self._over = self._began
        self._started: float | None = None
        self._ended_by: Status | None = None
        self._cut_at: float | None = None

    def follow(self) -> None:
        """Read until every process has closed every stream, or until a limit is reached and the grace is over."""
        with selectors.DefaultSelector() as selector:
            for name, reader in self._readers.items():
                selector.register(reader, selectors.EVENT_READ, name)
            while selector.get_map() and (left := self._seconds_left()) > 0:
                for key, _ in selector.select(left):
                    self._read(selector, key)
                self._enforce()
        self._over = time.monotonic()

    def cut(self) -> None:
        """Have the watcher end the run. Harmless where it is over."""
        if self._cut_at is None:
            self._cut_at = time.monotonic()
            os.close(self._lifeline)

    def traces(self) -> Traces:
        """What was seen. Raises `Refusal` where the code was never started."""
        events = [json.loads(line) for line in self._streams.got["report"].splitlines()]
        if self._started is None:
            for event in events:
                if "refused" in event:
                    raise Refusal(event["refused"], event["why"])
            said = self._streams.got["stderr"].decode(errors="replace").strip().rpartition("\n")[2]
            raise Refusal("a process of its own", said or f"the child did not start within {_STARTUP_S:.0f} seconds")
        ended: dict[str, Any] = next((event for event in events if "ended" in event), {})
        got = self._streams.got
        return Traces(
            stdout=bytes(got["stdout"]),
            stderr=bytes(got["stderr"]),
            results=bytes(got["results"]),
            ended_by=self._ended_by,
            status=ended.get("ended"),
            cpu_s=ended.get("cpu_s", 0.0),
            peak_mb=ended.get("peak_kib", 0) * 1024 / 1e6,
            wall_s=self._over - self._started,
        )

    def _seconds_left(self) -> float:
        now = time.monotonic()
        if self._cut_at is not None:
            return self._cut_at + _GRACE_S - now
        deadline = self._began + _STARTUP_S if self._started is None else self._started + self._limits.wall_s
        return max(deadline - now, 1e-3)

    def _read(self, selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
        data = os.read(key.fd, 1 << 16)
        if not data:
            selector.unregister(key.fd)
            return
        self._streams.add(key.data, data)
        if key.data == "report" and self._started is None and b'"started"' in self._streams.got["report"]:
            self._started = time.monotonic()

    def _enforce(self) -> None:
        if self._cut_at is not None:
            return
        if self._streams.overflowed:
            self._ended_by = Status.OUTPUT
            self.cut()
        elif self._seconds_left() <= 1e-3:
            self._ended_by = Status.TIMEOUT
            self.cut()


def _end(child: subprocess.Popen[bytes]) -> None:
    """Wait for the watcher, which ends once the run is over; by force where it does not, which ends the run too."""
    try:
        child.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
