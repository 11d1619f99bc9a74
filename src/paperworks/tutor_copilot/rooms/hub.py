"""The browsers of this worker, room by room: who is there, and what reaches them.

A message is put on its way to a browser only as the one after the last it got; whatever is missing in between its
connection reads from the database. So every browser gets every message once and in order, whether it heard of it from
this worker, from another, or after an interruption.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

from ..store import messages
from ..store.database import Database
from ..store.messages import Kept
from ..store.schema import Role
from . import frames, maths
from .bus import Bus
from .connection import REPLACED, SIGNED_OUT, Connection

_PAGE = 100
HERE_LASTS_S = 45.0
"""How long somebody at another worker counts as present without word from there; word comes three times as often."""


class Hub:
    """Connections of this worker. What it says to its own browsers it tells the other workers through the bus."""

    def __init__(self, database: Database, bus: Bus, clock: Callable[[], float] = monotonic) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._rooms: dict[str, dict[str, Connection]] = defaultdict(dict)
        self._elsewhere: dict[str, dict[str, float]] = defaultdict(dict)

    @property
    def connections(self) -> list[Connection]:
        """All of them."""
        return [connection for room in self._rooms.values() for connection in room.values()]

    async def join(self, connection: Connection) -> None:
        """Bring a browser into its room: it is greeted, and an older one of the same person goes."""
        room_id, role = connection.place.id, connection.person.role
        self._replace(room_id, connection.person.id)
        self._rooms[room_id][connection.id] = connection
        connection.send({"t": "hello", "v": frames.VERSION, "you": role, "present": self._present(room_id)})
        await self._here(connection, is_new=True)

    async def leave(self, connection: Connection) -> None:
        """Take a browser out of its room; without effect for one that was replaced."""
        if self._drop(connection):
            frame = {"t": "presence", "who": connection.person.role, "on": False}
            await self.tell(connection.place.id, frame)

    def deliver(self, kept: Iterable[Kept]) -> None:
        """Messages that this worker has just kept, to whoever is here."""
        for message in kept:
            room = self._rooms.get(message.room_id)
            if not room:
                continue
            frame = frames.message(message, maths.parts(message.text))
            for connection in room.values():
                connection.send_message(message.seq, frame)

    async def catch_up(self, connection: Connection) -> bool:
        """Put the next messages that a browser lacks on their way; True where there may be more."""
        async with self._database.reading() as session:
            missing = await messages.after(session, connection.place.id, connection.seen, _PAGE)
        for message in missing:
            connection.send_message(message.seq, frames.message(message, maths.parts(message.text)))
        return len(missing) == _PAGE

    async def tell(self, room_id: str, frame: dict[str, Any], *, but: Connection | None = None) -> None:
        """A frame of manners to everybody in a room, here and at other workers."""
        self._tell_here(room_id, frame, but)
        await self._bus.tell({"e": "frame", "room": room_id, "frame": frame})

    async def sign_out(self, person_id: str) -> None:
        """End a person's connections everywhere."""
        self._end_of(person_id)
        await self._bus.tell({"e": "out", "person": person_id})

    async def closed(self, room_id: str) -> None:
        """Tell a room that it is closed."""
        await self.tell(room_id, {"t": "closed"})

    async def heard(self, event: dict[str, Any]) -> None:
        """What another worker says."""
        match event.get("e"):
            case "new":
                for room_id in event["rooms"]:
                    self._fall_behind(room_id)
            case "frame":
                self._note_presence(event["room"], event["frame"])
                self._tell_here(event["room"], event["frame"], None)
            case "here":
                await self._heard_here(event)
            case "out":
                self._end_of(event["person"])

    async def resumed(self) -> None:
        """After a silence: whatever was missed, and who is here."""
        for room_id in list(self._rooms):
            self._fall_behind(room_id)
        await self.say_who_is_here()

    async def say_who_is_here(self) -> None:
        """Tell other workers who is here, every few seconds. Who was not heard of lately is gone."""
        for connection in self.connections:
            await self._here(connection, is_new=False)
        at = self._clock()
        for room_id, roles in list(self._elsewhere.items()):
            for role in [role for role, until in roles.items() if until < at]:
                del roles[role]
                if role not in self._roles_here(room_id):
                    self._tell_here(room_id, {"t": "presence", "who": role, "on": False}, None)
            if not roles:
                del self._elsewhere[room_id]

    async def _here(self, connection: Connection, *, is_new: bool) -> None:
        room_id, person = connection.place.id, connection.person
        if is_new:
            self._tell_here(room_id, {"t": "presence", "who": person.role, "on": True}, connection)
        await self._bus.tell({"e": "here", "room": room_id, "role": person.role, "person": person.id, "new": is_new})

    async def _heard_here(self, event: dict[str, Any]) -> None:
        room_id, role = event["room"], event["role"]
        if room_id not in self._rooms:
            return
        was_there = role in self._present(room_id)
        self._elsewhere[room_id][role] = self._clock() + HERE_LASTS_S
        if event["new"]:
            self._replace(room_id, event["person"])
            for connection in list(self._rooms.get(room_id, {}).values()):
                await self._here(connection, is_new=False)
        if not was_there:
            self._tell_here(room_id, {"t": "presence", "who": role, "on": True}, None)

    def _replace(self, room_id: str, person_id: str) -> None:
        """One browser a person in a room: the older one goes, and is told so."""
        for connection in list(self._rooms.get(room_id, {}).values()):
            if connection.person.id == person_id:
                connection.end(REPLACED)
                self._drop(connection)

    def _drop(self, connection: Connection) -> bool:
        room = self._rooms.get(connection.place.id, {})
        was_there = room.pop(connection.id, None) is not None
        if was_there and not room:
            del self._rooms[connection.place.id]
        return was_there

    def _note_presence(self, room_id: str, frame: dict[str, Any]) -> None:
        if frame.get("t") == "presence" and not frame["on"]:
            self._elsewhere.get(room_id, {}).pop(frame["who"], None)

    def _fall_behind(self, room_id: str) -> None:
        for connection in self._rooms.get(room_id, {}).values():
            connection.fall_behind()

    def _tell_here(self, room_id: str, frame: dict[str, Any], but: Connection | None) -> None:
        for connection in self._rooms.get(room_id, {}).values():
            if connection is not but:
                connection.send_manners(frame)

    def _end_of(self, person_id: str) -> None:
        for connection in self.connections:
            if connection.person.id == person_id:
                connection.end(SIGNED_OUT)

    def _present(self, room_id: str) -> list[str]:
        at = self._clock()
        elsewhere = {role for role, until in self._elsewhere.get(room_id, {}).items() if until >= at}
        return sorted(self._roles_here(room_id) | elsewhere)

    def _roles_here(self, room_id: str) -> set[str]:
        return {str(Role(connection.person.role)) for connection in self._rooms.get(room_id, {}).values()}
