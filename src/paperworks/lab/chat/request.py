"""One question as a backend gets it: the conversation, how to sample, and the form of the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .messages import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the answer is drawn.

    ``temperature`` 0 asks for the likeliest answer; None leaves it to the model. ``max_tokens`` bounds the answer.
    At ``stop`` strings the answer ends, without them. ``seed`` is sent to the model, which may honour it. ``sample``
    is not sent: it numbers the answers to one question, so that each can be kept apart.

    Raises ValueError for a number out of range.
    """

    temperature: float | None = 0.0
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    sample: int | None = None

    def __post_init__(self) -> None:
        if self.temperature is not None and not 0 <= self.temperature <= 2:
            raise ValueError(f"temperature lies in 0..2 or is None, not {self.temperature!r}")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p lies above 0 and up to 1, not {self.top_p!r}")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise ValueError(f"max_tokens is at least 1, not {self.max_tokens!r}")
        if not isinstance(self.stop, tuple) or not all(isinstance(text, str) and text for text in self.stop):
            raise ValueError(f"stop is a tuple of texts that are not empty, written ('END',); not {self.stop!r}")

    @property
    def is_repeatable(self) -> bool:
        """Whether an answer may stand for a later one to the same question: nothing is drawn, or the draw is named."""
        return self.temperature == 0 or self.seed is not None or self.sample is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """``schema`` is the JSON schema that the backend shall hold the answer to; only some can."""

    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    schema: Mapping[str, Any] | None = None
