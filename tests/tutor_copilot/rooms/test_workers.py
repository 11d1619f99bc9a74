"""Two worker processes share rooms through PostgreSQL; the database is killed under them; a worker is killed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from paperworks.tutor_copilot.load import LoadResult, Seat, furnish, talk
from paperworks.tutor_copilot.server_process import ServerProcess
from paperworks.tutor_copilot.settings import Settings
from paperworks.tutor_copilot.store.database import Database
from paperworks.tutor_copilot.store.schema import Message

from .conftest import Line, text_of
from .postgres import Postgres, postgres

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def shared() -> Iterator[Postgres]:
    with postgres() as it:
        yield it


@pytest.fixture(scope="module")
def workers(shared: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[ServerProcess]]:
    folder = tmp_path_factory.mktemp("workers")
    started = [ServerProcess(shared.url, folder / f"log{number}") for number in range(2)]
    try:
        yield [each.start() for each in started]
    finally:
        for each in started:
            each.stop()


async def furnished(url: str, n_rooms: int) -> list[Seat]:
    database = Database(Settings(database=url).database)
    try:
        await database.migrate()
        return await furnish(database, n_rooms)
    finally:
        await database.close()


def line(worker: ServerProcess, seat: Seat, cookie: str) -> Any:
    return connect(
        f"ws{worker.address[4:]}/ws/rooms/{seat.room}?after=0",
        origin=worker.address,
        additional_headers={"Cookie": f"tutor={cookie}"},
        proxy=None,
    )


def test_a_tutor_at_one_worker_and_a_student_at_the_other_share_a_room(shared, workers):
    seat = asyncio.run(furnished(shared.url, 1))[0]
    with line(workers[0], seat, seat.tutor) as a, line(workers[1], seat, seat.student) as b:
        tutor, student = Line(a), Line(b)
        assert tutor.next("presence") == {"t": "presence", "who": "student", "on": True}
        tutor.say("across", "a1")
        assert text_of(student.next("message")) == "across"
        student.send({"t": "typing", "on": True})
        assert tutor.next("typing", on=True)["who"] == "student"
        student.say("and back", "b1")
        assert tutor.next("message", who="student")["seq"] == 2
        with line(workers[0], seat, seat.student) as c:
            assert text_of(Line(c).next("message")) == "across"
            with pytest.raises(ConnectionClosed) as closed:
                student.next("never")
            assert closed.value.rcvd.code == 4409, "a window at another worker takes over, too"
        assert tutor.next("presence", on=False)["who"] == "student"


def test_guesses_at_two_workers_at_once_are_not_more_than_at_one(shared, workers):
    async def guess() -> list[int]:
        async with httpx2.AsyncClient() as http:
            data = {"login": "ada", "password": "wrong"}
            posts = [
                http.post(f"{one.address}/sign-in", data=data, headers={"Origin": one.address}, timeout=30)
                for one in workers * 6
            ]
            return sorted(answer.status_code for answer in await asyncio.gather(*posts))

    assert asyncio.run(guess()) == [401] * 5 + [429] * 7


def kept(url: str, seats: list[Seat]) -> int:
    async def count() -> int:
        database = Database(Settings(database=url).database)
        try:
            async with database.reading() as session:
                rooms = [seat.room for seat in seats]
                return await session.scalar(select(func.count()).select_from(Message).where(Message.room_id.in_(rooms)))
        finally:
            await database.close()

    return asyncio.run(count())


def all_well(result: LoadResult, url: str, seats: list[Seat]) -> None:
    assert (result.lost, result.doubled, result.disordered) == (0, 0, 0), str(result)
    assert result.acknowledged == result.sent == kept(url, seats), str(result)


def test_the_database_is_killed_mid_load_and_nothing_acknowledged_is_lost(shared, workers):
    async def die_and_come_back() -> None:
        await asyncio.to_thread(shared.kill)
        await asyncio.to_thread(shared.start)

    async def story() -> tuple[list[Seat], LoadResult]:
        seats = await furnished(shared.url, 4)
        addresses = [each.address for each in workers]
        return seats, await talk(addresses, seats, seconds=3, every_s=0.1, halfway=die_and_come_back)

    seats, result = asyncio.run(story())
    assert any("the database is away" in each.log.read_text() for each in workers), "it was killed under load"
    all_well(result, shared.url, seats)


def test_a_worker_is_killed_mid_load_and_nothing_acknowledged_is_lost(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'rooms.db'}"
    worker = ServerProcess(url, tmp_path / "log").start()

    async def die_and_come_back() -> None:
        await asyncio.to_thread(worker.kill)
        await asyncio.to_thread(worker.start)

    async def story() -> tuple[list[Seat], LoadResult]:
        seats = await furnished(url, 4)
        return seats, await talk([worker.address], seats, seconds=2, every_s=0.1, halfway=die_and_come_back)

    try:
        seats, result = asyncio.run(story())
    finally:
        worker.stop()
    assert result.reconnections >= 8
    all_well(result, url, seats)
