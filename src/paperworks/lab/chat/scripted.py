"""A chat model that says what it was told to: for tests, and for demonstrations without a network."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any

from .errors import ChatError
from .reply import Reply, estimated_usage
from .request import Request

Line = str | Reply | Exception


class Scripted:
    """Answers from a list, one after another, or from a function of the request.

    An answer is a text, a `Reply`, or an exception that is raised. Every request is kept in ``asked``. A text streams
    word by word, and its usage is estimated. A list that is used up gives a `ChatError`. ``model`` names the script
    for prices and the cache.
    """

    takes_schema = True

    def __init__(self, answers: Sequence[Line] | Callable[[Request], Line], *, model: str = "scripted") -> None:
        if isinstance(answers, str):
            raise TypeError("answers is a list of texts, or a function; for one text write [text]")
        self._answers = answers if callable(answers) else tuple(answers)
        self._model = model
        self.asked: list[Request] = []

    def __repr__(self) -> str:
        return f"Scripted(model={self._model!r}, asked {len(self.asked)} times)"

    @property
    def model(self) -> str:
        """The script's name."""
        return self._model

    def identity(self) -> Mapping[str, Any]:
        """The name: scripts whose answers differ need different names where they share a cache."""
        return {"backend": "scripted", "model": self._model}

    async def complete(self, request: Request) -> Reply:
        """The next answer of the script."""
        line = self._next(request)
        if isinstance(line, Exception):
            raise line
        if isinstance(line, Reply):
            return line
        pieces = tuple(re.findall(r"\S+\s*|^\s+", line))
        return Reply(pieces=pieces, usage=estimated_usage(request, line), model=self._model)

    async def stream(self, request: Request) -> AsyncGenerator[str | Reply, None]:
        """The next answer, word by word."""
        reply = await self.complete(request)
        for piece in reply.pieces:
            yield piece
        yield reply

    async def close(self) -> None:
        """Nothing is held."""

    def _next(self, request: Request) -> Line:
        self.asked.append(request)
        if callable(self._answers):
            return self._answers(request)
        if len(self.asked) > len(self._answers):
            return ChatError(f"the script has {len(self._answers)} answers, and this is question {len(self.asked)}")
        return self._answers[len(self.asked) - 1]
