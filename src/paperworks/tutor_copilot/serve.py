"""Starts a server: tables, the demonstration class, the addresses to open, and the workers."""

from __future__ import annotations

import asyncio
import os
import socket

import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from paperworks.core import UserError

from . import demo
from .demo import DemoLinks
from .help.choice import engine_for
from .rooms.frames import LARGEST
from .settings import Settings, to_environment
from .store.database import Database

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def serve(settings: Settings, *, host: str, port: int, workers: int, with_demo: bool) -> None:
    """Serve until interrupted. Raises UserError for what cannot be started."""
    if workers > 1 and settings.database.startswith("sqlite"):
        raise UserError(
            "several workers share rooms through PostgreSQL: give --database postgresql://..., or one worker"
        )
    if with_demo and host not in _LOOPBACK:
        raise UserError(
            "the demonstration class signs in whoever has the link: serve it on 127.0.0.1, or use --no-demo"
        )
    _require_engine(settings)
    _require_free(host, port)
    links = asyncio.run(_prepared(settings.database, with_demo=with_demo))
    print(_addresses(host, port, links), flush=True)
    os.environ.update(to_environment(settings))
    uvicorn.run(
        "paperworks.tutor_copilot.web.app:app_from_environment",
        factory=True,
        host=host,
        port=port,
        workers=workers if workers > 1 else None,
        ws_max_size=LARGEST,
        ws_per_message_deflate=False,  # frames are small, and a compressor for each browser is not
        ws_ping_interval=20,
        ws_ping_timeout=20,
        proxy_headers=bool(settings.origins),
        server_header=False,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=5,
    )


async def _prepared(url: str, *, with_demo: bool) -> DemoLinks | None:
    database = Database(url)
    try:
        await database.migrate()
        return await demo.prepare(database) if with_demo else None
    except (SQLAlchemyError, OSError) as error:
        cause = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        raise UserError(f"the database cannot be used: {cause}") from error
    finally:
        await database.close()


def _require_engine(settings: Settings) -> None:
    """What would keep a worker from starting is said here, once."""
    try:
        engine_for(settings.help)
    except ValueError as error:
        raise UserError(str(error)) from error


def _require_free(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(
                f"nothing can be served at {host}:{port} ({error.strerror}): choose another --port"
            ) from error


def _addresses(host: str, port: int, links: DemoLinks | None) -> str:
    """What is printed. Each person of the demonstration has a host name of their own, and with it their own cookies."""
    if links is None:
        return f"Tutoring rooms: http://{host}:{port}/  (Ctrl-C ends)"
    return "\n".join(
        (
            "Tutoring rooms with a demonstration class. Open the first two in two windows, side by side:",
            f"  the tutor    http://127.0.0.1:{port}/join/{links.tutor}",
            f"  the student  http://localhost:{port}/join/{links.student}",
            f"  (the administrator, in a private window: http://127.0.0.1:{port}/join/{links.admin})",
            "Ctrl-C ends. What was written is kept.",
        )
    )
