"""What `Chat` needs of the thing that answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Protocol

from .reply import Reply
from .request import Request


class Backend(Protocol):
    """Something that answers one request at a time, once, without retrying, caching or counting.

    ``takes_schema`` tells whether `Request.schema` may be set. Both methods raise `ChatError` where there is no answer.
    """

    takes_schema: bool

    @property
    def model(self) -> str:
        """The name that prices are looked up by."""
        ...

    def identity(self) -> Mapping[str, Any]:
        """All that answers depend on besides the request, for the cache's key. May take long the first time."""
        ...

    async def complete(self, request: Request) -> Reply:
        """The whole answer."""
        ...

    def stream(self, request: Request) -> AsyncGenerator[str | Reply, None]:
        """The answer's text as it comes, none of it empty, and at the very end the `Reply` that the pieces make."""
        ...

    async def close(self) -> None:
        """Give back what the running event loop holds, such as connections."""
        ...
