"""The derivative of L-Mul almost everywhere (``grad="exact"``, section 2.7).

With s = a + b + c, d(x (x) y)/dx is P(y) for the formula and P(y)·2^floor(s) for the adder, where P(y) is y without its
mantissa; 0 where the product is zero. Rounding of operands counts as the identity.
"""

from __future__ import annotations

import torch

from .arithmetic import Arithmetic, arithmetic, power
from .multiply import mul
from .operands import format_of

__all__ = ["derivatives"]

_PRODUCTS_AT_ONCE = 1 << 21


@torch.library.custom_op("paperworks::lmul_derivatives", mutates_args=())
def derivatives(
    out: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    mantissa_bits: int,
    variant: str,
    rounding: str,
    c: float,
    exponent_bits: int,
    scale: str,
    seed: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients of [B, M, K] and [B, K, N] from that of their product, ``out`` [B, M, N]."""
    how = arithmetic(format_of(a), mantissa_bits, variant, rounding, c, exponent_bits or None, scale or None)
    x, y = how.rounded(a, b, seed)
    if variant == "formula":
        px, py = power(x), power(y)
        return torch.matmul(out, py.mT), torch.matmul(px.mT, out)
    left, right = _adder(out.to(how.sum_dtype), x.to(how.sum_dtype), y.to(how.sum_dtype), how)
    return left.to(a.dtype), right.to(b.dtype)


@derivatives.register_fake
def _(out: torch.Tensor, a: torch.Tensor, b: torch.Tensor, *settings: object) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.empty_like(a), torch.empty_like(b)


def _adder(out: torch.Tensor, x: torch.Tensor, y: torch.Tensor, how: Arithmetic) -> tuple[torch.Tensor, torch.Tensor]:
    """The product's own power of two is P(x)·P(y)·2^floor(s): over P(x) it is the derivative by x, over P(y) by y."""
    px, py = power(x), power(y)
    left, right = torch.zeros_like(x), torch.zeros_like(y)
    step = max(1, _PRODUCTS_AT_ONCE // max(1, y.shape[1] * y.shape[2]))
    for index in range(x.shape[0]):
        for begin in range(0, x.shape[1], step):
            rows = slice(begin, begin + step)
            products = mul(x[index, rows, :, None], y[index], offset=how.c)
            terms = power(products) * out[index, rows, None, :]
            left[index, rows] = terms.sum(2)
            right[index] += terms.sum(0)
    return _over(left, px), _over(right, py)


def _over(total: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
    return torch.where(by == 0, 0, total / by)
