"""Operands of the formula's doubled GEMM in one pass over memory, on the CPU."""

from __future__ import annotations

from typing import Any

import numba
import torch

from .arithmetic import Arithmetic
from .formats import FORMATS
from .kernels import DROP, HALF, INFINITY, MASK, ODD, ONE, SIZE, rounding_rule

__all__ = ["fits", "halves"]

_RUN = 4096  # words between the two passes over a run: both halves of it stay in the level-1 cache


def fits(x: torch.Tensor) -> bool:
    """Whether :func:`halves` can take a tensor: float32 or float64 in main memory."""
    return x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64)


def halves(x: torch.Tensor, how: Arithmetic, *, right: bool) -> torch.Tensor:
    """Each row of ``x`` [B, R, L] beside its P, [B, R, 2L]: [x | P(x)], or [P(x) | x + (c-1)·P(x)] for ``right``."""
    name = str(x.dtype).removeprefix("torch.")
    rule = rounding_rule(FORMATS[name], how.mantissa_bits, how.rounding.mode == "nearest", how.c)
    words = x.detach().view(torch.int32 if name == "float32" else torch.int64)
    out = torch.empty(*x.shape[:2], 2 * x.shape[2], dtype=x.dtype)
    floats = out.flatten(0, 1).numpy()
    _split(words.flatten(0, 1).numpy(), rule, floats.view(rule.dtype), floats, floats.dtype.type(how.c - 1), right)
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy", boundscheck=False)
def _split(words: Any, rule: Any, ints: Any, floats: Any, scale: Any, right: bool) -> None:
    half, odd, drop, mask = rule[HALF], rule[ODD], rule[DROP], rule[MASK]
    one, infinity, size = rule[ONE], rule[INFINITY], rule[SIZE]
    rows, length = words.shape
    plain, power = (length, 0) if right else (0, length)
    for row in range(rows):
        for begin in range(0, length, _RUN):
            end = min(length, begin + _RUN)
            for i in range(begin, end):
                word = words[row, i]
                before = word & size
                kept = (word + half + ((word >> drop) & odd)) & mask
                kept = kept if before < infinity else word
                kept = kept if before >= one else word * 0
                ints[row, plain + i] = kept
                ints[row, power + i] = kept & -one
            if right:
                for i in range(begin, end):
                    floats[row, plain + i] += scale * floats[row, power + i]
