"""What every request passes: whose page sent it, how large it may be, and what browsers may do with the answer."""

from __future__ import annotations

import logging
import traceback
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 1_000_000
"""Bytes of a request; the largest is a table of people."""

logger = logging.getLogger(__name__)

_READING = {"GET", "HEAD", "OPTIONS"}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


def is_own(connection: HTTPConnection, origins: tuple[str, ...], *, https: bool) -> bool:
    """True where the page that sent a request is one of ours; False where it does not say, because ours always do."""
    origin = connection.headers.get("origin", "")
    if origin in origins:
        return True
    parts = urlsplit(origin)
    allowed = {"https"} if https else {"http", "https"}
    return parts.scheme in allowed and bool(parts.netloc) and parts.netloc == connection.headers.get("host")


class Guard:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, *, origins: tuple[str, ...], https: bool) -> None:
        self._app = app
        self._origins = origins
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http":
            await self._pass_on(scope, receive, send)
        elif scope["type"] == "websocket":
            try:
                await self._app(scope, receive, send)
            except Exception as error:
                _log(error)
        else:
            await self._app(scope, receive, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _with_headers(send, https=self._https)
        if scope["method"] not in _READING:
            if not is_own(HTTPConnection(scope), self._origins, https=self._https):
                await PlainTextResponse("this form was sent by another site", 403)(scope, receive, answer)
                return
            if _announced(scope) > LARGEST_BODY:
                await PlainTextResponse("that is too large", 413)(scope, receive, answer)
                return
        try:
            await self._app(scope, _limited(receive), answer)
        except Exception as error:
            _log(error)
            sorry = "Something went wrong on our side. Nothing that you sent before is lost.\n"
            await PlainTextResponse(sorry, 500)(scope, receive, answer)


def _log(error: Exception) -> None:
    """Log where an error came from, and not what it says: a database repeats in it what people wrote."""
    logger.error("%s:\n%s", type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))


def _announced(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "0")
    return int(length) if length.isdecimal() else LARGEST_BODY + 1


def _limited(receive: Receive) -> Receive:
    """A request without a length is cut off where it becomes too large."""
    so_far = 0

    async def receive_some() -> Message:
        nonlocal so_far
        message = await receive()
        so_far += len(message.get("body", b""))
        return message if so_far <= LARGEST_BODY else {"type": "http.disconnect"}

    return receive_some


def _with_headers(send: Send, *, https: bool) -> Send:
    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers: Any = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            if https:
                headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        await send(message)

    return send_with
