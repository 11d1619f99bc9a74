"""The width of the next window, from what passes cost on this machine and how many drafts they have accepted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

__all__ = ["FixedWindow", "MeasuredWindow"]

_WIDTHS = (8, 16, 32, 64, 128)
_TRIALS = 2
"""Passes of each width before one is chosen. The cheaper one counts, since a first pass of a kind sets things up."""
_MEMORY = 0.95
"""What is left of a pass's weight in the running mean of acceptance a pass later: about 20 passes count."""


@dataclass(frozen=True, slots=True)
class FixedWindow:
    """Every window ``now`` tokens wide."""

    now: int

    def note(self, width: int, taken: Tensor, drafts: Tensor) -> None:
        """Nothing follows from a pass."""


@dataclass(slots=True)
class _Record:
    """What passes of one width cost, the cheapest first, and how many drafts they accepted of those they tested."""

    seconds: list[float] = field(default_factory=list)
    accepted: float = 0.0
    tested: float = 0.0

    def tokens(self, width: int) -> float:
        """Tokens that a pass of ``width`` is expected to take: (1 - a^W) / (1 - a) where a is the share accepted."""
        if not self.tested:
            return 1.0
        share = self.accepted / self.tested
        return float(width) if share >= 1 else (1 - share**width) / (1 - share)


@dataclass(slots=True)
class MeasuredWindow:
    """Chooses ``now`` among widths up to ``largest`` so that a second brings the most tokens (sections 7 and 8).

    Each width is tried twice; from then on it is the one with the largest quotient of expected tokens and seconds.
    Acceptance is told apart by width, since a draft in a wide window has been improved by more passes before its test.

    What it chooses depends on finished tokens and on the clock, never on a draft that is yet to be tested, so the law
    of the output stays. ``clock`` gives seconds. Raises ValueError for ``largest`` below 1.
    """

    largest: int
    clock: Callable[[], float] = time.perf_counter
    now: int = field(init=False)
    _records: dict[int, _Record] = field(init=False)
    _last: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.largest < 1:
            raise ValueError(f"the largest window has at least 1 token, not {self.largest}")
        self._records = {width: _Record() for width in (*(w for w in _WIDTHS if w < self.largest), self.largest)}
        self.now = self.largest

    def note(self, width: int, taken: Tensor, drafts: Tensor) -> None:
        """A pass of ``width`` tokens has ended, in which rows with ``drafts`` [B] took ``taken`` [B] tokens.

        Passes of a width that was not asked for, as the last ones of a picture are, tell nothing.
        """
        began, self._last = self._last, self.clock()
        if began is None or width not in self._records:
            return
        record = self._records[width]
        record.seconds = sorted([*record.seconds, self._last - began])[:_TRIALS]
        record.accepted = _MEMORY * record.accepted + int(torch.minimum(taken - 1, drafts).clamp_min(0).sum())
        record.tested = _MEMORY * record.tested + int(torch.minimum(taken, drafts).sum())
        self.now = self._chosen()

    def _chosen(self) -> int:
        untried = [width for width, record in self._records.items() if len(record.seconds) < _TRIALS]
        if untried:
            return untried[-1]
        return max(self._records, key=self.rate)

    def rate(self, width: int) -> float:
        """Tokens a second that a pass of ``width`` is expected to bring, once it was tried."""
        record = self._records[width]
        return record.tokens(width) / record.seconds[0]
