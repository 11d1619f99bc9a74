"""How workers hear from each other: not at all where there is one, through PostgreSQL where there are several.

What is said may be lost (a connection breaks, a worker is slow). So nothing depends on it but speed and manners:
messages are in the database, and whoever hears of one, or hears anew after a silence, reads there what is missing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Protocol

from sqlalchemy import make_url, text
from sqlalchemy.orm import Session

CHANNEL = "paperworks_tutor"
_ROOMS_AT_ONCE = 100
"""Room ids in one notification, which PostgreSQL limits to 8000 bytes."""
_PAUSES_S = (0.1, 0.5, 1.0, 2.0)

logger = logging.getLogger(__name__)

Heard = Callable[[dict[str, Any]], Awaitable[None]]


class Bus(Protocol):
    """What rooms need of it. Events are JSON objects of a few hundred bytes."""

    async def start(self, heard: Heard, resumed: Callable[[], Awaitable[None]]) -> None:
        """Begin to listen: ``heard`` gets what others say, ``resumed`` is told after a silence."""
        ...

    def announce(self, session: Session, room_ids: Iterable[str]) -> None:
        """Tell the others of new messages in rooms, when and if the session's transaction is committed."""
        ...

    async def tell(self, event: dict[str, Any]) -> None:
        """Tell the others now; lost where that is not possible."""
        ...

    async def stop(self) -> None:
        """Stop listening."""
        ...


class NoOthers:
    """One worker has nobody to tell."""

    async def start(self, heard: Heard, resumed: Callable[[], Awaitable[None]]) -> None:
        """Nothing is ever heard."""

    def announce(self, session: Session, room_ids: Iterable[str]) -> None:
        """Nobody to tell."""

    async def tell(self, event: dict[str, Any]) -> None:
        """Nobody to tell."""

    async def stop(self) -> None:
        """Nothing was begun."""


class PostgresBus:
    """LISTEN and NOTIFY. It listens on a connection of its own, and comes back when the server does."""

    def __init__(self, url: str) -> None:
        self._address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._me = secrets.token_hex(4)
        self._tasks: list[asyncio.Task[None]] = []
        self._to_tell: asyncio.Queue[dict[str, Any]] = asyncio.Queue(maxsize=1000)

    async def start(self, heard: Heard, resumed: Callable[[], Awaitable[None]]) -> None:
        """Listen and tell in the background. Raises what the first connection raises."""
        import psycopg

        first = await psycopg.AsyncConnection.connect(self._address, autocommit=True)
        await first.execute(f"LISTEN {CHANNEL}")
        self._tasks = [
            asyncio.create_task(self._listen(first, heard, resumed)),
            asyncio.create_task(self._say_on()),
        ]

    def announce(self, session: Session, room_ids: Iterable[str]) -> None:
        """PostgreSQL delivers these with the commit, and drops them with a rollback."""
        for some in _chunks(sorted(room_ids)):
            session.execute(_NOTIFY, {"channel": CHANNEL, "payload": self._payload({"e": "new", "rooms": some})})

    async def tell(self, event: dict[str, Any]) -> None:
        """In order, behind what is still to be told; where too much is, this is lost."""
        with suppress(asyncio.QueueFull):
            self._to_tell.put_nowait(event)

    async def stop(self) -> None:
        """End both tasks, and their connections with them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self, connection: Any, heard: Heard, resumed: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                async with connection:
                    async for notice in connection.notifies():
                        said = json.loads(notice.payload)
                        if said.pop("from", None) != self._me:
                            await heard(said)
                raise ConnectionError("the connection has ended")
            except Exception as error:
                logger.warning("the database is silent (%s): listening anew", type(error).__name__)
            connection = await self._connected(f"LISTEN {CHANNEL}")
            await _undisturbed(resumed())

    async def _say_on(self) -> None:
        connection: Any = None
        while True:
            event = await self._to_tell.get()
            try:
                connection = connection or await self._connected("SELECT 1")
                await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, self._payload(event)))
            except Exception as error:
                logger.warning("an event was not told to other workers (%s)", type(error).__name__)
                connection = None

    async def _connected(self, first: str) -> Any:
        """A connection on which ``first`` was executed, as soon as the server gives one."""
        import psycopg

        for pause in _then_ever(_PAUSES_S):
            try:
                connection = await psycopg.AsyncConnection.connect(self._address, autocommit=True)
                await connection.execute(first)
            except psycopg.Error:
                await asyncio.sleep(pause)
            else:
                return connection
        raise AssertionError("pauses never end")

    def _payload(self, event: dict[str, Any]) -> str:
        return json.dumps({"from": self._me, **event}, separators=(",", ":"))


_NOTIFY = text("SELECT pg_notify(:channel, :payload)")


async def _undisturbed(call: Awaitable[None]) -> None:
    """What listeners make of a message is theirs; an error there must not end the listening."""
    try:
        await call
    except Exception as error:
        logger.error("what was missed could not be read: %s", type(error).__name__)


def _chunks(items: list[str]) -> Iterator[list[str]]:
    for at in range(0, len(items), _ROOMS_AT_ONCE):
        yield items[at : at + _ROOMS_AT_ONCE]


def _then_ever(pauses: tuple[float, ...]) -> Iterator[float]:
    yield from pauses
    while True:
        yield pauses[-1]
