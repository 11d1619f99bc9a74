"""How far a loop has come: a few calls a second with a count, or a bar on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")
Say = Callable[[int, int | None], None]
"""Called with the number of items whose turn is over, and how many there are (None: not known)."""

EVERY_S = 0.2


def reported(
    iterable: Iterable[T], total: int | None, say: Say, clock: Callable[[], float] = time.monotonic
) -> Iterator[T]:
    """The items of ``iterable``; ``say`` hears of the start, the end, and in between at most every `EVERY_S` seconds.

    Without ``total`` it is the iterable's length, and where that is not known either, the last call gives the count
    as the total. A loop that is left early reports the count it reached.
    """
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    done, when, ended = 0, clock(), False
    said = (done, total)
    say(*said)
    try:
        for item in iterable:
            yield item
            done += 1
            if clock() - when >= EVERY_S:
                said, when = (done, total), clock()
                say(*said)
        ended = True
    finally:
        last = (done, done if total is None and ended else total)
        if last != said:
            say(*last)


def on_terminal(iterable: Iterable[T], label: str, total: int | None) -> Iterator[T]:
    """The items of ``iterable`` with a bar on standard error; without one where that is no terminal."""
    if not sys.stderr.isatty():
        yield from iterable
        return
    with _bars.task(label) as say:
        yield from reported(iterable, total, say)


class _Bars:
    """One live display for all loops that run at a time, since a terminal has room for one."""

    def __init__(self) -> None:
        self._display: Progress | None = None
        self._open = 0

    @contextmanager
    def task(self, label: str) -> Iterator[Say]:
        display = self._start()
        task = display.add_task(label, total=None)
        try:
            yield lambda done, total: display.update(task, completed=done, total=total)
        finally:
            display.remove_task(task)
            self._stop()

    def _start(self) -> Progress:
        if self._display is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._display = Progress(*columns, console=Console(stderr=True), transient=True)
            self._display.start()
        self._open += 1
        return self._display

    def _stop(self) -> None:
        self._open -= 1
        if self._open == 0 and self._display is not None:
            self._display.stop()
            self._display = None


_bars = _Bars()
