"""A school of scripted tutors and students that talk to a server, and count what is late, lost or doubled.

They behave as the page does: one that loses its line comes back, asks for what it missed, and sends again what was not
acknowledged.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from .store import people, rooms, sign_in
from .store.database import Database
from .store.schema import Person, Role, now
from .web.site import CONSENT_VERSION

_PAUSE_S = 0.2
_LAST_WORDS_S = 60.0
"""How long after the last message is sent one waits for what is still on its way."""


@dataclass(frozen=True, kw_only=True)
class Seat:
    """A room with the secrets of its two browsers."""

    room: str
    tutor: str
    student: str


@dataclass(frozen=True, kw_only=True)
class LoadResult:
    """What came of it. Times are from sending to arrival at the other side, in seconds."""

    rooms: int
    seconds: float
    sent: int
    acknowledged: int
    lost: int
    doubled: int
    disordered: int
    reconnections: int
    p50_s: float
    p95_s: float
    p99_s: float

    def __str__(self) -> str:
        return (
            f"{self.rooms} rooms, {self.sent} messages in {self.seconds:.0f} s, {self.acknowledged} acknowledged; "
            f"{self.lost} lost, {self.doubled} doubled, {self.disordered} out of order; {self.reconnections} "
            f"reconnections; delivery p50 {1000 * self.p50_s:.1f} ms, p95 {1000 * self.p95_s:.1f} ms, "
            f"p99 {1000 * self.p99_s:.1f} ms"
        )


async def furnish(database: Database, n_rooms: int) -> list[Seat]:
    """Make a class with a tutor and a student for each of ``n_rooms`` rooms, all signed in."""
    async with database.writing() as session:
        classroom = await people.add_classroom(session, name=f"Load of {n_rooms} rooms", grade=5)
        seats = []
        for number in range(n_rooms):
            tutor = await _sitting(session, f"Tutor {number}", Role.TUTOR, classroom.id)
            student = await _sitting(session, f"Student {number}", Role.STUDENT, classroom.id)
            room = await rooms.open_room(
                session, class_id=classroom.id, tutor_id=tutor.id, student_id=student.id, topic="Load", problem="1 + 1"
            )
            secrets = [await sign_in.begin(session, person) for person in (tutor, student)]
            seats.append(Seat(room=room, tutor=secrets[0], student=secrets[1]))
    return seats


async def talk(
    addresses: Sequence[str],
    seats: Sequence[Seat],
    *,
    seconds: float,
    every_s: float = 1.0,
    halfway: Callable[[], Awaitable[object]] | None = None,
    seed: int = 0,
) -> LoadResult:
    """Let every room have a message every ``every_s`` seconds, tutor and student in turn, for ``seconds``.

    ``addresses`` are the servers' (``http://HOST:PORT``); with several, tutors sit at the first and students at the
    last. ``halfway`` is what happens to them in the middle of it all. Whatever was acknowledged and does not reach the
    other side within a minute counts as lost.
    """
    pairs = [
        (_Talker(addresses[0], seat.room, seat.tutor), _Talker(addresses[-1], seat.room, seat.student))
        for seat in seats
    ]
    talkers = [talker for pair in pairs for talker in pair]
    lines = [asyncio.create_task(talker.stay()) for talker in talkers]
    try:
        await asyncio.gather(*(talker.connected.wait() for talker in talkers))
        rng = random.Random(seed)
        begun = perf_counter()
        until = begun + seconds
        talks = [_converse(pair, until, every_s, rng.uniform(0, every_s)) for pair in pairs]
        await asyncio.gather(_meanwhile(seconds / 2, halfway), *talks)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                while not all(_is_complete(pair) for pair in pairs):
                    await asyncio.sleep(0.05)
        return _counted(pairs, perf_counter() - begun)
    finally:
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)


class _Talker:
    """One browser."""

    def __init__(self, address: str, room: str, cookie: str) -> None:
        self.sent_at: dict[str, float] = {}
        self.acknowledged: set[str] = set()
        self.arrived: list[tuple[int, str, float]] = []
        self.connections = 0
        self.connected = asyncio.Event()
        self._address = address
        self._room = room
        self._cookie = cookie
        self._seen = 0
        self._line: ClientConnection | None = None

    async def stay(self) -> None:
        """Keep a line to the server, whatever happens to it."""
        while True:
            with suppress(OSError, WebSocketException, TimeoutError):
                async with self._opened() as line:
                    self._line = line
                    self.connections += 1
                    self.connected.set()
                    for client_id in [each for each in self.sent_at if each not in self.acknowledged]:
                        await line.send(_frame(client_id))
                    async for data in line:
                        await self._heard(json.loads(data), line)
            self._line = None
            await asyncio.sleep(_PAUSE_S)

    async def say(self, client_id: str) -> None:
        """Send a message; without a line it is sent with the next."""
        self.sent_at[client_id] = perf_counter()
        if self._line is not None:
            with suppress(WebSocketException):
                await self._line.send(_frame(client_id))

    def _opened(self) -> connect:
        return connect(
            f"{self._address.replace('http', 'ws', 1)}/ws/rooms/{self._room}?after={self._seen}",
            additional_headers={"Cookie": f"tutor={self._cookie}"},
            origin=self._address,  # type: ignore[arg-type]  # a NewType of str
            compression=None,
            proxy=None,
        )

    async def _heard(self, frame: dict[str, Any], line: ClientConnection) -> None:
        if frame["t"] == "message":
            self.arrived.append((frame["seq"], frame["id"], perf_counter()))
            self._seen = max(self._seen, frame["seq"])
        elif frame["t"] == "ack":
            self.acknowledged.add(frame["id"])
        elif frame["t"] == "error":
            await line.close()


_Pair = tuple[_Talker, _Talker]


async def _meanwhile(after_s: float, halfway: Callable[[], Awaitable[object]] | None) -> None:
    if halfway is not None:
        await asyncio.sleep(after_s)
        await halfway()


async def _converse(pair: _Pair, until: float, every_s: float, offset_s: float) -> None:
    await asyncio.sleep(offset_s)
    number = 0
    while perf_counter() < until:
        due = perf_counter() + every_s
        await pair[number % 2].say(f"{number:06d}")
        number += 1
        await asyncio.sleep(max(0.0, due - perf_counter()))


def _is_complete(pair: _Pair) -> bool:
    said = set(pair[0].sent_at) | set(pair[1].sent_at)
    acknowledged = pair[0].acknowledged | pair[1].acknowledged
    return said == acknowledged and all(said == {each for _, each, _ in talker.arrived} for talker in pair)


def _counted(pairs: Sequence[_Pair], seconds: float) -> LoadResult:
    delays: list[float] = []
    lost = doubled = disordered = 0
    for tutor, student in pairs:
        for here, there in ((tutor, student), (student, tutor)):
            first = {client_id: at for _, client_id, at in reversed(there.arrived)}
            delays += [first[each] - at for each, at in here.sent_at.items() if each in first]
            lost += len(here.acknowledged - set(first))
            doubled += len(there.arrived) - len(first)
            disordered += [seq for seq, _, _ in there.arrived] != list(range(1, len(there.arrived) + 1))
    talkers = [talker for pair in pairs for talker in pair]
    p50, p95, p99 = np.percentile(delays, [50, 95, 99]) if delays else (float("inf"),) * 3
    return LoadResult(
        rooms=len(pairs),
        seconds=seconds,
        sent=sum(len(talker.sent_at) for talker in talkers),
        acknowledged=sum(len(talker.acknowledged) for talker in talkers),
        lost=lost,
        doubled=doubled,
        disordered=disordered,
        reconnections=sum(talker.connections - 1 for talker in talkers),
        p50_s=float(p50),
        p95_s=float(p95),
        p99_s=float(p99),
    )


async def _sitting(session: Any, name: str, role: Role, class_id: str) -> Person:
    person = await people.add_person(session, name=name, role=role, classes=[class_id])
    person.consented_at, person.consent_version = now(), CONSENT_VERSION
    return person


def _frame(client_id: str) -> str:
    return json.dumps(
        {"t": "message", "id": client_id, "text": f"message {client_id} of a conversation about fractions"}
    )
