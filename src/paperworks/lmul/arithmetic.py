"""What a product of two matrices needs to know about L-Mul, in one value that every backend takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
    quantize,
    rounded,
    sign_mask,
    to_float,
)

__all__ = ["Arithmetic", "arithmetic", "power"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """L-Mul for operands of one format.

    Operands are rounded in ``fmt`` (its subnormals are zero), then widened to float32 (float64 stays): products have
    the exponent range of the sum they go into. ``c`` stands for a·b, on the grid of fmt's mantissa.
    """

    fmt: Format
    variant: str
    rounding: Rounding
    c: float

    @property
    def sum_dtype(self) -> torch.dtype:
        """The type that products and sums have."""
        return torch.float64 if self.fmt.name == "float64" else torch.float32

    @property
    def mantissa_bits(self) -> int:
        """k."""
        return self.rounding.mantissa_bits

    @property
    def only_drops_bits(self) -> bool:
        """Whether rounding is a bit operation on the widened words, which kernels do on the way.

        Not so for float16 and float8, which reach their smallest and largest numbers before float32 does.
        """
        limited = self.rounding.exponent_bits is not None
        wide = self.fmt.name in ("float64", "float32", "bfloat16")
        return wide and not limited and self.rounding.mode != "stochastic"

    def ready(self, x: torch.Tensor) -> torch.Tensor:
        """An operand as backends get it, with its k bits: rounded here where that was left to them, of its own type."""
        if not self.only_drops_bits:
            return x
        fmt = format_of(x)
        bits = bits_of(x, fmt)
        magnitude = rounded(bits & fmt.magnitude_mask, fmt, self.rounding)
        return to_float(magnitude | (bits & sign_mask(fmt)), fmt)

    def rounded(self, a: torch.Tensor, b: torch.Tensor, seed: int | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Both operands [..., M, K] and [..., K, N] rounded; a ``"row"`` scale is one per row of a, per column of b."""
        r = self.rounding
        settings: dict[str, Any] = {"rounding": r.mode, "exponent_bits": r.exponent_bits, "scale": r.scale}
        generator = generator_of(seed, a.device)
        left = quantize(a, r.mantissa_bits, seed=generator, **settings)
        right = quantize(b.mT, r.mantissa_bits, seed=generator, **settings).mT
        return left, right


def power(x: torch.Tensor) -> torch.Tensor:
    """P(x) = sign(x)·2^floor(log2|x|), an operand without its mantissa: zero for zero and subnormals."""
    fmt = format_of(x)
    return to_float(bits_of(x, fmt) & -fmt.smallest_normal, fmt)


def arithmetic(
    fmt: Format,
    mantissa_bits: int | None,
    variant: str,
    rounding: str,
    offset: str | float,
    exponent_bits: int | None,
    scale: str | None,
) -> Arithmetic:
    """Checked settings; ValueError or TypeError as :func:`lmul.mul` raises them."""
    check_variant(variant)
    k = check_mantissa_bits(mantissa_bits, fmt)
    settings = Rounding(mantissa_bits=k, mode=rounding, exponent_bits=exponent_bits, scale=scale)
    c = fmt.constant(constant(offset, k, variant, rounding)) / fmt.smallest_normal
    return Arithmetic(fmt=fmt, variant=variant, rounding=settings, c=c)
