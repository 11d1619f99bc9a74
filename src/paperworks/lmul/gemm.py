"""The printed formula as one ordinary matrix product of twice the length: exact, at the speed of the library's GEMM.

With P(x) = sign(x)·2^floor(log2|x|), an operand without its mantissa, the formula 2^(ex+ey)(1 + a + b + c) is
x·P(y) + P(x)·(y + (c-1)·P(y)). So A (x) B = [A | P(A)] @ [P(B) ; B + (c-1)·P(B)]. Every factor fits the operands' own
type: y + (c-1)·P(y) = P(y)·(b + c) needs one bit before the point and k behind it.
"""

from __future__ import annotations

import torch

from . import split
from .arithmetic import Arithmetic, power

__all__ = ["multiply", "prepare"]


def multiply(
    a: torch.Tensor, b: torch.Tensor, how: Arithmetic, prepared: torch.Tensor | None = None
) -> tuple[torch.Tensor, bool]:
    """[B, M, K] (x) [B, K, N] in the operands' type; and whether all of them were finite.

    Sums are the library's: float32 inside a bfloat16 or float16 GEMM. ``prepared``: what :func:`prepare` made of ``b``.
    """
    left, sound = _left(a, how)
    right, sound_right = _right(b, how) if prepared is None else (prepared, True)
    product = torch.mm(left[0], right[0])[None] if left.shape[0] == 1 else torch.bmm(left, right)
    return product, sound and sound_right


def prepare(b: torch.Tensor, how: Arithmetic) -> torch.Tensor | None:
    """[P(B) ; B + (c-1)·P(B)], [B, 2K, N], to keep for many products; None where numbers are not finite."""
    right, sound = _right(b, how, keep=True)
    return right if sound else None


def _left(a: torch.Tensor, how: Arithmetic) -> tuple[torch.Tensor, bool]:
    if how.only_drops_bits and split.fits(a):
        return split.halves(a.contiguous(), how, right=False)
    x = how.ready(a)
    return torch.cat([x, power(x)], dim=2), bool(x.isfinite().all())


def _right(b: torch.Tensor, how: Arithmetic, keep: bool = False) -> tuple[torch.Tensor, bool]:
    if how.only_drops_bits and split.fits(b):
        if b.mT.is_contiguous() and not b.is_contiguous():
            halves, sound = split.halves(b.mT, how, right=True, keep=keep)
            return halves.mT, sound
        halves, sound = split.halves(b.contiguous().flatten(1)[:, None], how, right=True, keep=keep)
        return halves.view(b.shape[0], 2 * b.shape[1], b.shape[2]), sound
    y = how.ready(b)
    p = power(y)
    return torch.cat([p, torch.add(y, p, alpha=how.c - 1)], dim=1), bool(y.isfinite().all())
