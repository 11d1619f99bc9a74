"""L-Mul on single words, in plain Python integers and fractions: slow, and meant to be obviously right.

Everything fast in this package is held against this module. It follows section 2 line by line: 2.4 rounds the operands,
2.3 adds the patterns (``carry``), 2.2 evaluates the printed equation (``formula``).

>>> from paperworks.lmul.formats import FORMATS
>>> hex(multiply(0x3FC00000, 0x3FC00000, FORMATS["float32"]))  # 1.5 times 1.5
'0x40080000'
"""

from __future__ import annotations

from fractions import Fraction

from .formats import FORMATS, Format, correction_exponent

__all__ = ["multiply", "round_magnitude", "value"]

_CLAMP = {4: FORMATS["float8_e4m3fn"], 5: FORMATS["float8_e5m2"]}


def multiply(
    x: int,
    y: int,
    fmt: Format,
    *,
    mantissa_bits: int | None = None,
    variant: str = "carry",
    rounding: str = "truncate",
    c: float | None = None,
    exponent_bits: int | None = None,
    draws: tuple[int, int] = (0, 0),
) -> int:
    """The L-Mul product of two patterns of ``fmt``, as a pattern.

    ``c`` is the constant in place of a·b, 2**-l(k) by default. ``draws`` are the uniform integers in
    [0, 2**(M-k)) that stochastic rounding adds to the two operands.
    """
    k = fmt.mantissa_bits if mantissa_bits is None else mantissa_bits
    c = 2.0 ** -correction_exponent(k) if c is None else c
    sign = (x ^ y) & fmt.sign_mask
    mx = round_magnitude(x & fmt.magnitude_mask, fmt, k, rounding, exponent_bits, draws[0])
    my = round_magnitude(y & fmt.magnitude_mask, fmt, k, rounding, exponent_bits, draws[1])
    nan_from = fmt.infinity + 1 if fmt.has_infinity else fmt.infinity
    infinite = fmt.has_infinity and fmt.infinity in (mx, my)
    zero = mx < fmt.smallest_normal or my < fmt.smallest_normal
    if mx >= nan_from or my >= nan_from or (infinite and zero):
        return fmt.nan
    if infinite:
        return sign | fmt.infinity
    if zero:
        return sign
    return sign | (_added(mx, my, fmt, c) if variant == "carry" else _equation(mx, my, fmt, c))


def value(pattern: int, fmt: Format) -> Fraction:
    """The number that a finite pattern stands for; subnormals count as zero."""
    magnitude = pattern & fmt.magnitude_mask
    if magnitude < fmt.smallest_normal:
        return Fraction(0)
    exponent = (magnitude >> fmt.mantissa_bits) - fmt.bias
    mantissa = 1 + Fraction(magnitude % fmt.smallest_normal, fmt.smallest_normal)
    return mantissa * Fraction(2) ** exponent * (-1 if pattern & fmt.sign_mask else 1)


def round_magnitude(
    magnitude: int, fmt: Format, k: int, rounding: str, exponent_bits: int | None = None, draw: int = 0
) -> int:
    """An operand's magnitude with ``k`` mantissa bits (section 2.4): subnormals flush first, NaN and infinity pass.

    Rounding up may carry into the exponent, and from the largest exponent to infinity; a format without infinity
    stays at its largest number of k bits. ``exponent_bits`` 4 or 5 then limits the range to that of e4m3fn or e5m2.
    """
    if magnitude >= fmt.infinity:
        return magnitude
    if magnitude < fmt.smallest_normal:
        return 0
    step = 1 << (fmt.mantissa_bits - k)
    below, rest = magnitude - magnitude % step, magnitude % step
    odd = below // step % 2 == 1
    up = {
        "truncate": False,
        "nearest": rest * 2 > step or (rest * 2 == step and odd),
        "stochastic": rest + draw >= step,
    }[rounding]
    rounded = below + step if up else below
    top = fmt.overflow - fmt.overflow % step
    rounded = min(rounded, top)
    return rounded if exponent_bits is None else _clamped(rounded, fmt, k, _CLAMP[exponent_bits])


def _clamped(magnitude: int, fmt: Format, k: int, narrow: Format) -> int:
    shift = narrow.mantissa_bits - min(k, narrow.mantissa_bits)
    largest = value(narrow.largest >> shift << shift, narrow)
    if value(min(magnitude, fmt.largest), fmt) > largest:
        return _encode(largest, fmt)
    return magnitude if value(magnitude, fmt) >= value(narrow.smallest_normal, narrow) else 0


def _added(mx: int, my: int, fmt: Format, c: float) -> int:
    total = mx + my - fmt.offset(c)
    if total < fmt.smallest_normal:
        return 0
    return fmt.overflow if total >= fmt.infinity else total


def _equation(mx: int, my: int, fmt: Format, c: float) -> int:
    one = fmt.smallest_normal
    exponent = (mx // one - fmt.bias) + (my // one - fmt.bias)
    a, b = Fraction(mx % one, one), Fraction(my % one, one)
    return _encode(Fraction(2) ** exponent * (1 + a + b + Fraction(fmt.constant(c), one)), fmt)


def _encode(number: Fraction, fmt: Format) -> int:
    """The magnitude nearest to a positive number (ties to even); too small gives zero, too large overflow."""
    exponent = 0
    while number >= Fraction(2) ** (exponent + 1):
        exponent += 1
    while number < Fraction(2) ** exponent:
        exponent -= 1
    if exponent + fmt.bias < 1:
        return 0
    mantissa = round((number / Fraction(2) ** exponent - 1) * fmt.smallest_normal)
    magnitude = ((exponent + fmt.bias) << fmt.mantissa_bits) + mantissa
    return fmt.overflow if magnitude >= fmt.infinity else magnitude
