"""Suggestions by a language model behind OpenAI's protocol: names out, three columns at once, and never without an end.

A column that the model does not fill is filled by another engine, and says so. So a tutor is never left waiting.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

from paperworks.lab.chat import BudgetExceeded, Chat, ChatError, Message, Price, Sampling, Usage

from ..maths.problem import Problem
from . import prompt
from .leak import gives_away
from .names import NameMask
from .offline import unsolved_problem
from .request import Delta, HelpEngine, HelpRequest, Suggestion

SAMPLING = Sampling(temperature=0.7, max_tokens=120)
LONGEST = 300
"""Characters of a suggestion."""
PATIENCE_S = 20.0
"""What a column may take, retries included."""

_Piece = Delta | Suggestion


class ModelHelp:
    """Asks ``chat``; ``instead`` writes where the model does not, or where ``dollars_a_day`` are spent.

    ``price`` is what a million tokens cost in dollars; None for a server of one's own.
    """

    def __init__(
        self, chat: Chat, *, instead: HelpEngine, price: Price | None = None, dollars_a_day: float = 1.0
    ) -> None:
        self._chat = chat
        self._instead = instead
        self._price = price
        self._dollars_a_day = dollars_a_day

    @property
    def name(self) -> str:
        """The model's name."""
        return self._chat.backend.model

    async def suggest(self, request: HelpRequest) -> AsyncIterator[_Piece]:
        """The columns as they are written, all at once; leaving the iterator ends what is under way."""
        mask = NameMask(tutor=request.tutor_name, student=request.student_name, others=request.other_names)
        if self._price is not None and request.spent_usd >= self._dollars_a_day:
            note = "Today's budget for the model is spent: this is written without it."
            for column in range(len(request.strategies)):
                async for other in self._otherwise(request, column, note):
                    yield other
            return
        unsolved = await asyncio.to_thread(unsolved_problem, request)  # the first algebra takes a quarter of a second
        pieces: asyncio.Queue[_Piece | None] = asyncio.Queue()
        columns = [
            asyncio.create_task(self._column(request, column, mask, unsolved, pieces))
            for column in range(len(request.strategies))
        ]
        try:
            left = len(columns)
            while left:
                if (piece := await pieces.get()) is None:
                    left -= 1
                else:
                    yield piece
            await asyncio.gather(*columns)
        finally:
            for task in columns:
                task.cancel()
            await asyncio.gather(*columns, return_exceptions=True)

    async def close(self) -> None:
        """Close the connections to the server."""
        await self._chat.close()
        await self._instead.close()

    async def _column(
        self,
        request: HelpRequest,
        column: int,
        mask: NameMask,
        unsolved: Problem | None,
        pieces: asyncio.Queue[_Piece | None],
    ) -> None:
        asked = prompt.messages(request, column, mask)
        try:
            suggestion = await self._written(request, column, mask, asked, pieces)
            if unsolved and gives_away(suggestion.text, unsolved):
                raise _GaveAway
        except (ChatError, BudgetExceeded, TimeoutError, _GaveAway) as error:
            note = f"The model {_failing(error)}: this is written without it."
            async for piece in self._otherwise(request, column, note, sent_out=_as_sent(asked)):
                flags = ("leak",) if isinstance(error, _GaveAway) else ()
                pieces.put_nowait(replace(piece, flags=flags) if isinstance(piece, Suggestion) else piece)
        else:
            pieces.put_nowait(suggestion)
        finally:
            pieces.put_nowait(None)

    async def _written(
        self,
        request: HelpRequest,
        column: int,
        mask: NameMask,
        asked: list[Message],
        pieces: asyncio.Queue[_Piece | None],
    ) -> Suggestion:
        """The model's suggestion; its deltas on the way. Raises ChatError, also where nothing of use came."""
        restored = _Restored(mask)
        async with asyncio.timeout(PATIENCE_S), self._chat.stream(asked, SAMPLING) as stream:
            async for text in stream:
                if new := restored.add(text):
                    pieces.put_nowait(Delta(column=column, text=new))
        text = one_sentence(mask.restore(stream.reply.text))
        if not text:
            raise ChatError("the model wrote nothing")
        usage = stream.reply.usage
        return Suggestion(
            column=column,
            strategy=request.strategies[column],
            text=text,
            engine=self.name,
            sent_out=_as_sent(asked),
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cost_usd=self._cost(usage),
        )

    def _cost(self, usage: Usage) -> float:
        return self._price.of(usage) if self._price is not None else 0.0

    async def _otherwise(
        self, request: HelpRequest, column: int, note: str, *, sent_out: str = ""
    ) -> AsyncIterator[_Piece]:
        """The other engine's suggestion for one column.

        It is asked for this column and those before it that have the same strategy, so that their sentences differ.
        """
        strategy = request.strategies[column]
        same = (strategy,) * request.strategies[: column + 1].count(strategy)
        last: Suggestion | None = None
        async for piece in self._instead.suggest(replace(request, strategies=same)):
            if isinstance(piece, Suggestion):
                last = piece
        if last is not None:
            yield replace(last, column=column, note=note, sent_out=sent_out)


class _GaveAway(Exception):
    """The model's suggestion has the answer that the student is to find."""


def _failing(error: Exception) -> str:
    if isinstance(error, _GaveAway):
        return "gave the answer away"
    return "took too long" if isinstance(error, TimeoutError) else "did not answer"


class _Restored:
    """A text with placeholders that comes in pieces: what may be the beginning of a placeholder waits for its end."""

    def __init__(self, mask: NameMask) -> None:
        self._mask = mask
        self._held = ""

    def add(self, piece: str) -> str:
        self._held += piece
        cut = self._held.rfind("[")
        if cut < 0 or "]" in self._held[cut:] or len(self._held) - cut > 20:
            cut = len(self._held)
        ready, self._held = self._held[:cut], self._held[cut:]
        return self._mask.restore(ready)


def one_sentence(text: str) -> str:
    """What a model wrote as a message of a tutor: its first line, plain, without quotation marks, not too long."""
    lines = [line for line in text.splitlines() if line.strip()]
    plain = "".join(c for c in (lines[0] if lines else "") if unicodedata.category(c) not in {"Cc", "Cf", "Cs"})
    plain = " ".join(plain.split()).strip("\"'“”„*` ")
    if len(plain) <= LONGEST:
        return plain
    with suppress(ValueError):
        return plain[: plain.rindex(" ", 0, LONGEST)] + " …"
    return plain[:LONGEST]


def _as_sent(asked: list[Message]) -> str:
    return "\n\n".join(message.text for message in asked)
