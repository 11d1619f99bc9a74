"""Operands of the formula's doubled GEMM in one pass over memory, on the CPU."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import torch

from .arithmetic import Arithmetic
from .formats import FORMATS
from .kernels import DROP, HALF, INFINITY, MASK, ODD, ONE, SIZE, rounding_rule
from .scratch import aligned, scratch

__all__ = ["fits", "halves"]

_WORDS = {torch.float32: torch.int32, torch.float64: torch.int64, torch.bfloat16: torch.int16}
_RUN = 1024  # words at a time: rounded, halved and written before they leave the level-1 cache

_COMPILE: Any = {"nogil": True, "error_model": "numpy", "boundscheck": False}


def fits(x: torch.Tensor) -> bool:
    """Whether :func:`halves` can take a tensor: float32, float64 or bfloat16 in main memory."""
    return x.device.type == "cpu" and x.dtype in _WORDS


def halves(x: torch.Tensor, how: Arithmetic, *, right: bool, keep: bool = False) -> tuple[torch.Tensor, bool]:
    """Each row of ``x`` [B, R, L] beside its P, [B, R, 2L]: [x | P(x)], or [P(x) | x + (c-1)·P(x)] for ``right``.

    And whether all numbers were finite; where not, those that are not may be anything. Unless it is to be kept
    (``keep``), the result lies in memory that the next call for the same side takes again.
    """
    name = "float64" if x.dtype == torch.float64 else "float32"  # bfloat16 is worked on as the upper half of float32
    rule = rounding_rule(FORMATS[name], how.mantissa_bits, how.rounding.mode == "nearest", how.c)
    words = x.detach().view(_WORDS[x.dtype]).flatten(0, 1)
    shape, kind = (words.shape[0], 2 * words.shape[1]), words.numpy().dtype
    out = aligned(shape, kind) if keep else scratch("right" if right else "left", shape, kind)
    run_of_words = scratch("run", (2, _RUN), rule.dtype)
    numbers = run_of_words.view(name)
    run = _split_upper if x.dtype == torch.bfloat16 else _split
    sound = run(words.numpy(), rule, out, run_of_words, numbers, numbers.dtype.type(how.c - 1), right)
    return torch.from_numpy(out).view(x.dtype).view(*x.shape[:2], -1), bool(sound)


@numba.njit(inline="always", **_COMPILE)
def _halve(words: Any, rule: Any, out: Any, buffer: Any, numbers: Any, scale: Any, right: bool, shift: int) -> bool:
    """``shift`` and ``right`` are constants where this is called, which is what makes the loops vector loops."""
    half, odd, drop, mask = rule[HALF], rule[ODD], rule[DROP], rule[MASK]
    one, infinity, size = rule[ONE], rule[INFINITY], rule[SIZE]
    kept, power = buffer[0], buffer[1]
    kept_number, power_number = numbers[0], numbers[1]
    length = words.shape[1]
    largest = infinity * 0
    for row in range(words.shape[0]):
        for begin in range(0, length, _RUN):
            run = words[row, begin : min(length, begin + _RUN)]
            count = len(run)
            for i in range(count):
                word = (half * 0 + run[i]) << shift
                before = word & size
                largest = max(largest, before)
                word = (word + half + ((word >> drop) & odd)) & mask
                word = word if before >= one else word * 0
                kept[i] = word
                power[i] = word & -one
            first, second = out[row, begin : begin + count], out[row, length + begin : length + begin + count]
            if right:
                for i in range(count):
                    kept_number[i] += scale * power_number[i]
                for i in range(count):
                    first[i] = power[i] >> shift
                    second[i] = kept[i] >> shift
            else:
                for i in range(count):
                    first[i] = kept[i] >> shift
                    second[i] = power[i] >> shift
    return largest < infinity


@numba.njit(cache=True, **_COMPILE)
def _split(words: Any, rule: Any, out: Any, buffer: Any, numbers: Any, scale: Any, right: bool) -> bool:
    if right:
        return _halve(words, rule, out, buffer, numbers, scale, True, 0)
    return _halve(words, rule, out, buffer, numbers, scale, False, 0)


@numba.njit(cache=True, **_COMPILE)
def _split_upper(words: Any, rule: Any, out: Any, buffer: Any, numbers: Any, scale: Any, right: bool) -> bool:
    if right:
        return _halve(words, rule, out, buffer, numbers, scale, True, 16)
    if rule[HALF] or rule[ODD]:
        return _halve(words, rule, out, buffer, numbers, scale, False, 16)
    return _cut(words, np.int16(rule[MASK] >> 16), out)


@numba.njit(inline="always", **_COMPILE)
def _cut(words: Any, mask: Any, out: Any) -> bool:
    """The left half without rounding, on bfloat16's own words: twice as many to a vector as in float32."""
    exponents, signed = np.int16(0x7F80), np.int16(-0x80)
    length = words.shape[1]
    largest = np.int16(0)
    for row in range(words.shape[0]):
        first, second = out[row, :length], out[row, length:]
        for i in range(length):
            word = words[row, i]
            exponent = np.int16(word & exponents)
            largest = max(largest, exponent)
            kept = np.int16(word & mask) if exponent != 0 else np.int16(0)
            first[i] = kept
            second[i] = np.int16(kept & signed)
    return largest < exponents
