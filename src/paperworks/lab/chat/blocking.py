"""`Chat` for code without asyncio, notebooks included: one event loop in a thread of its own serves all."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, overload

if TYPE_CHECKING:
    from .chat import Chat, Progress, Question, ReplyStream
    from .errors import Refused
    from .reply import Reply
    from .request import Sampling
    from .structured import Structured

T = TypeVar("T")


class BlockingChat:
    """The methods of `Chat`, each returning when it is done; use them from any thread but an event loop's.

    ``ask_all`` still asks many questions at a time. Ctrl-C ends the exchange under way.
    """

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    def ask(self, question: Question, sampling: Sampling | None = None) -> Reply:
        """See `Chat.ask`."""
        return _run(self._chat.ask(question, sampling))

    def ask_all(
        self, questions: Iterable[Question], sampling: Sampling | None = None, *, progress: Progress | None = None
    ) -> list[Reply | Refused]:
        """See `Chat.ask_all`; ``progress`` is called in another thread."""
        return _run(self._chat.ask_all(questions, sampling, progress=progress))

    @overload
    def ask_for(self, wanted: type[T], question: Question, *, sampling: Sampling | None = None) -> Structured[T]: ...

    @overload
    def ask_for(
        self, wanted: Mapping[str, Any], question: Question, *, sampling: Sampling | None = None
    ) -> Structured[Any]: ...

    def ask_for(self, wanted: Any, question: Question, *, sampling: Sampling | None = None) -> Structured[Any]:
        """See `Chat.ask_for`."""
        return _run(self._chat.ask_for(wanted, question, sampling=sampling))

    @contextmanager
    def stream(self, question: Question, sampling: Sampling | None = None) -> Iterator[BlockingReplyStream]:
        """See `Chat.stream`: ``with chat.blocking.stream("Why?") as pieces: for piece in pieces: ...``."""
        opened = self._chat.stream(question, sampling)
        pieces = _run(opened.__aenter__())
        try:
            yield BlockingReplyStream(pieces)
        finally:
            _run(opened.__aexit__(None, None, None))

    def close(self) -> None:
        """See `Chat.close`."""
        _run(self._chat.close())


class BlockingReplyStream:
    """See `ReplyStream`."""

    def __init__(self, pieces: ReplyStream) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[str]:
        while (piece := _run(_next_or_none(self._pieces))) is not None:
            yield piece

    @property
    def reply(self) -> Reply:
        """The whole answer and its usage. Raises RuntimeError before the stream has ended."""
        return self._pieces.reply


async def _next_or_none(pieces: ReplyStream) -> str | None:
    return await anext(pieces, None)


def _run(work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``, done in the loop of this process's thread for it."""
    future = asyncio.run_coroutine_threadsafe(work, _loop(os.getpid()))
    try:
        return future.result()
    except BaseException:
        future.cancel()  # where this thread was interrupted the work is still under way
        raise


@cache
def _loop(pid: int) -> asyncio.AbstractEventLoop:
    """A running event loop; by process, since a fork copies the loop but not the thread that runs it."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name=f"paperworks-chat-{pid}", daemon=True).start()
    return loop
