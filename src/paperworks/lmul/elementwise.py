"""The reference matrix product: every product by ``lmul.mul``, summed in float64. Slow; tests hold the others to it."""

from __future__ import annotations

import torch

from .arithmetic import Arithmetic
from .multiply import mul

__all__ = ["multiply"]

_PRODUCTS_AT_ONCE = 1 << 21


def multiply(a: torch.Tensor, b: torch.Tensor, how: Arithmetic) -> torch.Tensor:
    """[B, M, K] and [B, K, N], rounded operands, give [B, M, N] in ``how.sum_dtype``.

    The adder's products are those of float32 (or float64) words; the formula's are exact, not rounded to a type.
    """
    batch, rows, terms = a.shape
    columns = b.shape[2]
    dtype = how.sum_dtype if how.variant == "carry" else torch.float64
    left, right = a.to(dtype), b.to(dtype)
    out = torch.empty(batch, rows, columns, dtype=how.sum_dtype, device=a.device)
    step = max(1, _PRODUCTS_AT_ONCE // max(1, terms * columns))
    for index in range(batch):
        for begin in range(0, rows, step):
            block = left[index, begin : begin + step, :, None]
            products = mul(block, right[index], variant=how.variant, offset=how.c)
            out[index, begin : begin + step] = products.double().sum(1).to(how.sum_dtype)
    return out
