"""Questions to a chat model with all that surrounds them: retries, a cache, a budget, bounded concurrency."""

from __future__ import annotations

import asyncio
import itertools
import logging
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from .backend import Backend
from .blocking import BlockingChat
from .budget import Budget
from .cache import ReplyCache
from .errors import ChatError, Refused
from .messages import Message, as_messages
from .per_loop import PerLoop
from .reply import Reply, estimated_usage, largest_usage
from .request import Request, Sampling
from .retry import Retry
from .schema import form_of
from .structured import SchemaSupport, Structured, ask_for

T = TypeVar("T")
Question = str | Message | Sequence[Message]
Progress = Callable[[str, int, int], None]
_log = logging.getLogger(__name__)


class Chat:
    """A chat model to ask: ``await chat.ask("Why?")``, or without asyncio ``chat.blocking.ask("Why?")``.

    ``backend`` answers: `Endpoint`, `Local`, `Scripted`, or anything that is a `Backend`. ``sampling`` holds for
    questions that bring none of their own.

    - **Retries.** Failures that may pass are met as ``retry`` says. A stream is begun anew only while none of its text
      has been handed on.
    - **Cache.** With the folder ``cache``, a question whose answer is repeatable (`Sampling.is_repeatable`: temperature
      0, or a seed or sample number) is asked once; a cached answer streams in the pieces it came in.
    - **Budget.** ``budget`` is checked before every attempt and charged after it; `Budget.spent` is the account.
    - **Concurrency.** At most ``concurrency`` questions are under way in an event loop; a stream is, until it is left.

    Cancelling a task ends its exchange with the model. ``async with Chat(...)`` closes connections at its end.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        cache: Path | None = None,
        budget: Budget | None = None,
        sampling: Sampling = Sampling(),  # noqa: B008  (frozen)
        retry: Retry = Retry(),  # noqa: B008  (frozen)
        concurrency: int = 8,
    ) -> None:
        if concurrency < 1:
            raise ValueError(f"concurrency is at least 1, not {concurrency}")
        self.backend = backend
        self.budget = budget or Budget()
        self.sampling = sampling
        self.retry = retry
        self._cache = None if cache is None else ReplyCache(cache)
        self._slots = PerLoop(lambda: asyncio.Semaphore(concurrency))
        self._askers: PerLoop[weakref.WeakValueDictionary[str, asyncio.Lock]] = PerLoop(weakref.WeakValueDictionary)
        self._schemas = SchemaSupport(backend.takes_schema)

    def __repr__(self) -> str:
        return f"Chat({self.backend!r}, budget={self.budget!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the backend's connections in this event loop; the next question opens new ones."""
        await self.backend.close()

    @cached_property
    def blocking(self) -> BlockingChat:
        """The same chat for code without asyncio."""
        return BlockingChat(self)

    async def ask(self, question: Question, sampling: Sampling | None = None) -> Reply:
        """The whole answer. Raises ChatError (Refused among them), BudgetExceeded."""
        return await self._ask(self._request(question, sampling))

    async def ask_all(
        self, questions: Iterable[Question], sampling: Sampling | None = None, *, progress: Progress | None = None
    ) -> list[Reply | Refused]:
        """The answers to many questions, in their order; where the model declined, its refusal stands in their place.

        Any other failure ends the questions under way and is raised; what was answered is in the cache, so asking again
        continues. ``progress`` is called with a stage, how many are done, and of how many.
        """
        requests = [self._request(question, sampling) for question in questions]
        done = itertools.count(1)
        tasks = [asyncio.ensure_future(self._ask_or_refusal(request)) for request in requests]
        if progress is not None:
            for task in tasks:
                task.add_done_callback(lambda _: progress("answers", next(done), len(tasks)))
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @overload
    async def ask_for(
        self, wanted: type[T], question: Question, *, sampling: Sampling | None = None
    ) -> Structured[T]: ...

    @overload
    async def ask_for(
        self, wanted: Mapping[str, Any], question: Question, *, sampling: Sampling | None = None
    ) -> Structured[Any]: ...

    async def ask_for(self, wanted: Any, question: Question, *, sampling: Sampling | None = None) -> Structured[Any]:
        """An answer of the form ``wanted``: a pydantic model or another type, or a JSON schema as a mapping.

        The backend is asked to hold to the form where it can; else the model is told. An answer that does not have it
        is given back to the model once, with what is wrong. Raises MalformedAnswer where that does not help, ValueError
        for a schema that is none, and what `ask` raises.
        """
        return await ask_for(self._ask, self._request(question, sampling), form_of(wanted), self._schemas)

    @asynccontextmanager
    async def stream(self, question: Question, sampling: Sampling | None = None) -> AsyncIterator[ReplyStream]:
        """The answer as it comes: ``async with chat.stream("Why?") as pieces: async for piece in pieces: ...``.

        Leaving the block ends the exchange. Raises what `ask` raises; `ChatError.partial` has what had arrived.
        """
        async with aclosing(self._stream(self._request(question, sampling))) as items:
            yield ReplyStream(items)

    def _request(self, question: Question, sampling: Sampling | None) -> Request:
        return Request(messages=as_messages(question), sampling=sampling or self.sampling)

    async def _ask(self, request: Request) -> Reply:
        key = await self._key(request)
        if key is None:
            return await self._ask_with_retries(request)
        async with self._askers.here().setdefault(key, asyncio.Lock()):  # of two equal questions, the second waits
            if (kept := await self._find(key)) is not None:
                return kept
            reply = await self._ask_with_retries(request)
            await self._keep(key, reply)
            return reply

    async def _ask_or_refusal(self, request: Request) -> Reply | Refused:
        try:
            return await self._ask(request)
        except Refused as refusal:
            return refusal

    async def _ask_with_retries(self, request: Request) -> Reply:
        async with self._slots.here():
            attempt = 1
            while True:
                try:
                    return await self._ask_once(request)
                except ChatError as error:
                    if not await self._may_retry(error, attempt):
                        raise
                attempt += 1

    async def _ask_once(self, request: Request) -> Reply:
        async with self.budget.admit(self.backend.model, largest_usage(request)) as bill:
            try:
                reply = await self.backend.complete(request)
            except ChatError as error:
                bill.usage = error.usage
                raise
            except asyncio.CancelledError:
                bill.usage = estimated_usage(request)  # the prompt was sent, and what came of it nobody knows
                raise
            bill.usage = reply.usage
            return reply

    async def _stream(self, request: Request) -> AsyncGenerator[str | Reply, None]:
        key = await self._key(request)
        if (kept := await self._find(key)) is not None:
            for piece in kept.pieces:
                yield piece
            yield kept
            return
        async with self._slots.here(), aclosing(self._stream_with_retries(request)) as items:
            async for item in items:
                if isinstance(item, Reply):
                    await self._keep(key, item)
                yield item

    async def _stream_with_retries(self, request: Request) -> AsyncGenerator[str | Reply, None]:
        for attempt in itertools.count(1):
            begun = False
            try:
                async with aclosing(self._stream_once(request)) as items:
                    async for item in items:
                        begun = True
                        yield item
                    return
            except ChatError as error:
                if begun or not await self._may_retry(error, attempt):
                    raise

    async def _stream_once(self, request: Request) -> AsyncGenerator[str | Reply, None]:
        arrived: list[str] = []
        async with self.budget.admit(self.backend.model, largest_usage(request)) as bill:
            try:
                async with aclosing(self.backend.stream(request)) as items:
                    async for item in items:
                        if isinstance(item, Reply):
                            bill.usage = item.usage
                        else:
                            arrived.append(item)
                        yield item
            except ChatError as error:
                bill.usage = error.usage
                raise
            except (asyncio.CancelledError, GeneratorExit):
                bill.usage = bill.usage or estimated_usage(request, "".join(arrived))
                raise

    async def _may_retry(self, error: ChatError, attempt: int) -> bool:
        error.attempts = attempt
        _log.info("attempt %d: %s", attempt, error)
        return await self.retry.pause(error, attempt)

    async def _key(self, request: Request) -> str | None:
        """The cache's key, None where the answer must not be kept."""
        if self._cache is None or not request.sampling.is_repeatable:
            return None
        identity = await asyncio.to_thread(self.backend.identity)
        return self._cache.key(identity, request)

    async def _find(self, key: str | None) -> Reply | None:
        if self._cache is None or key is None:
            return None
        kept = await asyncio.to_thread(self._cache.find, key)
        if kept is not None:
            self.budget.count_cached()
        return kept

    async def _keep(self, key: str | None, reply: Reply) -> None:
        if self._cache is not None and key is not None:
            await asyncio.to_thread(self._cache.keep, key, reply)


class ReplyStream:
    """An answer that is still coming: iterate for its texts, then see ``reply``."""

    def __init__(self, items: AsyncIterator[str | Reply]) -> None:
        self._items = items
        self._reply: Reply | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        item = await anext(self._items)
        if isinstance(item, Reply):
            self._reply = item
            await anext(self._items, None)  # lets it end, so that the account is settled
            raise StopAsyncIteration
        return item

    @property
    def reply(self) -> Reply:
        """The whole answer and its usage. Raises RuntimeError before the stream has ended."""
        if self._reply is None:
            raise RuntimeError("the answer is still coming: iterate to its end first")
        return self._reply
