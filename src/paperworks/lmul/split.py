"""Operands of the formula's doubled GEMM in one pass over memory, on the CPU."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import torch

from .arithmetic import Arithmetic
from .formats import FORMATS
from .kernels import DROP, HALF, INFINITY, MASK, ODD, ONE, SIZE, rounding_rule

__all__ = ["fits", "halves"]

_WORDS = {torch.float32: torch.int32, torch.float64: torch.int64, torch.bfloat16: torch.int16}
_RUN = 1024  # words at a time: rounded, halved and written before they leave the level-1 cache

_COMPILE: Any = {"nogil": True, "error_model": "numpy", "boundscheck": False}


def fits(x: torch.Tensor) -> bool:
    """Whether :func:`halves` can take a tensor: float32, float64 or bfloat16 in main memory."""
    return x.device.type == "cpu" and x.dtype in _WORDS


def halves(x: torch.Tensor, how: Arithmetic, *, right: bool) -> tuple[torch.Tensor, bool]:
    """Each row of ``x`` [B, R, L] beside its P, [B, R, 2L]: [x | P(x)], or [P(x) | x + (c-1)·P(x)] for ``right``.

    And whether all numbers were finite; where not, those that are not may be anything.
    """
    name = "float64" if x.dtype == torch.float64 else "float32"  # bfloat16 is worked on as the upper half of float32
    rule = rounding_rule(FORMATS[name], how.mantissa_bits, how.rounding.mode == "nearest", how.c)
    words = x.detach().view(_WORDS[x.dtype]).flatten(0, 1)
    out = torch.empty(words.shape[0], 2 * words.shape[1], dtype=words.dtype)
    scratch = np.empty((2, _RUN), rule.dtype)
    numbers = scratch.view(name)
    run = _split_upper if x.dtype == torch.bfloat16 else _split
    sound = run(words.numpy(), rule, out.numpy(), scratch, numbers, numbers.dtype.type(how.c - 1), right)
    return out.view(x.dtype).view(*x.shape[:2], -1), bool(sound)


@numba.njit(inline="always", **_COMPILE)
def _halve(words: Any, rule: Any, out: Any, scratch: Any, numbers: Any, scale: Any, right: bool, shift: int) -> bool:
    """``shift`` and ``right`` are constants where this is called, which is what makes the loops vector loops."""
    half, odd, drop, mask = rule[HALF], rule[ODD], rule[DROP], rule[MASK]
    one, infinity, size = rule[ONE], rule[INFINITY], rule[SIZE]
    kept, power = scratch[0], scratch[1]
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
def _split(words: Any, rule: Any, out: Any, scratch: Any, numbers: Any, scale: Any, right: bool) -> bool:
    if right:
        return _halve(words, rule, out, scratch, numbers, scale, True, 0)
    return _halve(words, rule, out, scratch, numbers, scale, False, 0)


@numba.njit(cache=True, **_COMPILE)
def _split_upper(words: Any, rule: Any, out: Any, scratch: Any, numbers: Any, scale: Any, right: bool) -> bool:
    if right:
        return _halve(words, rule, out, scratch, numbers, scale, True, 16)
    return _halve(words, rule, out, scratch, numbers, scale, False, 16)
