"""Keeps messages: those that arrive while one transaction is under way go together into the next.

So a busy worker commits about as often as an idle one, and nobody waits longer than for two commits. A message is
acknowledged when it is on the disk, never before.
"""

from __future__ import annotations

import asyncio
import logging
from time import monotonic

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionError
from sqlalchemy.orm import Session

from ..store import messages
from ..store.database import Database
from ..store.messages import Draft, Kept, RoomClosedError
from .bus import Bus
from .hub import Hub

_AT_ONCE = 200
_WAITING = 5000
_PATIENCE_S = 30.0
"""How long a message waits for a database that is away. Its browser sends it again afterwards."""
_PAUSE_S = 0.25
_AWAY = (OperationalError, InterfaceError, NoConnectionError, OSError)
_Waiting = tuple[Draft, "asyncio.Future[Kept | RoomClosedError]"]

logger = logging.getLogger(__name__)


class NotKeptError(RuntimeError):
    """The database did not take the message; it may be sent again."""


class Writer:
    """One task that keeps what all connections of this worker say."""

    def __init__(self, database: Database, hub: Hub, bus: Bus) -> None:
        self._database = database
        self._hub = hub
        self._bus = bus
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue(_WAITING)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Keep what has arrived, then end."""
        await asyncio.wait([asyncio.ensure_future(self._waiting.join())], timeout=_PATIENCE_S)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def keep(self, draft: Draft) -> Kept:
        """The message as it is kept. Raises RoomClosedError, and NotKeptError where the database stays away."""
        future: asyncio.Future[Kept | RoomClosedError] = asyncio.get_running_loop().create_future()
        try:
            self._waiting.put_nowait((draft, future))
        except asyncio.QueueFull:
            raise NotKeptError("too many messages are waiting: this one was not kept") from None
        result = await future
        if isinstance(result, RoomClosedError):
            raise result
        return result

    async def _run(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < _AT_ONCE and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            if not await self._settle(batch) and len(batch) > 1:
                for one in batch:  # the one that the database does not take must not cost the others theirs
                    await self._settle([one])
            _refuse(batch)
            for _ in batch:
                self._waiting.task_done()

    async def _settle(self, batch: list[_Waiting]) -> bool:
        """Keep a batch, deliver it, and tell those who wait; False where the database does not take it."""
        try:
            results = await self._kept([draft for draft, _ in batch])
        except Exception as error:
            logger.error("%d messages were not kept: %s", len(batch), type(error).__name__)
            return False
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
        self._hub.deliver(result for result in results if isinstance(result, Kept) and result.is_new)
        return True

    def _append(self, session: Session, drafts: list[Draft]) -> list[Kept | RoomClosedError]:
        results = messages.append(session, drafts)
        self._bus.announce(session, {each.room_id for each in results if isinstance(each, Kept) and each.is_new})
        return results

    async def _kept(self, drafts: list[Draft]) -> list[Kept | RoomClosedError]:
        """What became of ``drafts``. A commit whose answer was lost is found again by the browsers' own numbers."""
        give_up = monotonic() + _PATIENCE_S
        while True:
            try:
                return await self._database.transact(lambda session: self._append(session, drafts))
            except _AWAY as error:
                if monotonic() > give_up:
                    raise
                logger.warning("the database is away (%s): trying again", type(error).__name__)
                await asyncio.sleep(_PAUSE_S)


def _refuse(batch: list[_Waiting]) -> None:
    """Whoever still waits has no message in the database."""
    for _, future in batch:
        if not future.done():
            future.set_exception(NotKeptError("the database is away: this message was not kept"))
