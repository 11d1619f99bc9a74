"""One browser's time in a room: reads its frames, and does what they say."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

from ..help.request import HelpEngine
from ..store.database import Database
from ..store.messages import Draft, RoomClosedError
from ..store.schema import Role
from .assistance import Assistance
from .connection import SIGNED_OUT, Connection
from .frames import Ask, FrameError, FromBrowser, Opinion, Ping, Say, Typing, parse
from .frames import error as error_frame
from .hub import Hub
from .limits import Bucket
from .writer import NotKeptError, Writer

_MISBEHAVED = 1008
_LAST_WORDS_S = 5.0
_PATIENCE = 20
"""Frames that are refused before the connection is."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Rooms:
    """What all connections of a worker share."""

    database: Database
    engine: HelpEngine
    hub: Hub
    writer: Writer


async def attend(rooms: Rooms, connection: Connection, incoming: AsyncIterator[str | bytes], *, lasts_s: float) -> None:
    """Serve a browser until it goes, is replaced, misbehaves, or has been signed in for as long as that lasts."""
    await rooms.hub.join(connection)
    pump = asyncio.create_task(connection.pump(lambda: rooms.hub.catch_up(connection)))
    reader = asyncio.create_task(_read(rooms, connection, incoming))
    expiry = asyncio.get_running_loop().call_later(lasts_s, connection.end, SIGNED_OUT)
    try:
        await asyncio.wait({pump, reader}, return_when=asyncio.FIRST_COMPLETED)
        if connection.end_code is not None:
            await asyncio.wait({pump}, timeout=_LAST_WORDS_S)  # it says why before it closes
    finally:
        expiry.cancel()
        await rooms.hub.leave(connection)
        for task in (pump, reader):
            task.cancel()
        for outcome in await asyncio.gather(pump, reader, return_exceptions=True):
            if isinstance(outcome, Exception):
                logger.info("a connection ended: %s", type(outcome).__name__)


async def _read(rooms: Rooms, connection: Connection, incoming: AsyncIterator[str | bytes]) -> None:
    assistance = Assistance(rooms.database, rooms.engine, connection)
    frames, says = Bucket(rate=20, burst=60), Bucket(rate=5, burst=20)
    refused = 0
    try:
        async for data in incoming:
            try:
                if not frames.take():
                    raise FrameError("too_often", "that was too much at once")
                frame = parse(data)
                if isinstance(frame, Say) and not says.take():
                    raise FrameError("too_often", "wait a moment before the next message", about=frame.id)
                await _do(rooms, connection, assistance, frame)
            except FrameError as error:
                connection.send(error_frame(error))
                refused += error.code in {"malformed", "too_big", "too_often"}
                if refused > _PATIENCE:
                    connection.end(_MISBEHAVED)
                    return
    finally:
        await assistance.stop()


async def _do(rooms: Rooms, connection: Connection, assistance: Assistance, frame: FromBrowser) -> None:
    match frame:
        case Say():
            await _say(rooms, connection, assistance, frame)
        case Typing():
            said = {"t": "typing", "who": connection.person.role, "on": frame.on}
            await rooms.hub.tell(connection.place.id, said, but=connection)
        case Ask():
            await assistance.ask(frame)
        case Opinion():
            await assistance.opinion(frame)
        case Ping():
            connection.send({"t": "pong"})


async def _say(rooms: Rooms, connection: Connection, assistance: Assistance, frame: Say) -> None:
    """Keep a message, and acknowledge it once it is kept."""
    original = None
    if frame.suggestion is not None:
        original = await assistance.original(frame.suggestion)
    await assistance.stop()
    draft = Draft(
        room_id=connection.place.id,
        author_id=connection.person.id,
        role=Role(connection.person.role),
        client_id=frame.id,
        text=frame.text,
        suggestion_id=frame.suggestion,
        is_edited=original is not None and original != frame.text,
    )
    try:
        kept = await rooms.writer.keep(draft)
    except RoomClosedError as error:
        raise FrameError("closed", str(error), about=frame.id) from error
    except NotKeptError as error:
        raise FrameError("not_kept", str(error), about=frame.id) from error
    connection.send({"t": "ack", "id": kept.client_id, "seq": kept.seq})
