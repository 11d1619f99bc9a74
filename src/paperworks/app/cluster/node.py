"""What a machine of the cluster does for the driver: it runs a paper's child and reports what that says."""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from paperworks.app.engine import start_here
from paperworks.app.process import Child, Usage
from paperworks.app.store import Store
from paperworks.lab import places

from .order import Order, Report
from .seeds import Elsewhere

_TICK_S = 0.1
_BEAT_S = 0.5
_MAX_HALF_LINE = 8_000_000
_MAX_PRINTED = 256_000


def run_paper(order: Order) -> Iterator[Report]:
    """Run the child of ``order`` here; its reports, the last with its exit status."""
    steps = _steps_path(order.job.slug, order.job.preset)
    offers = steps / ".offers"
    shutil.rmtree(offers, ignore_errors=True)  # of a child that was killed
    job = replace(order.job, steps=str(steps), offers=str(offers))
    elsewhere = Elsewhere(order, steps, offers)
    with TemporaryDirectory(prefix="paperworks-") as folder:
        log = Path(folder) / "log"
        child = start_here("paperworks.app.cluster.paper_child", job, log=log, memory_limit=order.memory_limit)
        try:
            yield from _reports(child, _Printed(log), elsewhere)
        finally:
            elsewhere.close()
            child.end()


def clear_steps(slug: str, preset: str) -> None:
    """Remove the finished steps that this machine has of that paper at that preset. Raises OSError."""
    with suppress(FileNotFoundError):
        shutil.rmtree(_steps_path(slug, preset))


def _steps_path(slug: str, preset: str) -> Path:
    return Store(places.home()).steps_path(slug, preset)


def _reports(child: Child, printed: _Printed, elsewhere: Elsewhere) -> Iterator[Report]:
    said = Report(machine=platform.node(), memory_limit=child.memory_limit)
    yield said
    half, reported_at = b"", time.monotonic()
    for data in child.followed(_TICK_S):
        elsewhere.turn()
        whole, half = _whole_lines(half + data)
        if whole or time.monotonic() - reported_at > _BEAT_S:
            held, reported_at = child.weigh(), time.monotonic()
            usage = _with(child.usage, elsewhere)
            yield replace(said, events=whole, printed=printed.more(), held=held, usage=usage)
    elsewhere.close()
    usage = _with(child.end(), elsewhere)
    yield replace(said, events=half, printed=printed.more(), usage=usage, exit_status=child.exit_status)


def _with(usage: Usage, elsewhere: Elsewhere) -> Usage:
    return Usage(cpu_s=usage.cpu_s + elsewhere.cpu_s, peak_mb=usage.peak_mb)


def _whole_lines(data: bytes) -> tuple[bytes, bytes]:
    """The whole lines of ``data``, and what is left; all of it where the last line is too long to be one of ours."""
    end = len(data) if len(data) > _MAX_HALF_LINE else data.rfind(b"\n") + 1
    return data[:end], data[end:]


class _Printed:
    """What a child has printed; of much at a time the end."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read = 0

    def more(self) -> bytes:
        """What has come since it was last asked."""
        with self._log.open("rb") as file:
            size = file.seek(0, 2)
            skipped = max(0, size - self._read - _MAX_PRINTED)
            file.seek(self._read + skipped)
            text = file.read(_MAX_PRINTED)
        self._read += skipped + len(text)
        return (f"\n[{skipped} bytes left out]\n".encode() if skipped else b"") + text
