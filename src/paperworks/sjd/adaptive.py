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
class MeasuredWindow:
    """Chooses ``now`` among widths up to ``largest`` so that a second brings the most tokens (sections 7 and 8).

    Each width is tried twice; from then on it is the one with the largest quotient of expected tokens and seconds. A
    pass of W tokens whose drafts are accepted with probability a each takes (1 - a^W) / (1 - a) tokens in the mean,
    and a is the running share of accepted ones among all tested drafts.

    What it chooses depends on finished tokens and on the clock, never on a draft that is yet to be tested, so the law
    of the output stays. ``clock`` gives seconds. Raises ValueError for ``largest`` below 1.
    """

    largest: int
    clock: Callable[[], float] = time.perf_counter
    now: int = field(init=False)
    _seconds: dict[int, list[float]] = field(init=False)
    _last: float | None = field(default=None, init=False)
    _accepted: float = field(default=0.0, init=False)
    _tested: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        if self.largest < 1:
            raise ValueError(f"the largest window has at least 1 token, not {self.largest}")
        self._seconds = {width: [] for width in (*(w for w in _WIDTHS if w < self.largest), self.largest)}
        self.now = self.largest

    def note(self, width: int, taken: Tensor, drafts: Tensor) -> None:
        """A pass of ``width`` tokens has ended, in which rows with ``drafts`` [B] took ``taken`` [B] tokens.

        Passes of a width that was not asked for, as the last ones of a picture are, tell of acceptance alone.
        """
        tested = int(torch.minimum(taken, drafts).sum())
        accepted = int(torch.minimum(taken - 1, drafts).clamp_min(0).sum())
        began, self._last = self._last, self.clock()
        if began is not None and width in self._seconds:
            self._seconds[width] = sorted([*self._seconds[width], self._last - began])[:_TRIALS]
        self._accepted = _MEMORY * self._accepted + accepted
        self._tested = _MEMORY * self._tested + tested
        self.now = self._chosen()

    def _chosen(self) -> int:
        untried = [width for width, seconds in self._seconds.items() if len(seconds) < _TRIALS]
        if untried:
            return untried[-1]
        return max(self._seconds, key=lambda width: self.expected_tokens(width) / self._seconds[width][0])

    def expected_tokens(self, width: int) -> float:
        """Tokens that a pass of ``width`` is expected to take."""
        if not self._tested:
            return 1.0
        share = self._accepted / self._tested
        return float(width) if share >= 1 else (1 - share**width) / (1 - share)
