"""Random numbers that belong to a chain or a row, never to a thread: splitmix64, whose state is a plain counter.

A stream is a 64-bit key; its n-th number is a hash of ``key + n * GOLDEN`` (Steele, Lea and Flood 2014).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .compiled import compiled, inner

__all__ = ["following", "stream", "stream_key", "uniform"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def stream_key(seed: int, *path: int) -> Any:
    """The key of the streams for ``path`` (what, which round, ...) under ``seed``, a numpy uint64."""
    return np.random.SeedSequence([seed, *path]).generate_state(1, np.uint64)[0]


@compiled
def stream(key: Any, index: Any) -> Any:
    """The first state of stream ``index`` below ``key``."""
    return _mix(_mix(key) ^ _mix(np.uint64(index) * _GOLDEN + np.uint64(1)))


@inner
def following(state: Any) -> Any:
    """The state after ``state``."""
    return state + _GOLDEN


@compiled
def uniform(state: Any) -> Any:
    """The number in [0, 1) that belongs to ``state``."""
    return np.float64(_mix(state) >> np.uint64(11)) * 2.0**-53


@inner
def _mix(z: Any) -> Any:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
