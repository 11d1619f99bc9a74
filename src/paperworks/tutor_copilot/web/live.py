"""The socket of a room: who may open it, and its frames in and out."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.websockets import WebSocket, WebSocketDisconnect

from ..rooms.connection import Connection
from ..rooms.session import attend
from ..store.rooms import place
from ..store.schema import Role, now
from .guard import is_own
from .site import needs_consent, site, visitor


async def room_socket(socket: WebSocket) -> None:
    """Open a room's socket to its tutor and its student, on our own pages only. Others get no more than a refusal."""
    here = site(socket)
    if not is_own(socket, here.settings.origins, https=here.settings.https):
        await socket.close(4403)
        return
    who = await visitor(socket)
    if who is None or who.person.role not in {Role.TUTOR, Role.STUDENT} or needs_consent(who):
        await socket.close(4401)
        return
    async with here.database.reading() as session:
        found = await place(session, who.person, socket.path_params["room"])
    after = socket.query_params.get("after", "0")
    if found is None or not (after.isdecimal() and len(after) <= 9):
        await socket.close(4404)
        return
    await socket.accept()
    connection = Connection(socket, found, who.person, seen=min(int(after), found.last_seq))
    lasts_s = (who.expires_at - now()).total_seconds()
    await attend(here.rooms, connection, _incoming(socket), lasts_s=lasts_s)


async def _incoming(socket: WebSocket) -> AsyncIterator[str | bytes]:
    """Frames, until the browser goes."""
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            yield message.get("text") or message.get("bytes") or ""
    except WebSocketDisconnect:
        return
