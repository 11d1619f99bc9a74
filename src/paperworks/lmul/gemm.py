"""The printed formula as one ordinary matrix product of twice the length: exact, at the speed of the library's GEMM.

With P(x) = sign(x)·2^floor(log2|x|), an operand without its mantissa, the formula 2^(ex+ey)(1 + a + b + c) is
x·P(y) + P(x)·(y + (c-1)·P(y)). So A (x) B = [A | P(A)] @ [P(B) ; B + (c-1)·P(B)]. Every factor fits the operands' own
type: y + (c-1)·P(y) = P(y)·(b + c) needs one bit before the point and k behind it.
"""

from __future__ import annotations

import torch

from . import split
from .arithmetic import Arithmetic
from .operands import bits_of, format_of, rounded, sign_mask, to_float

__all__ = ["multiply", "power", "prepare"]


def multiply(
    a: torch.Tensor, b: torch.Tensor, how: Arithmetic, prepared: torch.Tensor | None = None
) -> tuple[torch.Tensor, bool]:
    """[B, M, K] (x) [B, K, N] in the operands' type; and whether the result is finite as far as one can tell.

    Sums are the library's: float32 inside a bfloat16 or float16 GEMM. ``prepared``: what :func:`prepare` made of ``b``.
    """
    left = _left(a, how)
    right = _right(b, how) if prepared is None else prepared
    product = torch.mm(left[0], right[0])[None] if left.shape[0] == 1 else torch.bmm(left, right)
    return product, bool(product.sum(dtype=how.sum_dtype).isfinite())


def prepare(b: torch.Tensor, how: Arithmetic) -> torch.Tensor:
    """[P(B) ; B + (c-1)·P(B)], [B, 2K, N], to keep for many products."""
    return _right(b, how)


def power(x: torch.Tensor, how: Arithmetic) -> torch.Tensor:
    """P(x): operands with an empty mantissa, zero for zero and subnormals; of the type of ``x``."""
    return _power(_rounded(x, how))


def _left(a: torch.Tensor, how: Arithmetic) -> torch.Tensor:
    if how.only_drops_bits and split.fits(a):
        return split.halves(a.contiguous(), how, right=False)
    x = _rounded(a, how)
    return torch.cat([x, _power(x)], dim=2)


def _right(b: torch.Tensor, how: Arithmetic) -> torch.Tensor:
    if how.only_drops_bits and split.fits(b):
        if b.mT.is_contiguous() and not b.is_contiguous():
            return split.halves(b.mT, how, right=True).mT
        return split.halves(b.contiguous().flatten(1)[:, None], how, right=True).view(b.shape[0], -1, b.shape[2])
    y = _rounded(b, how)
    p = _power(y)
    return torch.cat([p, torch.add(y, p, alpha=how.c - 1)], dim=1)


def _rounded(x: torch.Tensor, how: Arithmetic) -> torch.Tensor:
    if not how.only_drops_bits:
        return x
    fmt = format_of(x)
    bits = bits_of(x, fmt)
    magnitude = rounded(bits & fmt.magnitude_mask, fmt, how.rounding)
    return to_float(magnitude | (bits & sign_mask(fmt)), fmt)


def _power(x: torch.Tensor) -> torch.Tensor:
    fmt = format_of(x)
    return to_float(bits_of(x, fmt) & -fmt.smallest_normal, fmt)
