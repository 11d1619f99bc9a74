"""The connection to the database: reading, writing, and bringing the tables up to date."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session

T = TypeVar("T")

_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=15000")
"""FULL: what is committed is on the disk, so an acknowledged message outlives a power cut."""


logging.getLogger("aiosqlite").setLevel(logging.INFO)  # below that it logs every parameter, which is what people write


class Database:
    """Sessions of SQLAlchemy. `reading` and `writing` differ in SQLite, where a writer must say so when it begins."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_postgres = url.startswith("postgresql")
        self.engine = _engine(url)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self._thread = None if self.is_postgres else _WriterThread(url)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A session in which nothing is written."""
        async with self._sessions() as session:
            yield session

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """A session that is committed at the end, and rolled back where an error ends it."""
        async with self._sessions() as session, session.begin():
            await session.connection(execution_options={"is_writer": True})
            yield session

    async def transact(self, work: Callable[[Session], T]) -> T:
        """What the plain function ``work`` makes of a session, committed at its end.

        For work that is done hundreds of times a second: with SQLite all of it happens in one turn of a thread, where
        `writing` needs a turn for every step of every statement.
        """
        if self._thread is not None:
            return await self._thread.transact(work)
        async with self.writing() as session:
            return await session.run_sync(work)

    async def migrate(self) -> None:
        """Bring the tables up to date; several workers that do so at once wait for each other."""
        from .migrations.run import upgrade

        async with self.engine.begin() as connection:
            await connection.run_sync(upgrade)

    async def close(self) -> None:
        """Give back all connections."""
        if self._thread is not None:
            await self._thread.close()
        await self.engine.dispose()


class _WriterThread:
    """A connection to a SQLite file in a thread of its own."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url.replace("+aiosqlite", ""), hide_parameters=True)
        _listen(self._engine)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tutor-writer")

    async def transact(self, work: Callable[[Session], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transact, work)

    async def close(self) -> None:
        await asyncio.to_thread(self._thread.shutdown)
        self._engine.dispose()

    def _transact(self, work: Callable[[Session], T]) -> T:
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            session.connection(execution_options={"is_writer": True})
            return work(session)


def _engine(url: str) -> AsyncEngine:
    if url.startswith("postgresql"):
        return create_async_engine(url, pool_size=8, max_overflow=8, pool_pre_ping=True, hide_parameters=True)
    if name := make_url(url).database:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch(mode=0o600)  # what children write is for no other user of the machine
    engine = create_async_engine(url, hide_parameters=True)
    _listen(engine.sync_engine)
    return engine


def _listen(engine: Engine) -> None:
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say so, not where the driver guesses
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """A transaction that first reads and then writes can lose its turn in SQLite; one that says so at once cannot."""
    writes = connection.get_execution_options().get("is_writer", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
