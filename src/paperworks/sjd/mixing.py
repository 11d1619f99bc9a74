"""SplitMix64 (Steele, Lea and Flood 2014) in 64-bit integers of torch: the same numbers on every device."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["GAMMA", "mixed", "unit"]

GAMMA = -7046029254386353131  # 0x9E3779B97F4A7C15, the odd step of SplitMix64, as a signed integer
_MIX = (-4658895280553007687, -7723592293110705685)  # 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_SHIFTS = (30, 27, 31)
_BITS = 52
_UNSIGNED_GAMMA, *_FACTORS = (np.int64(constant).view(np.uint64) for constant in (GAMMA, *_MIX))
_UNSIGNED_ROUNDS = tuple(zip(map(np.uint64, _SHIFTS), _FACTORS, strict=False))
_LAST_SHIFT = np.uint64(_SHIFTS[-1])
_CACHED = 2**15  # numbers that are mixed at a time, so that they stay in a core's cache


def mixed(x: Tensor) -> Tensor:
    """SplitMix64's output function after one step: every bit of the result depends on every bit of ``x`` (int64).

    On a CPU numpy does it, several times faster: it knows unsigned integers, and writes in place.
    """
    return torch.from_numpy(_mixed_by_numpy(x.numpy())) if x.device.type == "cpu" else _mixed_by_torch(x)


def unit(x: Tensor) -> Tensor:
    """The upper 52 bits as a number strictly between 0 and 1, float64."""
    return (_shifted(x, 64 - _BITS).double() + 0.5) * 2.0**-_BITS


def _mixed_by_torch(x: Tensor) -> Tensor:
    x = x + GAMMA
    for shift, factor in zip(_SHIFTS, _MIX, strict=False):
        x = (x ^ _shifted(x, shift)) * factor
    return x ^ _shifted(x, _SHIFTS[-1])


def _mixed_by_numpy(x: np.ndarray) -> np.ndarray:
    answer = x.astype(np.int64, order="C")
    flat = answer.reshape(-1).view(np.uint64)
    for start in range(0, flat.size, _CACHED):
        part = flat[start : start + _CACHED]
        part += _UNSIGNED_GAMMA
        for shift, factor in _UNSIGNED_ROUNDS:
            part ^= part >> shift
            part *= factor
        part ^= part >> _LAST_SHIFT
    return answer


def _shifted(x: Tensor, bits: int) -> Tensor:
    """A logical shift to the right, which torch's arithmetic one is after the sign's copies are masked off."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)
