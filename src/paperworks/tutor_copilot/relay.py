"""A relay that speaks the frames of a room and keeps nothing: how fast delivery could be if messages could be lost."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict

from websockets.asyncio.server import ServerConnection, broadcast, serve


class Relay:
    """Passes a room's messages on to whoever is in it, numbered, and forgets them."""

    def __init__(self) -> None:
        self._rooms: defaultdict[str, set[ServerConnection]] = defaultdict(set)
        self._last: defaultdict[str, int] = defaultdict(int)

    async def attend(self, connection: ServerConnection) -> None:
        """Serve one browser."""
        assert connection.request is not None
        room = connection.request.path.partition("?")[0]
        self._rooms[room].add(connection)
        try:
            async for data in connection:
                said = json.loads(data)
                self._last[room] += 1
                frame = {"t": "message", "seq": self._last[room], "id": said["id"], "parts": [said["text"]]}
                broadcast(self._rooms[room], json.dumps(frame))
                await connection.send(json.dumps({"t": "ack", "id": said["id"], "seq": self._last[room]}))
        finally:
            self._rooms[room].discard(connection)


async def _main() -> None:
    async with serve(Relay().attend, "127.0.0.1", 0, compression=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
