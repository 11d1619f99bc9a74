"""``lmul.mul``: elementwise L-Mul, bit for bit, on tensors and arrays of any of the six formats."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .formats import Format
from .offset import constant
from .operands import (
    Rounding,
    bits_of,
    check_mantissa_bits,
    check_variant,
    format_of,
    generator_of,
    like,
    rounded,
    sign_mask,
    tensor_of,
    to_float,
)

__all__ = ["mul"]


def mul(
    x: Any,
    y: Any,
    mantissa_bits: int | None = None,
    variant: str = "carry",
    rounding: str = "truncate",
    offset: str | float = "paper",
    *,
    exponent_bits: int | None = None,
    scale: str | None = None,
    seed: int | torch.Generator | None = None,
) -> Any:
    """The L-Mul product of ``x`` and ``y``, elementwise with broadcasting, bit for bit (section 2 of the paper).

    With x = sx·2^ex·(1+a), y = sy·2^ey·(1+b) and s = a + b + c:

    * ``variant="carry"`` is what the integer adder computes, ``pattern(x) + pattern(y) - offset``: the mantissa sum
      carries into the exponent, so the value is 2^(ex+ey) · 2^floor(s) · (1 + s - floor(s)).
    * ``variant="formula"`` is the printed equation 2^(ex+ey)·(1+s), evaluated exactly and rounded once to the type
      (to nearest, ties to even).

    Args:
        x, y: torch tensors, numpy arrays or numbers. A number takes the type of the other operand; two numbers are
            multiplied in float32. Types of two tensors combine as in ``torch.mul``, types of two arrays as in numpy.
        mantissa_bits: k, the mantissa bits kept of each operand, 1 to the format's own number (None).
        rounding, exponent_bits, scale, seed: how operands get their k bits and their range; see :func:`quantize`.
            ``exponent_bits`` limits the operands; the product has the range of its type.
        offset: the constant c in place of a·b: ``"paper"`` is 2^-l(k), ``"optimal"`` the one of least RMS error
            (:func:`optimal_offset`), a float in [0, 1) any other; rounded to the mantissa of the type.

    Returns:
        What went in: a tensor, an array, or a float for two numbers; of the combined type and the broadcast shape.

    Special cases, in this order: NaN in, or infinity times zero, gives the one quiet NaN; infinity gives signed
    infinity; zero or a subnormal operand gives signed zero; a product below the smallest normal number gives signed
    zero; one too large gives signed infinity (e4m3fn, which has none: signed 448).

    Raises:
        TypeError: integer, boolean or complex operands.
        ValueError: a setting outside its choices.

    >>> mul(1.5, 1.5), mul(1.5, 1.5, variant="formula"), mul(1.5, 1.5, mantissa_bits=3)
    (2.125, 2.0625, 2.25)
    """
    check_variant(variant)
    tx, ty = _operands(x, y)
    fmt = format_of(tx)
    k = check_mantissa_bits(mantissa_bits, fmt)
    settings = Rounding(mantissa_bits=k, mode=rounding, exponent_bits=exponent_bits, scale=scale)
    generator = generator_of(seed, tx.device)
    bx, by = bits_of(tx, fmt), bits_of(ty, fmt)
    mx = rounded(bx & fmt.magnitude_mask, fmt, settings, generator)
    my = rounded(by & fmt.magnitude_mask, fmt, settings, generator)
    sign = (bx ^ by) & sign_mask(fmt)
    c = fmt.constant(constant(offset, k, variant, rounding))
    product = _added(mx, my, fmt, c) if variant == "carry" else _equation(mx, my, fmt, c)
    return like(_result_type(x, y), to_float(_with_special_cases(product, mx, my, sign, fmt), fmt))


def _operands(x: Any, y: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Two tensors of one format, not yet broadcast."""
    if isinstance(x, (np.ndarray, np.generic)) and isinstance(y, (np.ndarray, np.generic)) and x.dtype != y.dtype:
        common = np.result_type(x, y)
        x, y = x.astype(common), y.astype(common)
    tx, ty = tensor_of(x), tensor_of(y)
    format_of(tx), format_of(ty)
    if _is_number(x) and not _is_number(y):
        tx = _number_as(x, ty)
    elif _is_number(y) and not _is_number(x):
        ty = _number_as(y, tx)
    elif tx.dtype != ty.dtype:
        dtype = torch.result_type(tx, ty)
        tx, ty = tx.to(dtype), ty.to(dtype)
    return tx, ty


def _number_as(number: float, other: torch.Tensor) -> torch.Tensor:
    return torch.tensor(number, dtype=torch.float64).to(dtype=other.dtype, device=other.device)


def _is_number(x: Any) -> bool:
    return isinstance(x, (float, int)) and not isinstance(x, np.generic)


def _result_type(x: Any, y: Any) -> Any:
    if isinstance(x, torch.Tensor) or _is_number(y):
        return x
    if isinstance(y, torch.Tensor) or _is_number(x):
        return y
    return np.empty(0, np.result_type(x, y))


def _added(mx: torch.Tensor, my: torch.Tensor, fmt: Format, c: int) -> torch.Tensor:
    """Section 2.3, the one integer addition, for normal magnitudes. The offset goes first so that no int wraps."""
    first = mx - ((fmt.bias << fmt.mantissa_bits) - c)
    too_large = first >= fmt.infinity - my
    too_small = first < fmt.smallest_normal - my
    total = torch.where(too_large | too_small, torch.zeros_like(first), first) + torch.where(too_large, 0, my)
    total = torch.where(too_large, fmt.overflow, total)
    return torch.where(too_small, 0, total)


def _equation(mx: torch.Tensor, my: torch.Tensor, fmt: Format, c: int) -> torch.Tensor:
    """2^(ex+ey)(1+s) in integers: 1+s < 4, so one halving, rounded to even, brings it into [1, 2)."""
    bits = fmt.mantissa_bits
    one = fmt.smallest_normal
    total = (mx & (one - 1)) + (my & (one - 1)) + c + one
    halved = (total >> 1) + ((total >> 1) & total & 1)
    above = total >= 2 * one
    significand = torch.where(above, halved, total)
    exponent = (mx >> bits) + (my >> bits) - fmt.bias + above.to(mx.dtype)
    # A halved significand may have rounded up to 2: the addition below then carries it into the exponent.
    magnitude = (exponent.clamp(0, fmt.infinity >> bits) << bits) + significand - one
    magnitude = torch.where(exponent > (fmt.infinity >> bits), fmt.infinity, magnitude)
    magnitude = torch.where(magnitude >= fmt.infinity, fmt.overflow, magnitude)
    return torch.where(exponent < 1, 0, magnitude)


def _with_special_cases(
    product: torch.Tensor, mx: torch.Tensor, my: torch.Tensor, sign: torch.Tensor, fmt: Format
) -> torch.Tensor:
    """The order of section 2.3: NaN, infinity, zero, then the product of two normal numbers."""
    zero = (mx < fmt.smallest_normal) | (my < fmt.smallest_normal)
    result = torch.where(zero, sign, sign | product)
    if not fmt.has_infinity:
        return torch.where((mx == fmt.infinity) | (my == fmt.infinity), fmt.nan, result)
    infinite = (mx == fmt.infinity) | (my == fmt.infinity)
    result = torch.where(infinite, sign | fmt.infinity, result)
    nan = (mx > fmt.infinity) | (my > fmt.infinity) | (infinite & zero)
    return torch.where(nan, fmt.nan, result)
