"""The race of `noise.winners` on a CPU, compiled: in one reading of the laws, with hardly a logarithm.

An exponential number is -log(1 - y) of a uniform y, and never less than y. So a token of weight law is never faster
than law / y, and only one that beats the fastest so far even then needs its logarithm. It is the noise of
`noise.noise`, to the rounding of a logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from .mixing import GAMMA

__all__ = ["race_by_blocks", "race_of_all"]

_OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"nnan", "nsz", "contract"}}
_njit: Any = numba.njit
F = TypeVar("F", bound=Callable[..., object])


def _compiled(function: F) -> F:
    return cast(F, _njit(cache=True, **_OPTIONS)(function))


def _inlined(function: F) -> F:
    return cast(F, _njit(inline="always", **_OPTIONS)(function))


_GAMMA = np.int64(GAMMA).view(np.uint64)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31 = np.uint64(30), np.uint64(27), np.uint64(31)
_MIDDLE = np.uint64(2**63 - 2**12)
_ROUNDING = np.float32(1 - 2**-20)  # a margin, so that no rounding leaves the fastest token out
_NEVER = np.float32(-1)


@_inlined
def _mixed(x: Any) -> Any:
    x = x + _GAMMA
    x = (x ^ (x >> _30)) * _FIRST
    x = (x ^ (x >> _27)) * _SECOND
    return x ^ (x >> _31)


@_inlined
def _level(bits: Any) -> Any:
    """The uniform number, strictly between 0 and 1, by the middle 51 of ``bits``."""
    return (np.float32(np.int64(bits & _MIDDLE)) + np.float32(2.0**11)) * np.float32(2.0**-63)


@_inlined
def _exponential(level: Any) -> Any:
    return -math.log1p(-level)


@_compiled
def race_of_all(laws: Any, keys: Any, out: Any) -> None:
    """The winners of ``laws`` [N, V] in ``out`` [N] int64; ``keys`` [N] uint64 make the noise of every token."""
    for n in range(len(laws)):
        fastest, winner, law = _NEVER, 0, laws[n]
        for token in range(len(law)):
            level = _level(_mixed(keys[n] + np.uint64(token + 1) * _GAMMA))
            if law[token] > fastest * level * _ROUNDING:
                speed = law[token] / _exponential(level)
                if speed > fastest:
                    fastest, winner = speed, token
        out[n] = winner


@_compiled
def race_by_blocks(laws: Any, least_keys: Any, other_keys: Any, block: int, out: Any) -> None:
    """The same for noise that is made from the top down in blocks of ``block`` tokens, a power of 2.

    ``least_keys`` [N] make each block's least number, ``other_keys`` [N] what the others have more. The block that may
    have the fastest token is raced first: few others then may have a faster one.
    """
    vocabulary = laws.shape[1]
    blocks = -(-vocabulary // block)
    bounds, levels, bits = np.empty(blocks, laws.dtype), np.empty(blocks, np.float32), np.empty(blocks, np.uint64)
    share = np.float32(1 / block)
    for n in range(len(laws)):
        _highest(laws[n], bounds)
        _draw_least(least_keys[n], share, bits, levels)
        for b in range(blocks):
            bounds[b] /= levels[b]
        fastest, winner = _NEVER, 0
        for turn in range(-1, blocks):
            b = int(np.argmax(bounds)) if turn < 0 else turn
            if bounds[b] > fastest * _ROUNDING:
                least = _exponential(levels[b] * block) * share
                holder = np.int64(bits[b] & np.uint64(block - 1)) * blocks + b
                fastest, winner = _race(laws[n], b, blocks, least, holder, other_keys[n], fastest, winner)
        out[n] = winner


@_inlined
def _highest(law: Any, out: Any) -> None:
    """The weight of the likeliest token of each block; a block's tokens are as far apart as there are blocks."""
    blocks = len(out)
    out[:] = law[:blocks]
    for start in range(blocks, len(law), blocks):
        part = law[start : start + blocks]
        for b in range(len(part)):
            out[b] = max(out[b], part[b])


@_inlined
def _draw_least(key: Any, share: Any, bits: Any, levels: Any) -> None:
    """What is never more than the least number of each block, and the bits that it is made of."""
    for b in range(len(bits)):
        bits[b] = _mixed(key + np.uint64(b + 1) * _GAMMA)
        levels[b] = _level(bits[b]) * share


@_inlined
def _race(law: Any, b: int, blocks: int, least: Any, holder: int, key: Any, fastest: Any, winner: int) -> Any:
    """The fastest speed and its token, of what was so far and of block ``b``, whose ``least`` noise ``holder`` has."""
    for token in range(b, len(law), blocks):
        if law[token] > fastest * least * _ROUNDING:
            noise = least
            if token != holder:
                noise += _exponential(_level(_mixed(key + np.uint64(token + 1) * _GAMMA)))
            speed = law[token] / noise
            if speed > fastest:
                fastest, winner = speed, token
    return fastest, winner
