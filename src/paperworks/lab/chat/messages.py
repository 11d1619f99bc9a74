"""What is said to a chat model: messages of text and images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .images import Image

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class Message:
    """One turn: who speaks (``"system"``, ``"user"`` or ``"assistant"``), and texts and images in their order.

    Raises ValueError for another role or nothing said, TypeError for a part that is neither text nor `Image`.
    """

    role: str
    parts: tuple[str | Image, ...]

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"a message's role is one of {', '.join(ROLES)}, not {self.role!r}")
        if not isinstance(self.parts, tuple) or not self.parts:
            raise ValueError("a message has a tuple of at least one part, such as ('What is this?',)")
        for part in self.parts:
            if not isinstance(part, str | Image):
                raise TypeError(f"a message is made of str and Image, not {type(part).__name__}; see user(...)")
            if isinstance(part, str) and not _is_unicode(part):
                raise ValueError(
                    "a message's text holds half a surrogate pair, which no encoding can send; decode it anew"
                )

    @property
    def text(self) -> str:
        """The texts, joined by line ends."""
        return "\n".join(part for part in self.parts if isinstance(part, str))

    @property
    def images(self) -> tuple[Image, ...]:
        """The images in their order."""
        return tuple(part for part in self.parts if isinstance(part, Image))

    def to_json(self) -> dict[str, Any]:
        """The message as the chat completions protocol writes it."""
        if not self.images:
            return {"role": self.role, "content": self.text}
        return {"role": self.role, "content": [_part_to_json(part) for part in self.parts]}


def user(*parts: str | Image | PILImage | Path | bytes) -> Message:
    """What the user says. A str is text; a PIL image, a path or bytes become an `Image`."""
    return Message("user", tuple(part if isinstance(part, str | Image) else Image.of(part) for part in parts))


def system(text: str) -> Message:
    """What the model is told before the conversation."""
    return Message("system", (text,))


def assistant(text: str) -> Message:
    """What the model said earlier, or is shown as an example of what to say."""
    return Message("assistant", (text,))


def as_messages(question: str | Message | Sequence[Message]) -> tuple[Message, ...]:
    """A conversation from what callers find handy. Raises ValueError where it is empty."""
    if isinstance(question, str):
        return (user(question),)
    messages = (question,) if isinstance(question, Message) else tuple(question)
    if not messages:
        raise ValueError("there is no message to answer; give a text, a Message or several")
    for message in messages:
        if not isinstance(message, Message):
            raise TypeError(f"a conversation is made of Message, not {type(message).__name__}; see user(...)")
    return messages


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _part_to_json(part: str | Image) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "image_url", "image_url": {"url": part.data_url}}
