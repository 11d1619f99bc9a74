"""Delivery under load beside a relay that keeps nothing, and keeping messages together beside one at a time."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from paperworks.lab import Lab, stats
from paperworks.lab.timing import BenchRow

from .load import LoadResult, Seat, furnish, talk
from .rooms.bus import NoOthers
from .rooms.hub import Hub
from .rooms.writer import Writer
from .server_process import ServerProcess
from .settings import Settings
from .store import messages
from .store.database import Database
from .store.messages import Draft
from .store.schema import Role, Room, new_id

__all__ = ["bench"]

RELAY, ONE_BY_ONE = "a relay that keeps nothing", "a transaction a message"
_ROOMS = (50, 200)
_SECONDS, _ROUNDS = 8.0, 3
_TARGET_S = 0.150
"""What the 95th percentile of delivery may be with 200 rooms."""
_TOGETHER = 200


def bench(lab: Lab) -> Iterator[BenchRow]:
    """Rows: the 95th percentile of delivery in seconds at each number of rooms, and keeping a burst of messages."""
    with tempfile.TemporaryDirectory() as folder, _relay() as relay:
        server = ServerProcess(f"sqlite:///{folder}/rooms.db", Path(folder) / "log").start()
        try:
            for n_rooms in _ROOMS:
                yield asyncio.run(_delivery(server, relay, n_rooms))
        finally:
            server.stop()
        yield from _keeping(lab, f"sqlite:///{folder}/burst.db")


async def _delivery(server: ServerProcess, relay: str, n_rooms: int) -> BenchRow:
    """Ours and the relay in turn, ``_ROUNDS`` times; the ratio is the geometric mean over the rounds."""
    seats = await _seats(server.database, n_rooms * _ROUNDS)
    ours: list[float] = []
    theirs: list[float] = []
    for at in range(_ROUNDS):
        some = seats[at * n_rooms : (at + 1) * n_rooms]
        ours.append(_p95(await talk([server.address], some, seconds=_SECONDS, seed=at)))
        theirs.append(_p95(await talk([relay], some, seconds=_SECONDS, seed=at)))
    ratio = stats.geometric_mean([one / other for one, other in zip(ours, theirs, strict=True)])
    peer_s = sorted(theirs)[len(theirs) // 2]
    return BenchRow(
        case=f"{n_rooms} rooms, a message a second in each: p95 of delivery",
        ours_s=sorted(ours)[len(ours) // 2],
        peer=RELAY,
        peer_s=peer_s,
        ratio=ratio.value,
        low=ratio.low,
        high=ratio.high,
        limit_s=peer_s,
        target=_TARGET_S / peer_s if n_rooms == max(_ROOMS) else None,
    )


def _keeping(lab: Lab, url: str) -> Iterator[BenchRow]:
    """200 messages that arrive at the same moment, all kept and acknowledged; SQLite, on the disk."""
    with asyncio.Runner() as runner:
        database = Database(Settings(database=url).database)
        writer = Writer(database, Hub(database, NoOthers()), NoOthers())
        runner.run(database.migrate())
        seat = runner.run(furnish(database, 1))[0]
        author = runner.run(_author(database, seat))
        runner.run(_started(writer))
        found = lab.compare(
            lambda: runner.run(_together(writer, seat, author)),
            {ONE_BY_ONE: lambda: runner.run(_one_by_one(database, seat, author))},
        )
        runner.run(writer.stop())
        runner.run(database.close())
    yield from found.rows(f"{_TOGETHER} messages at once, kept and acknowledged")


async def _started(writer: Writer) -> None:
    writer.start()


async def _together(writer: Writer, seat: Seat, author: str) -> None:
    await asyncio.gather(*(writer.keep(_draft(seat, author)) for _ in range(_TOGETHER)))


async def _one_by_one(database: Database, seat: Seat, author: str) -> None:
    for _ in range(_TOGETHER):
        await database.transact(partial(messages.append, drafts=[_draft(seat, author)]))


def _draft(seat: Seat, author: str) -> Draft:
    text = "a message of a conversation about fractions"
    return Draft(room_id=seat.room, author_id=author, role=Role.TUTOR, client_id=new_id(), text=text)


async def _author(database: Database, seat: Seat) -> str:
    async with database.reading() as session:
        return (await session.get_one(Room, seat.room)).tutor_id


async def _seats(url: str, n_rooms: int) -> list[Seat]:
    database = Database(Settings(database=url).database)
    try:
        return await furnish(database, n_rooms)
    finally:
        await database.close()


def _p95(result: LoadResult) -> float:
    """Raises RuntimeError where anything was lost: how fast that was says nothing."""
    if result.lost or result.doubled or result.disordered or result.acknowledged < result.sent:
        raise RuntimeError(f"delivery failed under load: {result}")
    return result.p95_s


@contextmanager
def _relay() -> Iterator[str]:
    command = [sys.executable, "-m", "paperworks.tutor_copilot.relay"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()
