"""An answer and what it cost in tokens."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .request import Request

IMAGE_TOKENS = 1500
"""What an image is taken for where nobody has counted it; what it really is differs between models and sizes."""
_BYTES_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 8  # role and delimiters, above what common chat templates write


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens read and written; ``estimated`` where the backend did not count them itself."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False

    @property
    def total(self) -> int:
        """Tokens read and written together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            estimated=self.estimated or other.estimated,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: ``pieces`` as they arrived, why it ended, its cost, the model as the backend names it.

    ``finish`` is ``"stop"`` at a natural end and ``"length"`` where max_tokens cut it. ``cached`` tells that it was
    read from the disk; ``usage`` is then what it had cost.
    """

    pieces: tuple[str, ...]
    usage: Usage
    finish: str = "stop"
    model: str = ""
    cached: bool = False

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(self.pieces)


def estimated_usage(request: Request, answer: str = "") -> Usage:
    """A guess at the tokens: four bytes of text each, and `IMAGE_TOKENS` an image."""
    return Usage(
        prompt_tokens=_overhead(request) + _tokens(_texts(request)),
        completion_tokens=_tokens([answer]),
        estimated=True,
    )


def largest_usage(request: Request) -> Usage | None:
    """More tokens than the answer can take, or None where nothing bounds it.

    A token of a byte-level vocabulary stands for at least one byte, so the bytes of the prompt bound its tokens.
    """
    if request.sampling.max_tokens is None:
        return None
    written = sum(len(text.encode()) for text in _texts(request))
    return Usage(prompt_tokens=_overhead(request) + written, completion_tokens=request.sampling.max_tokens)


def _texts(request: Request) -> Iterator[str]:
    """What the model reads; a server that holds it to a schema may well show it that too."""
    for message in request.messages:
        yield message.text
    if request.schema is not None:
        yield json.dumps(request.schema)


def _overhead(request: Request) -> int:
    return sum(_TOKENS_PER_MESSAGE + IMAGE_TOKENS * len(message.images) for message in request.messages)


def _tokens(texts: Iterable[str]) -> int:
    return sum(-(-len(text.encode(errors="replace")) // _BYTES_PER_TOKEN) for text in texts)
