"""A server with two classes in a thread of the test's own, and people who visit it by HTTP and by socket."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx2
import pytest
import uvicorn
from argon2 import PasswordHasher
from sqlalchemy import delete, update
from websockets.sync.client import ClientConnection, connect

from paperworks.tutor_copilot import Delta, HelpEngine, HelpRequest, Settings, Suggestion, create_app
from paperworks.tutor_copilot.rooms.frames import LARGEST
from paperworks.tutor_copilot.store import people, rooms, schema, sign_in
from paperworks.tutor_copilot.store.database import Database
from paperworks.tutor_copilot.store.schema import Role, now
from paperworks.tutor_copilot.web.site import CONSENT_VERSION

PASSWORD = "correct horse battery"


@dataclass
class CannedHelp:
    """Writes "<strategy> <number>" and keeps what it was asked. Where ``gate`` is closed, it waits behind one delta."""

    asked: list[HelpRequest] = field(default_factory=list)
    stopped: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    name: str = "a canned engine"

    async def suggest(self, request: HelpRequest) -> AsyncIterator[Delta | Suggestion]:
        self.asked.append(request)
        try:
            for column, strategy in enumerate(request.strategies):
                yield Delta(column=column, text=strategy)
                while not self.gate.is_set():
                    await asyncio.sleep(0.005)
                text = f"{strategy} {column + 10 * len(request.avoid)}"
                yield Suggestion(
                    column=column,
                    strategy=strategy,
                    text=text,
                    engine=self.name,
                    sent_out="[STUDENT] said",
                    cost_usd=0.01,
                )
        except (asyncio.CancelledError, GeneratorExit):
            self.stopped += 1
            raise

    async def close(self) -> None: ...


@dataclass
class Running:
    """A server, and its database as the test sees it."""

    address: str
    help: Any
    direct: Database
    loop: asyncio.AbstractEventLoop

    def database(self, work: Callable[[Any], Any]) -> Any:
        """What the coroutine function ``work`` makes of a session, which is committed."""
        return asyncio.run_coroutine_threadsafe(self._work(work), self.loop).result(30)

    async def _work(self, work: Callable[[Any], Any]) -> Any:
        async with self.direct.writing() as session:
            return await work(session)

    def visitor(self, person_id: str | None = None) -> Visitor:
        return Visitor(self, person_id)


@contextmanager
def loop_in_a_thread() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


class Visitor:
    """A browser without a screen: cookies, forms with their token, and sockets with their origin."""

    def __init__(self, server: Running, person_id: str | None) -> None:
        self.server = server
        self.http = httpx2.Client(base_url=server.address, headers={"Origin": server.address})
        if person_id is not None:
            self.join(self.link(person_id))

    def link(self, person_id: str) -> str:
        async def make(session: Any) -> str:
            return await sign_in.make_link(session, person_id, lasts=sign_in.LASTS)

        return self.server.database(make)

    def join(self, secret: str) -> httpx2.Response:
        return self.http.post(f"/join/{secret}")

    def post(self, path: str, data: dict[str, str] | None = None, *, page: str = "/", **more: Any) -> httpx2.Response:
        """Send a form as the page ``page`` gives it."""
        token = re.search(r'name="form_token" value="([^"]+)"', self.http.get(page).text)
        assert token, f"{page} has no form"
        return self.http.post(path, data={"form_token": token[1], **(data or {})}, **more)

    @contextmanager
    def socket(self, room: str, *, after: int = 0, origin: str | None = None, cookie: bool = True) -> Iterator[Line]:
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.http.cookies.items())} if cookie else {}
        address = self.server.address.replace("http", "ws") + f"/ws/rooms/{room}?after={after}"
        origin = self.server.address if origin is None else origin
        with connect(address, origin=origin or None, additional_headers=headers, proxy=None) as opened:
            yield Line(opened)


class Line:
    """Frames, by kind: those that are not waited for are kept for later."""

    def __init__(self, opened: ClientConnection) -> None:
        self.opened = opened
        self.early: list[dict[str, Any]] = []

    def send(self, frame: Any) -> None:
        self.opened.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    def say(self, text: str, client_id: str, **more: Any) -> None:
        self.send({"t": "message", "id": client_id, "text": text, **more})

    def next(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The next frame of that kind and with those fields."""
        fits = lambda frame: frame["t"] == kind and all(frame.get(k) == v for k, v in fields.items())  # noqa: E731
        for at, frame in enumerate(self.early):
            if fits(frame):
                return self.early.pop(at)
        while True:
            frame = json.loads(self.opened.recv(timeout=20))
            if fits(frame):
                return frame
            self.early.append(frame)

    def until_pong(self) -> list[dict[str, Any]]:
        """Whatever has come up to the answer to a ping: after it nothing is on its way that was sent before."""
        self.send({"t": "ping"})
        self.next("pong")
        come, self.early = self.early, []
        return come


@contextmanager
def running(url: str, engine: HelpEngine, *, port: int = 0, **settings: Any) -> Iterator[Running]:
    """A server in a thread."""
    app = create_app(Settings(database=url, **settings), engine=engine)
    config = uvicorn.Config(app, port=port, ws_max_size=LARGEST, log_level="warning", timeout_graceful_shutdown=3)
    server = uvicorn.Server(config)
    waiting = threading.Event()
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        waiting.wait(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with loop_in_a_thread() as loop:
        direct = Database(Settings(database=url).database)
        try:
            yield Running(address=f"http://127.0.0.1:{port}", help=engine, direct=direct, loop=loop)
        finally:
            asyncio.run_coroutine_threadsafe(direct.close(), loop).result(10)
            server.should_exit = True
            thread.join(20)


@dataclass(frozen=True)
class School:
    """Ids of two classes' people and of a room in each."""

    tutor: str
    student: str
    classmate: str
    room: str
    other_tutor: str
    other_student: str
    other_room: str
    other_class: str
    admin: str
    researcher: str


@cache
def hashed_once() -> str:
    """Hashing is meant to be slow; the tests need it once."""
    return PasswordHasher().hash(PASSWORD)


async def make_school(session: Any) -> School:
    ids: dict[str, str] = {}
    classes = [(await people.add_classroom(session, name=name, grade=5)).id for name in ("Five A", "Five B")]

    async def add(key: str, name: str, role: Role, where: list[str]) -> None:
        person = await people.add_person(session, name=name, role=role, classes=where)
        person.consented_at, person.consent_version = now(), CONSENT_VERSION
        ids[key] = person.id

    await add("tutor", "Dana Rivera", Role.TUTOR, classes[:1])
    await add("student", "Robbie Miller", Role.STUDENT, classes[:1])
    await add("classmate", "Maya Okafor", Role.STUDENT, classes[:1])
    await add("other_tutor", "Tom Reed", Role.TUTOR, classes[1:])
    await add("other_student", "Zoe Lind", Role.STUDENT, classes[1:])
    await add("researcher", "Rae Search", Role.RESEARCHER, [])
    admin = await people.add_person(session, name="Ada Bell", role=Role.ADMIN)
    admin.login, admin.password = "ada", hashed_once()
    for class_id, key, tutor, student in (
        (classes[0], "room", "tutor", "student"),
        (classes[1], "other_room", "other_tutor", "other_student"),
    ):
        ids[key] = await rooms.open_room(
            session,
            class_id=class_id,
            tutor_id=ids[tutor],
            student_id=ids[student],
            topic="Adding fractions",
            problem=r"What is $\frac{3}{4} + \frac{1}{5}$?",
        )
    return School(**ids, admin=admin.id, other_class=classes[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    url = f"sqlite:///{tmp_path_factory.mktemp('served') / 'rooms.db'}"
    engine = CannedHelp()
    engine.gate.set()
    with running(url, engine) as it:
        yield it


@pytest.fixture
def school(server: Running) -> School:
    """The same people for each test, in rooms and classes of its own."""

    async def fresh(session: Any) -> School:
        await session.execute(update(schema.Classroom).values(name=schema.Classroom.id))
        await session.execute(update(schema.Person).values(login=None))
        await session.execute(delete(schema.FailedSignIn))
        return await make_school(session)

    return server.database(fresh)


@pytest.fixture
def tutor(server: Running, school: School) -> Visitor:
    return server.visitor(school.tutor)


@pytest.fixture
def student(server: Running, school: School) -> Visitor:
    return server.visitor(school.student)


@pytest.fixture
def admin(server: Running, school: School) -> Visitor:
    return server.visitor(school.admin)


def text_of(frame: dict[str, Any]) -> str:
    return "".join(part if isinstance(part, str) else part["tex"] for part in frame["parts"])
