"""The width of the next window, from what passes cost on this machine and how many drafts they have accepted."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

__all__ = ["FixedWindow", "MeasuredWindow", "measured_window"]

_WIDTHS = (8, 16, 32, 64, 128)
_SETTLING = 3
"""Passes of a width, without another between, after which its drafts are as good as they get."""
_TRIALS = 4
"""Passes of each width, once settled, before one is chosen."""
_RECENT = 5
"""Passes of a width that its cost is taken from: their median, whatever else the machine did meanwhile."""
_DOUBT = 64
"""Passes after which the width that was tried longest ago is tried again: its cost may be that of a busy moment."""
_MEMORY = 0.95
"""What is left of a pass's weight in the running mean of acceptance a pass later: about 20 passes count."""
_BORROWED = 15.0
"""As many tested drafts of all widths stand for those of one that has few of its own."""


@dataclass(frozen=True, slots=True)
class FixedWindow:
    """Every window ``now`` tokens wide."""

    now: int

    def note(self, width: int, taken: Tensor, drafts: Tensor) -> None:
        """Nothing follows from a pass."""


@dataclass(slots=True)
class _Acceptance:
    """A running count of drafts that were accepted out of those that were tested; what is long ago fades."""

    accepted: float = 0.0
    tested: float = 0.0
    passes: int = 0

    def note(self, taken: Tensor, drafts: Tensor) -> None:
        """Rows with ``drafts`` [B] took ``taken`` [B] tokens."""
        self.accepted = _MEMORY * self.accepted + int(torch.minimum(taken - 1, drafts).clamp_min(0).sum())
        self.tested = _MEMORY * self.tested + int(torch.minimum(taken, drafts).sum())
        self.passes += 1


@dataclass(slots=True)
class MeasuredWindow:
    """Chooses ``now`` among widths up to ``largest`` so that a second brings the most tokens (sections 7 and 8).

    Each width is tried for a few passes, the narrowest first; from then on it is the one with the largest quotient of
    expected tokens and seconds, but that now and then another is tried again. `again` goes on with what was measured:
    only a model's first picture pays for trials. Acceptance is told apart by width, since a draft in a wide window
    has been improved by more passes before its test; for the same reason the first passes of a width do not count.

    What it chooses depends on finished tokens and on the clock, never on a draft that is yet to be tested, so the law
    of the output stays. ``clock`` gives seconds. Raises ValueError for ``largest`` below 1.
    """

    largest: int
    clock: Callable[[], float] = time.perf_counter
    now: int = field(init=False)
    _seconds: dict[int, deque[float]] = field(init=False)
    _latest: dict[int, int] = field(init=False)
    _passes: int = field(default=0, init=False)
    _alike: int = field(default=0, init=False)
    _retrying: bool = field(default=False, init=False)
    _apart: dict[int, _Acceptance] = field(init=False)
    _together: _Acceptance = field(default_factory=_Acceptance, init=False)
    _last: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.largest < 1:
            raise ValueError(f"the largest window has at least 1 token, not {self.largest}")
        widths = [*(width for width in _WIDTHS if width < self.largest), self.largest]
        self._seconds = {width: deque(maxlen=_RECENT) for width in widths}
        self._latest = dict.fromkeys(widths, 0)
        self._apart = {width: _Acceptance() for width in widths}
        self.now = widths[0]

    def again(self) -> MeasuredWindow:
        """One for another picture of the same model, that begins with what this one knows."""
        other = deepcopy(self)
        other._last = None  # what happened between two pictures was no pass
        return other

    def note(self, width: int, taken: Tensor, drafts: Tensor) -> None:
        """A pass of ``width`` tokens has ended, in which rows with ``drafts`` [B] took ``taken`` [B] tokens.

        Passes of a width that was not asked for, as the last ones of a picture are, tell nothing.
        """
        began, self._last = self._last, self.clock()
        if began is None or width not in self._seconds:
            return
        self._seconds[width].append(self._last - began)
        self._passes += 1
        self._alike = self._alike + 1 if self._latest[width] == self._passes - 1 else 1
        self._latest[width] = self._passes
        self._together.note(taken, drafts)
        if self._alike > _SETTLING:
            self._apart[width].note(taken, drafts)
        self.now = self._chosen()

    def _chosen(self) -> int:
        untried = [width for width, acceptance in self._apart.items() if acceptance.passes < _TRIALS]
        if untried:
            return untried[0]
        if self._passes % _DOUBT == 0:
            self._retrying = True
            return min(self._latest, key=self._latest.__getitem__)
        if self._retrying and self._alike < _SETTLING + _TRIALS:
            return self.now
        self._retrying = False
        return max(self._seconds, key=self.rate)

    def rate(self, width: int) -> float:
        """Tokens a second that a pass of ``width`` is expected to bring, once it was tried.

        A pass of W tokens takes (1 - a^W) / (1 - a) in the mean where each draft is accepted with probability a, which
        is the width's own share as far as it has been seen, and else that of all passes.
        """
        own, all_ = self._apart[width], self._together
        common = all_.accepted / all_.tested if all_.tested else 0.0
        share = (own.accepted + _BORROWED * common) / (own.tested + _BORROWED)
        tokens = float(width) if share >= 1 else (1 - share**width) / (1 - share)
        seconds = sorted(self._seconds[width])
        return tokens / seconds[(len(seconds) - 1) // 2]


_earlier: WeakKeyDictionary[Any, dict[tuple[int, int], MeasuredWindow]] = WeakKeyDictionary()


def measured_window(model: Any, rows: int, largest: int) -> MeasuredWindow:
    """A window for batches of ``rows`` that begins with what earlier ones of the same ``model`` have measured."""
    known = _earlier.setdefault(model, {})
    earlier = known.get((rows, largest))
    known[rows, largest] = MeasuredWindow(largest) if earlier is None else earlier.again()
    return known[rows, largest]
