"""The chat completions protocol as it arrives: bodies and chunks, read without trusting any of it."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .reply import Usage

_MOST_WORDS = 300
_FILTERED = "content_filter"
_UNPAIRED = re.compile("[\ud800-\udfff]")  # JSON can write half a surrogate pair, and nothing can send it on


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one body or one chunk says. ``finish`` and ``usage`` are None where it does not say."""

    text: str | None = None
    refusal: str | None = None
    finish: str | None = None
    usage: Usage | None = None
    model: str = ""


class ServerError(ValueError):
    """The server reports a failure of its own where an answer was due."""


def read_completion(body: Any) -> Part:
    """A whole answer. Raises ValueError, which says what is amiss, where ``body`` is none."""
    if not isinstance(body, Mapping):
        raise ValueError(f"a chat completion is an object, not {_kind(body)}")
    part = _read(body, "message")
    if part.finish is None and part.text is None and part.refusal is None:
        raise ValueError(
            f"the completion has no choices; it holds {', '.join(map(str, body)) or 'nothing'}"[:_MOST_WORDS]
        )
    if part.text is None and part.refusal is None and part.finish != "length":
        raise ValueError(f"the message's content is null, without a refusal (finish_reason {part.finish!r})")
    return part


def read_chunk(body: Any) -> Part:
    """One chunk of a stream; those without choices carry usage, or nothing. Raises ValueError where it is no chunk."""
    if not isinstance(body, Mapping):
        raise ValueError(f"a chunk is an object, not {_kind(body)}")
    return _read(body, "delta")


def words_of(body: Any) -> str:
    """What an error's body says to a person, in a line of at most 300 characters; markup is left out."""
    if isinstance(body, Mapping):
        inner = body.get("error", body)
        said = inner.get("message") if isinstance(inner, Mapping) else inner
        body = said if isinstance(said, str) else body
    text = body if isinstance(body, str) else repr(body) if body else ""
    text = re.sub(r"(?is)<(script|style|head)\b.*?</\1>|<[^>]*>", " ", text[: 50 * _MOST_WORDS])
    text = " ".join(html.unescape(text).split())
    return text if len(text) <= _MOST_WORDS else f"{text[:_MOST_WORDS]}..."


def _read(body: Mapping[str, Any], name: str) -> Part:
    if body.get("error"):
        raise ServerError(words_of(body))
    choice = _first(body.get("choices"))
    message = choice.get(name) or {}
    if not isinstance(message, Mapping):
        raise ValueError(f"choices[0].{name} is {_kind(message)}, not an object")
    finish = _text_or_none(choice, "finish_reason")
    refusal = _text_or_none(message, "refusal")
    if finish == _FILTERED and refusal is None:
        refusal = "a content filter withheld the answer"
    model = body.get("model")
    return Part(
        text=_text_or_none(message, "content"),
        refusal=refusal,
        finish=finish,
        usage=_usage(body.get("usage")),
        model=model if isinstance(model, str) else "",
    )


def _first(choices: Any) -> Mapping[str, Any]:
    if not choices:
        return {}
    if not isinstance(choices, list) or not isinstance(choices[0], Mapping):
        raise ValueError(f"choices is {_kind(choices)}, not a list of objects")
    return choices[0]


def _text_or_none(part: Mapping[str, Any], name: str) -> str | None:
    text = part.get(name)
    if text is not None and not isinstance(text, str):
        raise ValueError(f"{name} is {_kind(text)}, not a text")
    return None if text is None else _UNPAIRED.sub("\N{REPLACEMENT CHARACTER}", text)


def _usage(told: Any) -> Usage | None:
    """The server's count, or None where it is absent or no pair of counts: then it is estimated."""
    if not isinstance(told, Mapping):
        return None
    counts = (told.get("prompt_tokens"), told.get("completion_tokens", 0))
    if not all(isinstance(count, int) and not isinstance(count, bool) and count >= 0 for count in counts):
        return None
    return Usage(prompt_tokens=told["prompt_tokens"], completion_tokens=told.get("completion_tokens", 0))


def _kind(value: Any) -> str:
    names = {type(None): "null", list: "a list", dict: "an object", str: "a text", bool: "a truth value"}
    return names.get(type(value), "a number")
