"""What can go wrong with a chat model, as far as a caller would treat it differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .reply import Reply, Usage


class ChatError(RuntimeError):
    """The model did not answer; the message says why in one sentence and holds no secret.

    ``status`` is the HTTP status where a server gave one. ``retriable`` tells whether asking again may help, and
    ``retry_after`` is the server's own word on when (the header's text). ``usage`` is what the attempt cost all the
    same, where that is known or can be estimated. ``partial`` is the text that had arrived. ``attempts`` counts how
    often it was tried.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retriable: bool = False,
        retry_after: str | None = None,
        usage: Usage | None = None,
        partial: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retriable = retriable
        self.retry_after = retry_after
        self.usage = usage
        self.partial = partial
        self.attempts = 1

    def __str__(self) -> str:
        said = super().__str__()
        return said if self.attempts == 1 else f"{said} (tried {self.attempts} times)"


class Refused(ChatError):
    """The model, or a filter behind it, declined to answer; asking again gives the same."""


class MalformedAnswer(ValueError):
    """Neither the answer nor the one repair of it has the form that was asked for; ``replies`` are both."""

    def __init__(self, message: str, replies: tuple[Reply, ...]) -> None:
        super().__init__(message)
        self.replies = replies


class BudgetExceeded(RuntimeError):
    """The budget is spent, so the question was not asked."""
