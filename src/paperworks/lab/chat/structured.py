"""Answers of a given form: asked for natively where the backend can, else in words, and repaired once."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from .errors import ChatError, MalformedAnswer
from .messages import Message, assistant, system, user
from .reply import Reply
from .request import Request
from .schema import Form, parse

T = TypeVar("T")
Ask = Callable[[Request], Awaitable[Reply]]
_MOST_SHOWN = 8000
_UNSUPPORTED = {400, 404, 415, 422, 501}


@dataclass(frozen=True, slots=True)
class Structured(Generic[T]):
    """``value`` as it was asked for, and the ``replies`` that led to it: the second repaired the first."""

    value: T
    replies: tuple[Reply, ...]

    @property
    def repaired(self) -> bool:
        """Whether the first answer did not have the form."""
        return len(self.replies) > 1


class SchemaSupport:
    """Whether a backend takes a schema: as it says itself, until it refuses one."""

    def __init__(self, expected: bool) -> None:
        self.expected = expected

    async def ask(self, ask: Ask, request: Request, schema: Mapping[str, Any]) -> Reply:
        """The answer, held to the schema by the backend where it can be, else asked for in words.

        A refusal of the request may be the schema's fault; it is if the same question is answered without one.
        """
        refusal: ChatError | None = None
        if self.expected:
            try:
                return await ask(replace(request, schema=schema))
            except ChatError as error:
                if error.status not in _UNSUPPORTED:
                    raise
                refusal = error
        try:
            reply = await ask(replace(request, messages=_explained(request.messages, schema)))
        except ChatError as error:
            raise (error if refusal is None or error.status not in _UNSUPPORTED else refusal) from None
        self.expected = False
        return reply


async def ask_for(ask: Ask, request: Request, form: Form[T], support: SchemaSupport) -> Structured[T]:
    """The value of ``form`` that answers ``request``.

    An answer without the form is shown to the model once, with what is wrong. Raises MalformedAnswer where the second
    answer has it neither, and whatever ``ask`` raises.
    """
    first = await support.ask(ask, request, form.schema)
    try:
        return Structured(parse(first.text, form), (first,))
    except ValueError as error:
        fault = _told(error, first)
    again = replace(request, messages=(*request.messages, *_repair(first, fault, form.schema)))
    second = await support.ask(ask, again, form.schema)
    try:
        return Structured(parse(second.text, form), (first, second))
    except ValueError as error:
        said = f"first, {fault}; then, {_told(error, second)}"
    raise MalformedAnswer(f"{second.model} did not give the form that was asked for, twice: {said}", (first, second))


def _told(error: ValueError, reply: Reply) -> str:
    return f"{error} (it was cut at max_tokens)" if reply.finish == "length" else str(error)


def _explained(messages: tuple[Message, ...], schema: Mapping[str, Any]) -> tuple[Message, ...]:
    """The conversation with the schema in words; in the system message where there is one, since some take only one."""
    wish = f"Answer with JSON only, without any other text, and by this JSON schema:\n{json.dumps(schema)}"
    if messages[0].role == "system":
        return (replace(messages[0], parts=(*messages[0].parts, wish)), *messages[1:])
    return (system(wish), *messages)


def _repair(reply: Reply, fault: str, schema: Mapping[str, Any]) -> tuple[Message, Message]:
    said = reply.text or "(nothing)"
    shown = said if len(said) <= _MOST_SHOWN else f"{said[:_MOST_SHOWN]}... (cut)"
    wish = f"That is not what was asked for: {fault}. Answer again, with JSON only, by this JSON schema:"
    return assistant(shown), user(f"{wish}\n{json.dumps(schema)}")
