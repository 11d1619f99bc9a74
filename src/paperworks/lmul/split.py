"""Operands of the formula's doubled GEMM in one pass over memory, on the CPU."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import torch

from .arithmetic import Arithmetic
from .formats import FORMATS
from .packing import COMPILE, DROP, HALF, INFINITY, MASK, ODD, ONE, SCALE, SIZE, rounding_rule
from .scratch import aligned, scratch
from .words import narrow, number, shifted, word

__all__ = ["fits", "halves"]

_WORDS = {torch.float32: torch.int32, torch.float64: torch.int64, torch.bfloat16: torch.int16}


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
    words = x.detach().view(_WORDS[x.dtype]).flatten(0, 1).numpy()
    shape = (words.shape[0], 2 * words.shape[1])
    out = aligned(shape, words.dtype) if keep else scratch("right" if right else "left", shape, words.dtype)
    run = _split_upper if x.dtype == torch.bfloat16 else _split
    sound = run(words, rule, out, right)
    return torch.from_numpy(out).view(x.dtype).view(*x.shape[:2], -1), bool(sound)


@numba.njit(inline="always")
def _halve(words: Any, rule: Any, out: Any, right: bool, shift: int) -> bool:
    """``shift`` and ``right`` are constants where this is called, which is what makes the loop a vector loop."""
    half, odd, drop, mask = rule[HALF], rule[ODD], rule[DROP], rule[MASK]
    one, infinity, size, scale = rule[ONE], rule[INFINITY], rule[SIZE], number(rule[SCALE])
    zero = narrow(infinity * 0, rule)
    largest = zero
    length = words.shape[1]
    for row in range(words.shape[0]):
        first, second = out[row, :length], out[row, length:]
        for i in range(length):
            bits = narrow(narrow(words[row, i], rule) << shift, rule)
            before = narrow(bits & size, rule)
            largest = max(largest, before)
            bits = narrow((bits + half + (shifted(bits, drop) & odd)) & mask, rule)
            bits = bits if before >= one else zero
            power = narrow(bits & -one, rule)
            if right:
                first[i] = power >> shift
                second[i] = word(number(bits) + scale * number(power)) >> shift
            else:
                first[i] = bits >> shift
                second[i] = power >> shift
    return largest < infinity


@numba.njit(**COMPILE)
def _split(words: Any, rule: Any, out: Any, right: bool) -> bool:
    if right:
        return _halve(words, rule, out, True, 0)
    return _halve(words, rule, out, False, 0)


@numba.njit(**COMPILE)
def _split_upper(words: Any, rule: Any, out: Any, right: bool) -> bool:
    if right:
        return _halve(words, rule, out, True, 16)
    if rule[HALF] or rule[ODD]:
        return _halve(words, rule, out, False, 16)
    return _cut(words, np.int16(rule[MASK] >> 16), out)


@numba.njit(inline="always", **COMPILE)
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
