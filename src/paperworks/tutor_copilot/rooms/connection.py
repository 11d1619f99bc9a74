"""One browser in one room: what is on its way to it, and what it has already."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ..store.rooms import Place
from ..store.schema import Person

MANY_WAITING = 200
"""Frames on their way to a browser above which messages wait in the database, and typing and presence are left out."""
MOST_WAITING = 2000
"""Frames on their way to a browser above which it is let go."""

REPLACED, TOO_SLOW, SIGNED_OUT, GOING_AWAY = 4409, 4408, 4401, 1012


class Socket(Protocol):
    """What a connection needs of a web socket."""

    async def send_text(self, data: str) -> None:
        """Send one frame."""
        ...

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close it."""
        ...


class Connection:
    """Frames leave in the order in which they were given. ``seen`` is the number of the last message among them.

    A message that is not the next one, or that finds too many before it, is not put on its way: the connection is then
    behind, and reads what it lacks from the database when the browser has taken what it got. So nobody waits for a
    browser that reads slowly, and what is on its way to it stays bounded.
    """

    def __init__(self, socket: Socket, place: Place, person: Person, *, seen: int) -> None:
        self.id = secrets.token_hex(6)
        self.place = place
        self.person = person
        self.seen = seen
        self.end_code: int | None = None
        self._socket = socket
        self._is_behind = True
        self._waiting: deque[str] = deque()
        self._something = asyncio.Event()

    def send(self, frame: dict[str, Any]) -> None:
        """Put a frame on its way."""
        if len(self._waiting) >= MOST_WAITING:
            self.end(TOO_SLOW)
            return
        self._waiting.append(json.dumps(frame, separators=(",", ":")))
        self._something.set()

    def send_manners(self, frame: dict[str, Any]) -> None:
        """Put a frame on its way that nobody misses: typing, presence."""
        if len(self._waiting) < MANY_WAITING:
            self.send(frame)

    def send_message(self, seq: int, frame: dict[str, Any]) -> None:
        """Put message ``seq`` on its way if it is the next one and not too much is; one that it has is left out."""
        if seq <= self.seen:
            return
        if seq > self.seen + 1 or len(self._waiting) >= MANY_WAITING:
            self.fall_behind()
            return
        self.seen = seq
        self.send(frame)

    def fall_behind(self) -> None:
        """There may be messages that it lacks."""
        self._is_behind = True
        self._something.set()

    def end(self, code: int) -> None:
        """Close the socket, with ``code``, after what is on its way."""
        if self.end_code is None:
            self.end_code = code
            if code == TOO_SLOW:
                self._waiting.clear()
            self._something.set()

    async def pump(self, catch_up: Callable[[], Awaitable[bool]]) -> None:
        """Send frames until the end. ``catch_up`` puts some that it lacks on their way, and says if there are more."""
        while True:
            while self._waiting:
                await self._socket.send_text(self._waiting.popleft())
            if self.end_code is not None:
                await self._socket.close(self.end_code)
                return
            if self._is_behind:
                self._is_behind = False
                self._is_behind |= await catch_up()
                continue
            self._something.clear()
            await self._something.wait()
