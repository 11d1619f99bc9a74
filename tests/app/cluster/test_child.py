"""A child elsewhere as its session sees it: what it says, and what becomes of it when machines are lost."""

from __future__ import annotations

import json
import select
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from paperworks.app.cluster import child as remote
from paperworks.app.cluster.child import RemoteChild
from paperworks.app.cluster.order import Report
from paperworks.app.cluster.stream import Ended, Failed, Lost
from paperworks.app.process import Usage


class Scripted:
    """A stream that gives items, and raises those that are exceptions.

    Then it has ended: by itself, or, where it ``lasts``, when it is cancelled.
    """

    def __init__(self, *items: Report | Exception, starts: bool = True, lasts: bool = False) -> None:
        self._items = list(items)
        self._starts = starts
        self._over = threading.Event()
        if not lasts:
            self._over.set()
        self.cancelled: list[bool] = []

    def is_ready(self, timeout_s: float) -> bool:
        return self._starts

    def take(self) -> Report:
        if not self._items:
            self._over.wait()
            raise Ended
        item = self._items.pop(0)
        if isinstance(item, Exception):
            raise item
        return item

    def cancel(self, *, force: bool = False) -> None:
        self.cancelled.append(force)
        self._over.set()


def report(events: bytes = b"", *, cpu_s: float = 1.0, peak_mb: float = 5.0, status: int | None = None) -> Report:
    usage = Usage(cpu_s=cpu_s, peak_mb=peak_mb)
    return Report(
        machine="far", memory_limit=7.0, events=events, printed=b"said\n", held=3, usage=usage, exit_status=status
    )


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RemoteChild]]:
    children: list[RemoteChild] = []

    def build(*attempts: Any) -> RemoteChild:
        submit = partial(next, iter(attempts))
        children.append(RemoteChild(submit, needs="a machine with 2 free CPUs", log=tmp_path / "logs" / "log"))
        return children[-1]

    yield build
    for child in children:
        child.end()


def everything(child: RemoteChild) -> list[dict[str, Any]]:
    said = b""
    while (data := child.read()) is not None:
        said += data
        select.select([child.events], [], [], 10)
    while not child.has_exited():  # it has closed the pipe, and has nothing else to do
        pass
    return [json.loads(line) for line in said.splitlines()]


def test_events_output_and_the_exit_arrive(start: Any, tmp_path: Path) -> None:
    child = start(Scripted(report(b'{"event": "one"}\n'), report(b'{"event": "two"}\n', cpu_s=2.0, status=-9)))
    events = everything(child)
    assert [event["event"] for event in events] == ["note", "one", "two"]
    assert events[0]["text"] == "runs on far"
    assert child.describe_exit() == "it was killed by SIGKILL"
    assert (child.memory_limit, child.weigh()) == (7.0, 3)
    assert (tmp_path / "logs" / "log").read_bytes() == b"said\nsaid\n"
    assert child.end() == Usage(cpu_s=2.0, peak_mb=5.0)


def test_what_a_machine_said_before_it_was_lost_stays_and_the_next_is_heard_from_its_beginning(start: Any) -> None:
    lost = Scripted(report(b'{"event": "one"}\n', peak_mb=9.0), Lost("NodeDiedError"))
    child = start(lost, Scripted(report(b'{"event": "one"}\n{"event": "two"}\n', status=0)))
    events = everything(child)
    assert [event["event"] for event in events] == ["note", "one", "note", "note", "one", "two"]
    assert events[2]["text"] == "its machine far was lost (NodeDiedError); begins again, attempt 2 of 4"
    assert child.end() == Usage(cpu_s=2.0, peak_mb=9.0)


def test_after_three_retries_it_is_given_up(start: Any) -> None:
    child = start(*[Scripted(report(), Lost("NodeDiedError")) for _ in range(remote.RETRIES + 1)])
    events = everything(child)
    assert sum("begins again" in event["text"] for event in events) == remote.RETRIES
    assert child.describe_exit() == "its machine far was lost (NodeDiedError), the last of 4"


def test_what_fails_on_a_machine_is_not_tried_on_another(start: Any) -> None:
    child = start(Scripted(report(), Failed("OSError: no space left")))
    everything(child)
    assert child.describe_exit() == "its machine could not run it: OSError: no space left"


def test_a_child_that_waits_for_a_machine_says_so_and_its_clock_stands(start: Any) -> None:
    child = start(Scripted(starts=False))
    assert everything(child) == [{"event": "note", "text": "waiting for a machine with 2 free CPUs"}]
    assert child.seconds == 0.0


def test_more_than_a_pipe_holds_arrives_whole(start: Any) -> None:
    line = json.dumps({"event": "figure", "svg": "x" * 300_000}).encode() + b"\n"
    child = start(Scripted(report(line), report(line, status=0)))
    assert [len(event["svg"]) for event in everything(child) if event["event"] == "figure"] == [300_000, 300_000]


def test_ending_one_that_nobody_reads_from_any_more_cancels_its_task(start: Any) -> None:
    stream = Scripted(report(b"x" * 300_000 + b"\n"), lasts=True)
    child = start(stream)
    select.select([child.events], [], [], 10)  # the pipe is full, and what fills it waits
    child.end()
    assert child.has_exited()
    assert stream.cancelled == [False]
