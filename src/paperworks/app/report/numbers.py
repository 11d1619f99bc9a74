"""How numbers are written: as many digits as the interval supports, and the same everywhere in the report."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from paperworks.core import Judge, Measurement

_DIGITS = 4
_SMALLEST, _LARGEST = 1e-4, 1e9
_GROUP = "\u202f"
_UNIT_SPACE = "\u00a0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A measured number as text: ``value``, its interval in brackets ("" where there is none), and the unit."""

    value: str
    interval: str = ""
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.value} {self.interval}".strip() + (f"{_UNIT_SPACE}{self.unit}" if self.unit else "")


def measured(value: float, low: float, high: float, *, unit: str = "", landmarks: Iterable[float] = ()) -> Shown:
    """``value`` and [``low``, ``high``] with the digits that the interval's width supports.

    ``landmarks`` are the numbers that decide a verdict: a bound that differs from one is never rounded onto it, so
    that what is printed and the verdict cannot seem to disagree. Without width, the value has four digits.

    >>> str(measured(0.03591, 0.03571, 0.03612))
    '0.0359 [0.0357, 0.0361]'
    """
    numbers = (value, low, high)
    shift = _exponent(numbers)
    scaled = [number / 10.0**shift for number in numbers]
    marks = [mark / 10.0**shift for mark in landmarks if math.isfinite(mark)]
    decimals = _decimals(scaled[0], scaled[1], scaled[2])
    decimals = _keep_apart(scaled[1:], marks, decimals)
    texts = [_write(number, decimals, shift) for number in scaled]
    if low == high:
        return Shown(value=plain(value) if not marks else _trim(texts[0]), unit=unit)
    return Shown(value=texts[0], interval=f"[{texts[1]}, {texts[2]}]", unit=unit)


def shown(measurement: Measurement, judge: Judge | None) -> Shown:
    """A measurement as `measured` writes it, beside the numbers that its judge decides by."""
    marks = (
        () if judge is None else (judge.low, judge.high) if judge.null is None else (judge.low, judge.high, judge.null)
    )
    return measured(measurement.value, measurement.low, measurement.high, unit=measurement.unit, landmarks=marks)


def plain(value: float, unit: str = "", *, digits: int = _DIGITS) -> str:
    """One number without an interval: ``digits`` significant digits, no zeros at the end.

    >>> plain(97.297, "%"), plain(-0.0012), plain(325)
    ('97.3\\xa0%', '-0.0012', '325')
    """
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    shift = _exponent((value,))
    scaled = value / 10.0**shift
    decimals = 0 if scaled == 0 else max(0, digits - 1 - _order(scaled))
    text = _trim(_write(scaled, decimals, shift))
    return f"{text}{_UNIT_SPACE}{unit}" if unit else text


def column(values: Sequence[float | None]) -> list[str]:
    """The numbers of one column of a table, with the same number of decimals, so that they line up; None is blank."""
    known = [value for value in values if value is not None]
    sizes = [abs(value) for value in known if value]
    if not sizes or all(float(value).is_integer() for value in known):
        return ["" if value is None else plain(value, digits=12) for value in values]
    if max(sizes) / min(sizes) > 1e5 or _exponent(known):
        return ["" if value is None else plain(value) for value in values]
    decimals = max(_DIGITS - 1 - _order(max(sizes)), 1 - _order(min(sizes)), 0)
    texts = ["" if value is None else _write(value, decimals, 0) for value in values]
    while all(text.endswith("0") for text in texts if text) and any("." in text for text in texts):
        texts = [text[:-1].removesuffix(".") for text in texts]
    return texts


def seconds(value: float) -> str:
    """A duration in the unit that suits it: ``'12.3 ms'``, ``'4.2 s'``, ``'3 min 20 s'``, ``'2 h 5 min'``."""
    for scale, unit in ((1e-6, "ns"), (1e-3, "µs"), (1.0, "ms")):
        if value < scale:
            return plain(value / scale * 1e3, unit, digits=3)
    if value < 120:
        return plain(value, "s", digits=3)
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _exponent(numbers: Iterable[float]) -> int:
    """The power of ten to write these numbers with: 0 unless the largest is very small or very large."""
    size = max((abs(number) for number in numbers), default=0.0)
    return 0 if size == 0 or _SMALLEST <= size < _LARGEST else _order(size)


def _order(number: float) -> int:
    return math.floor(round(math.log10(abs(number)), 9))


def _decimals(value: float, low: float, high: float) -> int:
    """Decimals that show the interval's width with one digit, two where the first is a 1, 2 or 3."""
    width = high - low
    if width <= 0:
        return 0 if value == 0 else max(0, _DIGITS - 1 - _order(value))
    order = _order(width)
    return max(0, -order + (1 if round(width / 10.0**order, 6) < 4 else 0))


def _keep_apart(bounds: Iterable[float], marks: Sequence[float], decimals: int) -> int:
    clash = [
        decimals_needed
        for bound in bounds
        for mark in marks
        if bound != mark
        for decimals_needed in [_first_difference(bound, mark, decimals)]
    ]
    return max(clash, default=decimals)


def _first_difference(bound: float, mark: float, decimals: int) -> int:
    for more in range(4):
        if f"{bound:.{decimals + more}f}" != f"{mark:.{decimals + more}f}":
            return decimals + more
    return decimals + 3


def _write(scaled: float, decimals: int, shift: int) -> str:
    text = f"{scaled:.{decimals}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    whole, dot, rest = text.partition(".")
    if len(whole.lstrip("-")) > 4:
        whole = f"{int(whole):,}".replace(",", _GROUP)
    return f"{whole}{dot}{rest}" + (f"e{shift}" if shift else "")


def _trim(text: str) -> str:
    mantissa, e, exponent = text.partition("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}{e}{exponent}"
