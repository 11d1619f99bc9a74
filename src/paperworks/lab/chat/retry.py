"""When to ask again: exponential backoff with jitter, and the server's own word where it gives one."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from .errors import ChatError


@dataclass(frozen=True, kw_only=True)
class Retry:
    """How failures that may pass are met.

    Up to ``attempts`` in all. The pause after the n-th doubles from ``first_s`` up to ``longest_s``, and its upper
    half is drawn at random, so that many clients do not come back at once. A ``Retry-After`` lengthens the pause; one
    beyond ``patience_s`` is not waited for. ``sleep``, ``random`` (0 up to 1) and ``clock`` (seconds since 1970) can
    be put in for tests.
    """

    attempts: int = 5
    first_s: float = 0.5
    longest_s: float = 30.0
    patience_s: float = 120.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts is at least 1, not {self.attempts}")
        if not 0 <= self.first_s <= self.longest_s:
            raise ValueError(
                f"pauses grow from first_s={self.first_s} to longest_s={self.longest_s}: 0 <= first <= longest"
            )

    async def pause(self, error: ChatError, attempt: int) -> bool:
        """Wait after the ``attempt``-th failure (from 1); False, at once, where there shall be no further attempt."""
        seconds = self.pause_s(error, attempt)
        if seconds is None:
            return False
        await self.sleep(seconds)
        return True

    def pause_s(self, error: ChatError, attempt: int) -> float | None:
        """Seconds to wait after the ``attempt``-th failure; None where there shall be no further attempt."""
        if not error.retriable or attempt >= self.attempts:
            return None
        asked = self._asked_s(error.retry_after)
        if asked > self.patience_s:
            return None
        full = min(self.longest_s, self.first_s * 2.0 ** min(attempt - 1, 60))
        return max(asked, full * (0.5 + 0.5 * self.random()))

    def _asked_s(self, header: str | None) -> float:
        """The seconds that a Retry-After header asks for, as a number or a date (RFC 9110, 10.2.3); 0 for neither."""
        if header is None:
            return 0.0
        try:
            seconds = float(header)
        except ValueError:
            try:
                seconds = parsedate_to_datetime(header).timestamp() - self.clock()
            except (ValueError, OverflowError):
                return 0.0
        return max(0.0, seconds) if math.isfinite(seconds) else 0.0
