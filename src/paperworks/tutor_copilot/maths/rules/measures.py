"""Area, perimeter, rounding and the mean gone wrong."""

from __future__ import annotations

from fractions import Fraction
from statistics import median

from .registry import rule


@rule("area", "perimeter_instead", "finds the perimeter instead of the area", prior=4)
def _(a: Fraction, b: Fraction) -> Fraction:
    return 2 * (a + b)


@rule("area", "sides_added", "adds the sides", prior=3)
def _(a: Fraction, b: Fraction) -> Fraction:
    return a + b


@rule("area", "halved", "halves the area as for a triangle")
def _(a: Fraction, b: Fraction) -> Fraction:
    return a * b / 2


@rule("area", "doubled", "doubles the area")
def _(a: Fraction, b: Fraction) -> Fraction:
    return 2 * a * b


@rule("area", "one_side_squared", "multiplies a side by itself")
def _(a: Fraction, b: Fraction) -> list[Fraction]:
    return [a * a, b * b]


@rule("perimeter", "area_instead", "finds the area instead of the perimeter", prior=4)
def _(a: Fraction, b: Fraction) -> Fraction:
    return a * b


@rule("perimeter", "half", "adds only two of the four sides", prior=4)
def _(a: Fraction, b: Fraction) -> Fraction:
    return a + b


@rule("perimeter", "three_sides", "adds only three of the four sides", prior=2)
def _(a: Fraction, b: Fraction) -> list[Fraction]:
    return [2 * a + b, a + 2 * b]


@rule("perimeter", "doubled_area", "doubles the area")
def _(a: Fraction, b: Fraction) -> Fraction:
    return 2 * a * b


@rule("perimeter", "one_side_times_four", "takes four times one side")
def _(a: Fraction, b: Fraction) -> list[Fraction]:
    return [4 * a, 4 * b]


@rule("rounding", "truncated", "cuts the lower digits off", prior=3)
def _(value: Fraction, place: Fraction) -> Fraction:
    return int(value / place) * place


@rule("rounding", "always_up", "rounds up whatever the next digit", prior=2)
def _(value: Fraction, place: Fraction) -> Fraction:
    return -(-value // place) * place


@rule("rounding", "wrong_place", "rounds to a neighbouring place", prior=3)
def _(value: Fraction, place: Fraction) -> list[Fraction]:
    return [_nearest(value, other) for other in (place * 10, place / 10)]


@rule("rounding", "lower_digits_kept", "raises the digit and keeps the lower ones", prior=2)
def _(value: Fraction, place: Fraction) -> Fraction | None:
    return value + place if value % place else None


@rule("rounding", "double_rounding", "rounds place after place from the right")
def _(value: Fraction, place: Fraction) -> Fraction:
    step = Fraction(1, 1000)
    while step <= place:
        value = _nearest(value, step)
        step *= 10
    return value


@rule("rounding", "zeros_left_out", "leaves out the zeros that hold the place", prior=2)
def _(value: Fraction, place: Fraction) -> Fraction | None:
    return _nearest(value, place) / place if place > 1 else None


def _nearest(value: Fraction, place: Fraction) -> Fraction:
    return int(value / place + Fraction(1, 2)) * place


@rule("mean", "sum_only", "adds up and does not divide", prior=3)
def _(*values: Fraction) -> Fraction:
    return sum(values, Fraction(0))


@rule("mean", "median_instead", "finds the middle number instead", prior=3)
def _(*values: Fraction) -> Fraction:
    return Fraction(median(values))


@rule("mean", "one_too_few", "divides by one too few")
def _(*values: Fraction) -> Fraction:
    return sum(values, Fraction(0)) / (len(values) - 1)


@rule("mean", "one_too_many", "divides by one too many")
def _(*values: Fraction) -> Fraction:
    return sum(values, Fraction(0)) / (len(values) + 1)


@rule("mean", "halved", "divides by 2 whatever the count", prior=2)
def _(*values: Fraction) -> Fraction | None:
    return sum(values, Fraction(0)) / 2 if len(values) != 2 else None


@rule("mean", "middle_of_ends", "takes the middle of the smallest and the largest")
def _(*values: Fraction) -> Fraction:
    return (min(values) + max(values)) / 2
