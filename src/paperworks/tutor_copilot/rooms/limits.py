"""How often somebody may do something: a bucket of tokens that refills steadily."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic


class Bucket:
    """Allows ``rate`` a second on average, and ``burst`` at once."""

    def __init__(self, *, rate: float, burst: int, clock: Callable[[], float] = monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._at = clock()

    def take(self) -> bool:
        """True, and one less, where there is one left."""
        at = self._clock()
        self._tokens = min(self._burst, self._tokens + (at - self._at) * self._rate)
        self._at = at
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
