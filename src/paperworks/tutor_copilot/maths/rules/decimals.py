"""Decimals and percents gone wrong. Operands of decimals are two `Num`, of percents the percentage and the number."""

from __future__ import annotations

from fractions import Fraction

from ..expressions import Num
from .registry import rule


def _whole(number: Num) -> int:
    """The number without its point."""
    return int(number.text.replace(".", "") or 0)


def _parts(number: Num) -> tuple[int, str]:
    """What stands before the point, and after it."""
    before, _, after = number.text.partition(".")
    return int(before or 0), after


def _most(a: Num, b: Num) -> int:
    return max(a.places, b.places)


@rule("decimal_add", "right_aligned", "lines the numbers up at the right instead of at the point", prior=4)
def _(a: Num, b: Num) -> Fraction | None:
    return Fraction(_whole(a) + _whole(b), 10 ** _most(a, b)) if a.places != b.places else None


@rule("decimal_add", "parts_apart", "adds what stands behind the points as whole numbers", prior=4)
def _(a: Num, b: Num) -> str:
    (before_a, after_a), (before_b, after_b) = _parts(a), _parts(b)
    return f"{before_a + before_b}.{int(after_a or 0) + int(after_b or 0)}"


@rule("decimal_add", "no_point", "leaves the point out")
def _(a: Num, b: Num) -> int:
    return _whole(a) + _whole(b)


@rule("decimal_add", "carry_lost", "leaves out the carry across the point", prior=2)
def _(a: Num, b: Num) -> Fraction | None:
    places = _most(a, b)
    behind = (a.value % 1) + (b.value % 1)
    return int(a.value) + int(b.value) + behind % 1 if places and behind >= 1 else None


@rule("decimal_sub", "right_aligned", "lines the numbers up at the right instead of at the point", prior=4)
def _(a: Num, b: Num) -> Fraction | None:
    return Fraction(_whole(a) - _whole(b), 10 ** _most(a, b)) if a.places != b.places else None


@rule("decimal_sub", "parts_apart", "subtracts what stands behind the points as whole numbers", prior=4)
def _(a: Num, b: Num) -> str:
    (before_a, after_a), (before_b, after_b) = _parts(a), _parts(b)
    return f"{before_a - before_b}.{abs(int(after_a or 0) - int(after_b or 0))}"


@rule("decimal_sub", "missing_place_copied", "copies digits that have nothing above them", prior=2)
def _(a: Num, b: Num) -> Fraction | None:
    if b.places <= a.places:
        return None
    shared = Fraction(int(b.value * 10**a.places), 10**a.places)
    return a.value - shared + (b.value - shared)


@rule("decimal_sub", "no_point", "leaves the point out")
def _(a: Num, b: Num) -> int:
    return _whole(a) - _whole(b)


@rule("decimal_sub", "reversed", "takes the first number from the second", prior=0.7)
def _(a: Num, b: Num) -> Fraction:
    return b.value - a.value


@rule("decimal_sub", "added", "adds instead of subtracting", prior=0.7)
def _(a: Num, b: Num) -> Fraction:
    return a.value + b.value


@rule("decimal_mul", "kept_places", "keeps the places of the factors in the product", prior=5)
def _(a: Num, b: Num) -> Fraction:
    return Fraction(_whole(a) * _whole(b), 10 ** _most(a, b))


@rule("decimal_mul", "no_point", "leaves the point out", prior=2)
def _(a: Num, b: Num) -> int:
    return _whole(a) * _whole(b)


@rule("decimal_mul", "one_place_short", "puts the point one place too far right")
def _(a: Num, b: Num) -> Fraction:
    return a.value * b.value * 10


@rule("decimal_mul", "one_place_long", "puts the point one place too far left")
def _(a: Num, b: Num) -> Fraction:
    return a.value * b.value / 10


@rule("decimal_mul", "added", "adds instead of multiplying")
def _(a: Num, b: Num) -> Fraction:
    return a.value + b.value


@rule("decimal_div", "no_point", "leaves the points out", prior=3)
def _(a: Num, b: Num) -> Fraction | None:
    return Fraction(_whole(a), _whole(b)) if a.places != b.places else None


@rule("decimal_div", "one_place_short", "puts the point one place too far right", prior=2)
def _(a: Num, b: Num) -> Fraction:
    return a.value / b.value * 10


@rule("decimal_div", "one_place_long", "puts the point one place too far left", prior=2)
def _(a: Num, b: Num) -> Fraction:
    return a.value / b.value / 10


@rule("decimal_div", "multiplied", "multiplies instead of dividing")
def _(a: Num, b: Num) -> Fraction:
    return a.value * b.value


@rule("decimal_div", "reversed", "divides the second number by the first")
def _(a: Num, b: Num) -> Fraction:
    return b.value / a.value


@rule("percent_of", "divided_by_percent", "divides the number by the percentage", prior=3)
def _(p: Fraction, n: Fraction) -> Fraction:
    return n / p


@rule("percent_of", "times_percent", "multiplies by the percentage and leaves the hundredth out", prior=3)
def _(p: Fraction, n: Fraction) -> Fraction:
    return n * p


@rule("percent_of", "subtracted", "takes the percentage from the number", prior=2)
def _(p: Fraction, n: Fraction) -> Fraction:
    return n - p


@rule("percent_of", "one_place", "is one place off in turning percent into a decimal", prior=2)
def _(p: Fraction, n: Fraction) -> list[Fraction]:
    return [p * n / 10, p * n / 1000]


@rule("percent_of", "added", "adds the percentage to the number")
def _(p: Fraction, n: Fraction) -> Fraction:
    return n + p


@rule("percent_of", "rest", "finds the part that is left over", prior=2)
def _(p: Fraction, n: Fraction) -> Fraction:
    return n - p * n / 100


@rule("percent_of", "increased", "adds the percent of the number to it")
def _(p: Fraction, n: Fraction) -> Fraction:
    return n + p * n / 100


@rule("percent_of", "divided_by_hundred", "divides by 100 and stops")
def _(p: Fraction, n: Fraction) -> Fraction | None:
    return n / 100 if p != 1 else None
