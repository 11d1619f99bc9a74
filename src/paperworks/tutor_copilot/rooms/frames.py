"""What travels over a room's socket: JSON objects, one a frame, whose ``t`` says what they are."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from ..help.request import COLUMNS, Strategy
from ..store.messages import Kept

VERSION = 1
LARGEST = 8192
"""Bytes of a frame from a browser."""
LONGEST = 2000
"""Characters of a message."""

_Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class FrameError(ValueError):
    """A frame that is refused; ``code`` is for the script, the message for the person."""

    def __init__(self, code: str, says: str, *, about: str | None = None) -> None:
        super().__init__(says)
        self.code = code
        self.about = about


class _Frame(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Say(_Frame):
    """A message; ``id`` is the browser's own, and the same where it is sent again."""

    t: Literal["message"]
    id: _Id
    text: str
    suggestion: _Id | None = None

    @field_validator("text")
    @classmethod
    def _is_text(cls, text: str) -> str:
        """Line breaks stay; other control characters and halves of characters cannot be kept by every database."""
        return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cs"}).strip()


class Typing(_Frame):
    """Somebody began or stopped to write."""

    t: Literal["typing"]
    on: bool


class Ask(_Frame):
    """A tutor asks for suggestions: one strategy a column; ``instead`` are suggestions to be replaced."""

    t: Literal["help"]
    id: _Id
    strategies: Annotated[list[str], Field(min_length=1, max_length=COLUMNS)]
    instead: Annotated[list[_Id], Field(max_length=COLUMNS)] = []

    def chosen(self) -> tuple[Strategy, ...]:
        """The strategies. Raises FrameError for one that does not exist, with those that do."""
        try:
            return tuple(Strategy(name) for name in self.strategies)
        except ValueError as error:
            known = ", ".join(Strategy)
            raise FrameError("strategy", f"the strategies are {known}", about=self.id) from error


class Opinion(_Frame):
    """What a tutor thinks of a suggestion."""

    t: Literal["opinion"]
    suggestion: _Id
    kind: Literal["liked", "rejected", "too_hard"]


class Ping(_Frame):
    """A browser asks whether the connection is alive."""

    t: Literal["ping"]


FromBrowser = Say | Typing | Ask | Opinion | Ping
_ADAPTER: TypeAdapter[FromBrowser] = TypeAdapter(Annotated[FromBrowser, Field(discriminator="t")])


def parse(data: str | bytes) -> FromBrowser:
    """The frame that ``data`` is. Raises FrameError for anything else, without repeating what was sent."""
    if len(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")) > LARGEST:
        raise FrameError("too_big", f"a frame has at most {LARGEST} bytes")
    try:
        frame = _ADAPTER.validate_json(data)
    except (ValidationError, ValueError, RecursionError) as error:
        raise FrameError("malformed", "that was not understood") from error
    if isinstance(frame, Say):
        if not frame.text:
            raise FrameError("empty", "a message has at least one character", about=frame.id)
        if len(frame.text) > LONGEST:
            raise FrameError("too_long", f"a message has at most {LONGEST} characters", about=frame.id)
    return frame


def message(kept: Kept, parts: list[Any]) -> dict[str, Any]:
    """A message, as browsers of the room get it; ``parts`` are its text and mathematics."""
    return {
        "t": "message",
        "seq": kept.seq,
        "id": kept.client_id,
        "who": str(kept.role),
        "parts": parts,
        "at": kept.at.isoformat(timespec="seconds"),
    }


def error(refused: FrameError) -> dict[str, Any]:
    """A refusal."""
    return {"t": "error", "code": refused.code, "says": str(refused), "about": refused.about}
