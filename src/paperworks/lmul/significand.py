"""L-Mul on mantissas alone: the significand of a product as a function of the two mantissas (sections 2.1 and 2.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .formats import VARIANTS, correction_exponent
from .operands import check_choice, check_variant

__all__ = ["METHODS", "product_table", "relative_error", "significand"]

METHODS = (*VARIANTS, "multiply")
ROUNDED = ("truncate", "nearest")

Array = NDArray[np.float64]


def significand(s: Any, variant: str = "carry") -> Any:
    """The product of (1+a) and (1+b) by L-Mul, for s = a + b + c (array of any shape, 0 <= s < 3).

    ``carry``: Lg(s) = 2^floor(s)·(1 + s - floor(s)), what the adder's carry does; ``formula``: 1 + s, the printed
    equation. Raises ValueError for another variant.
    """
    check_variant(variant)
    if variant == "formula":
        return 1 + s
    whole = np.floor(s)
    return np.exp2(whole) * (1 + s - whole)


def product_table(mantissa_bits: int, variant: str = "carry", c: float | None = None) -> Array:
    """All products of k-bit significands, [2^k, 2^k]: entry [i, j] is that of 1 + i/2^k and 1 + j/2^k.

    Its rank says what a matrix product can do: 2 for the formula (two GEMMs are exact), full for the adder (``carry``).
    """
    a = np.arange(2**mantissa_bits) / 2**mantissa_bits
    c = 2.0 ** -correction_exponent(mantissa_bits) if c is None else c
    table: Array = significand(a[:, None] + a[None, :] + c, variant)
    return table


def relative_error(
    a: Array, b: Array, k: int, method: str, rounding: str = "truncate", c: float | None = None
) -> Array:
    """(approximate - exact) / exact, for the product of 1+a and 1+b; mantissas in [0, 1), broadcast together.

    ``method`` is ``"carry"``, ``"formula"`` or ``"multiply"``; operands are rounded to k bits first, products are not.
    """
    check_choice("method", method, METHODS)
    check_choice("rounding", rounding, ROUNDED)
    c = 2.0 ** -correction_exponent(k) if c is None else c
    x, y = _rounded(a, k, rounding), _rounded(b, k, rounding)
    if method == "multiply":
        return x * y / ((1 + a) * (1 + b)) - 1
    # A significand that rounded up to 2 is 1 with the next exponent.
    px, py = np.where(x >= 2, 2.0, 1.0), np.where(y >= 2, 2.0, 1.0)
    product = px * py * significand(x / px + y / py - 2 + c, method)
    error: Array = product / ((1 + a) * (1 + b)) - 1
    return error


def _rounded(mantissa: Array, k: int, rounding: str) -> Array:
    scaled = mantissa * 2.0**k
    kept: Array = 1 + (np.floor(scaled) if rounding == "truncate" else np.rint(scaled)) / 2.0**k
    return kept
