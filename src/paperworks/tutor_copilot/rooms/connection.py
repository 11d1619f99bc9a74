"""One browser in one room: what is on its way to it, and what it has already."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import deque
from typing import Any, Protocol

from ..store.rooms import Place
from ..store.schema import Person

MOST_WAITING = 2000
"""Frames on their way to a browser. One that reads so slowly is let go; it comes back and reads on where it was."""
_FOR_MANNERS = 200
"""Frames on their way above which typing and presence are left out."""

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
    """Frames leave in the order in which they were given. ``seen`` is the number of the last message among them."""

    def __init__(self, socket: Socket, place: Place, person: Person, *, seen: int) -> None:
        self.id = secrets.token_hex(6)
        self.place = place
        self.person = person
        self.seen = seen
        self.end_code: int | None = None
        self._socket = socket
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
        if len(self._waiting) < _FOR_MANNERS:
            self.send(frame)

    def send_message(self, seq: int, frame: dict[str, Any]) -> bool:
        """Put message ``seq`` on its way if it is the next one; False where one before it is missing."""
        if seq == self.seen + 1:
            self.seen = seq
            self.send(frame)
        return seq <= self.seen

    def end(self, code: int) -> None:
        """Close the socket, with ``code``, after what is on its way."""
        if self.end_code is None:
            self.end_code = code
            if code == TOO_SLOW:
                self._waiting.clear()
            self._something.set()

    async def pump(self) -> None:
        """Send frames until the connection is ended."""
        while True:
            while self._waiting:
                await self._socket.send_text(self._waiting.popleft())
            if self.end_code is not None:
                await self._socket.close(self.end_code)
                return
            self._something.clear()
            if not self._waiting and self.end_code is None:
                await self._something.wait()
