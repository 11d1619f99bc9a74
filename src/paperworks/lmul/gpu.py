"""Backends on a GPU: the integer kernel, and bit-true L-Mul as one product of float8 words (section 7.2a)."""

from __future__ import annotations

import torch

from . import table, triton_kernels
from .arithmetic import Arithmetic, power

__all__ = ["multiply_adder", "multiply_float8"]

_SMALLEST_POWER, _LARGEST_POWER = -16, 15  # of two in float8 e5m2, the subnormal ones included
_LARGEST_E4M3 = 448.0


def multiply_adder(
    a: torch.Tensor, b: torch.Tensor, how: Arithmetic, prepared: torch.Tensor | None = None
) -> tuple[torch.Tensor, bool]:
    """[B, M, K] (x) [B, K, N] in float32, any k; and whether all operands were finite."""
    x, y = how.ready(a).float(), how.ready(b).float()
    return triton_kernels.adder(x, y, how), bool(x.isfinite().all()) and bool(y.isfinite().all())


def multiply_float8(
    a: torch.Tensor, b: torch.Tensor, how: Arithmetic, prepared: torch.Tensor | None = None
) -> tuple[torch.Tensor, bool]:
    """[B, M, K] (x) [B, K, N] in float32, k up to 3; and whether all operands were finite.

    Rows of a and columns of b are shifted by powers of two into the range of float8, which is narrow: 32 binades for a,
    15 for b. Where a number does not fit, the product is the table's in float32, so that it is exact in either case.
    """
    x, y = how.ready(a).float(), how.ready(b).float()
    if not (bool(x.isfinite().all()) and bool(y.isfinite().all())):
        return table.multiply(a, b, how)
    left_shift = _LARGEST_POWER - _exponent(x.abs().amax(2, keepdim=True))
    left = torch.ldexp(x, left_shift)
    spread = table.prepare(b, how)
    assert spread is not None  # b is finite
    largest = spread.abs().amax(1, keepdim=True)
    right_shift = -_exponent(largest / _LARGEST_E4M3 * 2)  # a largest number of 224 to 448
    scaled = torch.ldexp(spread, right_shift)
    right = scaled.to(torch.float8_e4m3fn)
    left_fits = bool(((power(left).abs() >= 2.0**_SMALLEST_POWER) | (x == 0)).all())
    if not (left_fits and torch.equal(right.float(), scaled)):
        return table.multiply(a, b, how)
    product = triton_kernels.one_hot(left, right, how)
    return torch.ldexp(torch.ldexp(product, -left_shift), -right_shift), True


def _exponent(x: torch.Tensor) -> torch.Tensor:
    """floor(log2(x)) as int32; 0 for 0."""
    return torch.where(x > 0, torch.frexp(x).exponent - 1, 0)
