"""SplitMix64 (Steele, Lea and Flood 2014) in 64-bit integers of torch: the same numbers on every device."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["mixed", "stream", "unit"]

_GAMMA = -7046029254386353131  # 0x9E3779B97F4A7C15, the odd step of SplitMix64, as a signed integer
_MIX = (-4658895280553007687, -7723592293110705685)  # 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_BITS = 52


def mixed(x: Tensor) -> Tensor:
    """SplitMix64's output function after one step: every bit of the result depends on every bit of ``x``."""
    x = x + _GAMMA
    x = (x ^ _shifted(x, 30)) * _MIX[0]
    x = (x ^ _shifted(x, 27)) * _MIX[1]
    return x ^ _shifted(x, 31)


def unit(x: Tensor) -> Tensor:
    """The upper 52 bits as a number strictly between 0 and 1, float64."""
    return (_shifted(x, 64 - _BITS).double() + 0.5) * 2.0**-_BITS


def stream(keys: Tensor, length: int) -> Tensor:
    """For each of ``keys`` [N] that many numbers strictly between 0 and 1, float32 [N, length].

    They keep the relative precision of float32 down to 2^-53. On a CPU it is numpy that mixes, several times faster,
    since it knows unsigned integers and writes into the same few kilobytes again and again.
    """
    if keys.device.type == "cpu":
        whole = torch.from_numpy(_numpy_stream(keys.numpy(), length))
    else:
        steps = torch.arange(1, length + 1, device=keys.device) * _GAMMA
        whole = _shifted(mixed(keys[:, None] + steps), 64 - _BITS).float()
    return whole.add_(0.5).mul_(2.0**-_BITS)


def _numpy_stream(keys: np.ndarray, length: int) -> np.ndarray:
    """The upper 52 bits of SplitMix64's outputs after each of ``keys`` [N], float32 [N, length]."""
    gamma, first, second = (np.int64(constant).view(np.uint64) for constant in (_GAMMA, *_MIX))
    steps = np.arange(2, length + 2, dtype=np.uint64) * gamma  # `mixed` takes a step of its own
    x, high = np.empty_like(steps), np.empty_like(steps)
    answer = np.empty((len(keys), length), dtype=np.float32)
    for row, key in zip(answer, keys.view(np.uint64), strict=True):
        np.add(steps, key, out=x)
        for bits, factor in ((30, first), (27, second)):
            np.right_shift(x, np.uint64(bits), out=high)
            np.bitwise_xor(x, high, out=x)
            np.multiply(x, factor, out=x)
        np.right_shift(x, np.uint64(31), out=high)
        np.bitwise_xor(x, high, out=x)
        np.right_shift(x, np.uint64(64 - _BITS), out=x)
        np.copyto(row, x.view(np.int64), casting="unsafe")  # signed integers become floats faster
    return answer


def _shifted(x: Tensor, bits: int) -> Tensor:
    """A logical shift to the right, which torch's arithmetic one is after the sign's copies are masked off."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)
