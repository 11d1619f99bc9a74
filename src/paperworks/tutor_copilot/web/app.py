"""The application: its addresses, and what begins and ends with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

import paperworks.lab

from ..help.choice import engine_for
from ..help.request import HelpEngine
from ..rooms import maths
from ..rooms.bus import Bus, NoOthers, PostgresBus
from ..rooms.connection import GOING_AWAY
from ..rooms.hub import HERE_LASTS_S, Hub
from ..rooms.session import Rooms
from ..rooms.writer import Writer
from ..settings import Settings, from_environment
from ..store import retention, sign_in
from ..store.database import Database
from . import admin, entrance, exports, live, lobby
from .guard import Guard
from .site import GoTo, Site, page, redirect, site, visitor

_HERE = Path(__file__).parent
_HOUSE_COLOURS = Path(paperworks.lab.__file__).parent / "templates" / "colours.css"
_AN_HOUR_S = 3600.0

logger = logging.getLogger(__name__)


def create_app(settings: Settings, *, engine: HelpEngine | None = None) -> Starlette:
    """The application for any ASGI server; tables are made or brought up to date when it starts.

    ``engine`` writes suggestions in place of the one that ``settings`` name.
    """
    database = Database(settings.database)
    bus: Bus = PostgresBus(settings.database) if database.is_postgres else NoOthers()
    hub = Hub(database, bus)
    rooms = Rooms(
        database=database, engine=engine or engine_for(settings.help), hub=hub, writer=Writer(database, hub, bus)
    )
    app = Starlette(
        routes=_ROUTES,
        middleware=[Middleware(Guard, origins=settings.origins, https=settings.https)],
        exception_handlers={
            GoTo: _go_to,
            HTTPException: _say,
            ValueError: _say_value,
            ClientDisconnect: _say_too_large,
        },
        lifespan=lambda app: _life(rooms, bus, settings),
    )
    app.state.site = Site(settings=settings, database=database, rooms=rooms, templates=_templates())
    return app


def app_from_environment() -> Starlette:
    """The application as variables of the environment describe it, for servers that start workers themselves."""
    return create_app(from_environment())


@asynccontextmanager
async def _life(rooms: Rooms, bus: Bus, settings: Settings) -> AsyncIterator[None]:
    await rooms.database.migrate()
    await bus.start(rooms.hub.heard, rooms.hub.resumed)
    rooms.writer.start()
    chores = [
        asyncio.create_task(_repeat(HERE_LASTS_S / 3, rooms.hub.say_who_is_here)),
        asyncio.create_task(_repeat(_AN_HOUR_S, lambda: _tidy(rooms.database, settings.retention_days))),
    ]
    try:
        yield
    finally:
        for chore in chores:
            chore.cancel()
        for connection in rooms.hub.connections:
            connection.end(GOING_AWAY)
        await rooms.writer.stop()
        await bus.stop()
        await rooms.engine.close()
        await rooms.database.close()


async def _repeat(every_s: float, chore: Any) -> None:
    while True:
        await asyncio.sleep(every_s)
        try:
            await chore()
        except Exception as error:
            logger.warning("a chore failed: %s", type(error).__name__)


async def _tidy(database: Database, retention_days: int) -> None:
    async with database.writing() as session:
        await sign_in.forget_old(session)
        await retention.forget_old(session, days=retention_days)


def _templates() -> Jinja2Templates:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["maths"] = maths.to_html
    return Jinja2Templates(env=environment)


async def _colours(request: Request) -> Response:
    return FileResponse(_HOUSE_COLOURS, media_type="text/css")


async def _is_up(request: Request) -> Response:
    return PlainTextResponse("up\n")


async def _is_ready(request: Request) -> Response:
    from sqlalchemy import text

    async with site(request).database.reading() as session:
        await session.execute(text("SELECT 1"))
    return PlainTextResponse("ready\n")


async def _go_to(request: Request, error: Exception) -> Response:
    return redirect(str(error))


async def _say(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    titles = {403: "Not for you", 404: "Not found", 422: "That did not work"}
    title = titles.get(error.status_code, "That did not work")
    return page(
        request, "message.html", await visitor(request), status=error.status_code, title=title, says=error.detail
    )


async def _say_value(request: Request, error: Exception) -> Response:
    return await _say(request, HTTPException(422, str(error)))


async def _say_too_large(request: Request, error: Exception) -> Response:
    """The guard cut the request off; where its sender went away instead, nobody reads this."""
    return PlainTextResponse("that is too large\n", 413)


_ROUTES = [
    Route("/", lobby.show_lobby),
    Route("/sign-in", entrance.show_sign_in, methods=["GET"]),
    Route("/sign-in", entrance.do_sign_in, methods=["POST"]),
    Route("/sign-out", entrance.do_sign_out, methods=["POST"]),
    Route("/join/{secret}", entrance.show_join, methods=["GET"]),
    Route("/join/{secret}", entrance.do_join, methods=["POST"]),
    Route("/consent", entrance.show_consent, methods=["GET"]),
    Route("/consent", entrance.do_consent, methods=["POST"]),
    Route("/rooms", lobby.do_open, methods=["POST"]),
    Route("/rooms/{room}", lobby.show_room, methods=["GET"]),
    Route("/rooms/{room}/close", lobby.do_close, methods=["POST"]),
    Route("/rooms/{room}/transcript.{form}", exports.transcript),
    WebSocketRoute("/ws/rooms/{room}", live.room_socket),
    Route("/data", exports.show_data),
    Route("/data/sessions.csv", exports.sessions),
    Route("/admin", admin.show, methods=["GET"]),
    Route("/admin/classes", admin.add_class, methods=["POST"]),
    Route("/admin/people", admin.add_person, methods=["POST"]),
    Route("/admin/people/{person}/link", admin.make_link, methods=["POST"]),
    Route("/admin/people/{person}/sign-out", admin.sign_out, methods=["POST"]),
    Route("/admin/people/{person}/erase", admin.erase, methods=["POST"]),
    Route("/admin/arms", admin.assign, methods=["POST"]),
    Route("/admin/retention", admin.forget, methods=["POST"]),
    Route("/healthz", _is_up),
    Route("/readyz", _is_ready),
    Route("/static/colours.css", _colours),
    Mount("/static", StaticFiles(directory=_HERE / "static")),
]
