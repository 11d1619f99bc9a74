"""The adder by a few ordinary matrix products: APPROXIMATE (section 7.2c).

The table T of mantissa products (see ``table.py``) has full rank, so r terms of its singular value decomposition are
not exact: at k = 4 the root-mean-square deviation from the adder is 0.57, 0.31 and 0.19 % for r = 3, 5 and 8. L-Mul's
own error is about 3 %.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from .arithmetic import Arithmetic, power
from .significand import product_table
from .table import mantissas

__all__ = ["WIDEST", "factors", "multiply", "prepare"]

WIDEST = 10  # mantissa bits: the table is decomposed whole


def multiply(
    a: torch.Tensor, b: torch.Tensor, how: Arithmetic, prepared: torch.Tensor | None = None, *, terms: int
) -> tuple[torch.Tensor, bool]:
    """[B, M, K] (x) [B, K, N] in ``how.sum_dtype``, ``terms`` GEMMs long; and whether all operands were finite."""
    left = _side(a, how, 0, terms).flatten(2)
    right = prepare(b, how, terms=terms) if prepared is None else prepared
    return torch.bmm(left, right), bool(a.isfinite().all()) and bool(b.isfinite().all())


def prepare(b: torch.Tensor, how: Arithmetic, *, terms: int) -> torch.Tensor:
    """The right operand [B, K·terms, N], to keep for many products."""
    return _side(b, how, 1, terms).movedim(3, 2).flatten(1, 2)


def _side(x: torch.Tensor, how: Arithmetic, side: int, terms: int) -> torch.Tensor:
    """P(x) times the factors of its mantissa, [..., terms]."""
    if how.mantissa_bits > WIDEST:
        raise ValueError(f"backend 'lowrank' takes mantissa_bits up to {WIDEST}, not {how.mantissa_bits}")
    number = how.ready(x).to(how.sum_dtype)
    values = torch.from_numpy(factors(how.mantissa_bits, how.variant, how.c, terms)[side]).to(number)
    return values[mantissas(number, how.mantissa_bits)] * power(number)[..., None]


@lru_cache(maxsize=64)
def factors(k: int, variant: str, c: float, terms: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """u and v, [2^k, terms] each, whose u·v' is the best approximation of the table T in the sum of squares."""
    left, singular, right = np.linalg.svd(product_table(k, variant, c))
    root = np.sqrt(singular[:terms])
    return left[:, :terms] * root, right[:terms].T * root
