"""Many rooms at once, from a process of their own: nothing is lost or doubled, and memory does not grow."""

from __future__ import annotations

import asyncio
from pathlib import Path
from threading import Event, Thread

import pytest

from paperworks.tutor_copilot.load import LoadResult, furnish, talk
from paperworks.tutor_copilot.server_process import ServerProcess
from paperworks.tutor_copilot.settings import Settings
from paperworks.tutor_copilot.store.database import Database


def under_load(server: ServerProcess, *, n_rooms: int, seconds: float, every_s: float) -> LoadResult:
    async def story() -> LoadResult:
        database = Database(Settings(database=server.database).database)
        seats = await furnish(database, n_rooms)
        await database.close()
        return await talk([server.address], seats, seconds=seconds, every_s=every_s)

    return asyncio.run(story())


def test_forty_rooms_talk_at_once_and_nothing_is_lost_or_doubled(tmp_path: Path):
    server = ServerProcess(f"sqlite:///{tmp_path / 'rooms.db'}", tmp_path / "log").start()
    try:
        result = under_load(server, n_rooms=40, seconds=3, every_s=0.25)
    finally:
        server.stop()
    assert result.sent > 400
    assert result.acknowledged == result.sent
    assert (result.lost, result.doubled, result.disordered, result.reconnections) == (0, 0, 0, 0), str(result)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_two_hundred_rooms_talk_for_ten_minutes_and_memory_stays_flat(tmp_path: Path, survived):
    server = ServerProcess(f"sqlite:///{tmp_path / 'rooms.db'}", tmp_path / "log").start()
    done, memory = Event(), []

    def watch() -> None:
        while not done.wait(10):
            memory.append(server.rss_mb())

    watcher = Thread(target=watch)
    watcher.start()
    try:
        result = under_load(server, n_rooms=200, seconds=600, every_s=1.0)
    finally:
        done.set()
        watcher.join()
        server.stop()
    assert (result.lost, result.doubled, result.disordered) == (0, 0, 0), str(result)
    assert result.acknowledged == result.sent
    halfway, at_the_end = memory[30], memory[-1]
    assert at_the_end < 1.1 * halfway, memory
    survived(
        fault="a school's whole load",
        how="200 rooms, a message a second in each, for ten minutes",
        times=result.sent,
        outcome=f"none lost, none doubled; p95 {1000 * result.p95_s:.0f} ms, p99 {1000 * result.p99_s:.0f} ms; "
        f""
        f"memory {memory[6]:.0f} MB after a minute, {halfway:.0f} MB after five, {at_the_end:.0f} MB at the end",
    )
