"""A server on the loopback that speaks the chat completions protocol, and does exactly what a test tells it to."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from paperworks.lab.chat import Endpoint, Retry

SECRET = "sk-a-secret-that-must-not-be-seen"
Behaviour = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Asked:
    """A request as the server got it."""

    path: str
    headers: Mapping[str, str]
    body: Any


class Protocol:
    """What a server sends: whole responses, and streams of events."""

    @staticmethod
    def http(body: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> bytes:
        lines = {"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close"}
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"HTTP/1.1 {status} Told\r\n{head}\r\n".encode() + body

    @classmethod
    def answer(cls, text: str | None, counted: tuple[int, int] | None = (7, 3), **more: Any) -> bytes:
        message = {"role": "assistant", "content": text} | more.pop("message", {})
        choice = {"index": 0, "message": message, "finish_reason": more.pop("finish", "stop")}
        body = {"id": "c1", "object": "chat.completion", "model": "served", "choices": [choice], **more}
        if counted is not None:
            body["usage"] = {"prompt_tokens": counted[0], "completion_tokens": counted[1], "total_tokens": sum(counted)}
        return cls.http(json.dumps(body).encode())

    @classmethod
    def failure(cls, status: int, message: str = "no", **headers: str) -> bytes:
        code = headers.pop("code", None)
        body = json.dumps({"error": {"message": message, "type": "told", "code": code}}).encode()
        return cls.http(body, status, **headers)

    @staticmethod
    def events(*events: str | bytes) -> bytes:
        """A response whose length is told by its end, as event streams are sent."""
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        return head + b"".join(event.encode() if isinstance(event, str) else event for event in events)

    @staticmethod
    def chunk(text: str | None = None, finish: str | None = None, usage: tuple[int, int] | None = None) -> str:
        delta = {} if text is None else {"content": text}
        choices = [] if usage else [{"index": 0, "delta": delta, "finish_reason": finish}]
        body: dict[str, Any] = {"id": "c1", "object": "chat.completion.chunk", "model": "served", "choices": choices}
        if usage:
            body["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
        return f"data: {json.dumps(body)}\n\n"

    DONE = "data: [DONE]\n\n"

    @staticmethod
    def then_silence(sent: bytes) -> Behaviour:
        """Send, and say nothing more until the other side leaves."""

        async def behave(writer: asyncio.StreamWriter) -> None:
            writer.write(sent)
            await writer.drain()
            await asyncio.Event().wait()

        return behave

    @staticmethod
    def then_keep_alives(sent: bytes, keep_alive: bytes, pace_s: float = 0.02) -> Behaviour:
        """Send, and repeat what says nothing until the other side leaves."""

        async def behave(writer: asyncio.StreamWriter) -> None:
            writer.write(sent)
            while True:
                await writer.drain()
                await asyncio.sleep(pace_s)  # the pace of the server; no test waits for it
                writer.write(keep_alive)

        return behave

    @staticmethod
    def then_reset(sent: bytes) -> Behaviour:
        """Send, and break the connection (TCP RST)."""

        async def behave(writer: asyncio.StreamWriter) -> None:
            writer.write(sent)
            await writer.drain()
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

        return behave


@dataclass
class Server(Protocol):
    """Answers the n-th request with the n-th of ``script``; ``always`` answers all that come after."""

    script: list[Behaviour] = field(default_factory=list)
    always: Behaviour | None = None
    asked: list[Asked] = field(default_factory=list)
    keeps_alive: bool = False
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    endpoints: list[Endpoint] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def endpoint(self, **settings: Any) -> Endpoint:
        settings = {"base_url": self.url, "api_key_env": "TEST_CHAT_KEY", "timeout_s": 20.0} | settings
        self.endpoints.append(Endpoint("test-model", **settings))
        return self.endpoints[-1]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.answer_one(reader, writer)
            while self.keeps_alive:
                await self.answer_one(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.set()
        finally:
            self.at_once -= 1
            writer.close()

    async def answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(await _read(reader))
        behaviour = self.script.pop(0) if self.script else self.always
        assert behaviour is not None, "the script of the test is used up"
        if isinstance(behaviour, bytes):
            writer.write(behaviour)
            await writer.drain()
        else:
            await _unless_left(behaviour(writer), reader)
            self.left.set()


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers["content-length"]))
    return Asked(first.split()[1], headers, json.loads(body))


async def _unless_left(work: Awaitable[None], reader: asyncio.StreamReader) -> None:
    """``work``, until it is done or the other side has closed the connection."""
    tasks = [asyncio.ensure_future(work), asyncio.ensure_future(reader.read())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError, ConnectionError):
            await task


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def server(anyio_backend: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    monkeypatch.setenv("TEST_CHAT_KEY", SECRET)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    served = Server()
    listening = await asyncio.start_server(served.serve, "127.0.0.1", 0, limit=2**24)
    served.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield served
        for endpoint in served.endpoints:
            await endpoint.close()


@pytest.fixture
def secret() -> str:
    return SECRET


@pytest.fixture
def pauses() -> list[float]:
    """The seconds that `impatient` would have waited."""
    return []


@pytest.fixture
def impatient(pauses: list[float]) -> Retry:
    """Retries without waiting, and without chance: the longest pause each time."""

    async def note(seconds: float) -> None:
        pauses.append(seconds)

    return Retry(attempts=3, sleep=note, random=lambda: 1.0, clock=lambda: 1_700_000_000.0)
