"""The bit formats that L-Mul works on, and the constants of section 2 that follow from them. Standard library only.

A format is sign, ``exponent_bits`` and ``mantissa_bits``, from the left. A *pattern* is such a word read as an integer;
a *magnitude* is a pattern without its sign. Magnitudes are ordered like the numbers they stand for, which is why adding
two of them adds exponents, adds mantissas, and carries from the one into the other.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FORMATS", "ROUNDINGS", "VARIANTS", "Format", "correction_exponent"]

VARIANTS = ("carry", "formula")
ROUNDINGS = ("truncate", "nearest", "stochastic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One floating-point format; all patterns are non-negative Python integers."""

    name: str
    exponent_bits: int
    mantissa_bits: int
    has_infinity: bool = True  # False for the "fn" formats: the top magnitude is the only NaN, and overflow saturates

    @property
    def bits(self) -> int:
        """Width of a word."""
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def bias(self) -> int:
        """What the exponent field is ahead of the exponent."""
        return (1 << (self.exponent_bits - 1)) - 1

    @property
    def sign_mask(self) -> int:
        """The sign bit."""
        return 1 << (self.bits - 1)

    @property
    def magnitude_mask(self) -> int:
        """Everything but the sign bit."""
        return self.sign_mask - 1

    @property
    def smallest_normal(self) -> int:
        """Magnitude of the smallest normal number; every magnitude below it counts as zero."""
        return 1 << self.mantissa_bits

    @property
    def infinity(self) -> int:
        """Magnitude of infinity, or of NaN in a format that has no infinity: the first one that is not finite."""
        exponents = ((1 << self.exponent_bits) - 1) << self.mantissa_bits
        return exponents if self.has_infinity else self.magnitude_mask

    @property
    def largest(self) -> int:
        """Magnitude of the largest finite number."""
        return self.infinity - 1

    @property
    def overflow(self) -> int:
        """Magnitude that a product too large for the format gets: infinity, or the largest number."""
        return self.infinity if self.has_infinity else self.largest

    @property
    def nan(self) -> int:
        """The one NaN that L-Mul returns: quiet, positive."""
        return self.infinity | (1 << (self.mantissa_bits - 1)) if self.has_infinity else self.infinity

    def constant(self, c: float) -> int:
        """The constant that stands for a·b, in units of the last mantissa bit (rounded to it)."""
        return round(c * (1 << self.mantissa_bits))

    def offset(self, c: float) -> int:
        """What the integer adder subtracts: the bias, less the constant ``c`` (section 2.2).

        >>> hex(FORMATS["float32"].offset(2**-4)), hex(FORMATS["float8_e4m3fn"].offset(2**-3))
        ('0x3f780000', '0x37')
        """
        return (self.bias << self.mantissa_bits) - self.constant(c)


FORMATS = {
    f.name: f
    for f in (
        Format(name="float64", exponent_bits=11, mantissa_bits=52),
        Format(name="float32", exponent_bits=8, mantissa_bits=23),
        Format(name="float16", exponent_bits=5, mantissa_bits=10),
        Format(name="bfloat16", exponent_bits=8, mantissa_bits=7),
        Format(name="float8_e4m3fn", exponent_bits=4, mantissa_bits=3, has_infinity=False),
        Format(name="float8_e5m2", exponent_bits=5, mantissa_bits=2),
    )
}


def correction_exponent(mantissa_bits: int) -> int:
    """l(k) of the paper's definition: the product's mantissa gets 2**-l(k) in place of a·b.

    >>> [correction_exponent(k) for k in (1, 2, 3, 4, 5, 23)]
    [1, 2, 3, 3, 4, 4]
    """
    if mantissa_bits <= 3:
        return mantissa_bits
    return 3 if mantissa_bits == 4 else 4
