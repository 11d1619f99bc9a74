"""Fractions gone wrong. Operands are two pairs (numerator, denominator) as written."""

from __future__ import annotations

from fractions import Fraction
from math import gcd, lcm
from typing import TypeAlias

from .registry import rule

Pair: TypeAlias = "tuple[int, int]"


@rule("fraction_add", "num_and_den", "adds the numerators and adds the denominators", prior=5)
def _(p: Pair, q: Pair) -> Fraction:
    return Fraction(p[0] + q[0], p[1] + q[1])


@rule(
    "fraction_add",
    "common_den_no_scaling",
    "finds a common denominator and leaves the numerators as they were",
    prior=3,
)
def _(p: Pair, q: Pair) -> Fraction | None:
    return Fraction(p[0] + q[0], lcm(p[1], q[1])) if p[1] != q[1] else None


@rule("fraction_add", "product_den_sum_num", "adds the numerators and multiplies the denominators", prior=2)
def _(p: Pair, q: Pair) -> Fraction:
    return Fraction(p[0] + q[0], p[1] * q[1])


@rule("fraction_add", "first_den", "adds the numerators over the first denominator")
def _(p: Pair, q: Pair) -> Fraction | None:
    return Fraction(p[0] + q[0], p[1]) if p[1] != q[1] else None


@rule("fraction_add", "second_den", "adds the numerators over the second denominator")
def _(p: Pair, q: Pair) -> Fraction | None:
    return Fraction(p[0] + q[0], q[1]) if p[1] != q[1] else None


@rule("fraction_add", "one_scaled", "scales only one of the numerators to the common denominator", prior=2)
def _(p: Pair, q: Pair) -> list[Fraction] | None:
    common = lcm(p[1], q[1])
    if p[1] == q[1]:
        return None
    return [Fraction(p[0] * (common // p[1]) + q[0], common), Fraction(p[0] + q[0] * (common // q[1]), common)]


@rule("fraction_add", "cross_sum_over_sum", "multiplies crosswise and adds the denominators")
def _(p: Pair, q: Pair) -> Fraction:
    return Fraction(p[0] * q[1] + q[0] * p[1], p[1] + q[1])


@rule("fraction_add", "multiplied", "multiplies instead of adding")
def _(p: Pair, q: Pair) -> Fraction:
    return Fraction(p[0] * q[0], p[1] * q[1])


@rule("fraction_sub", "num_and_den", "subtracts the numerators and subtracts the denominators", prior=5)
def _(p: Pair, q: Pair) -> list[Fraction] | None:
    if p[1] == q[1]:
        return None
    return [Fraction(p[0] - q[0], p[1] - q[1]), Fraction(abs(p[0] - q[0]), abs(p[1] - q[1]))]


@rule(
    "fraction_sub",
    "common_den_no_scaling",
    "finds a common denominator and leaves the numerators as they were",
    prior=3,
)
def _(p: Pair, q: Pair) -> Fraction | None:
    return Fraction(p[0] - q[0], lcm(p[1], q[1])) if p[1] != q[1] else None


@rule("fraction_sub", "product_den", "subtracts the numerators and multiplies the denominators", prior=2)
def _(p: Pair, q: Pair) -> Fraction:
    return Fraction(p[0] - q[0], p[1] * q[1])


@rule("fraction_sub", "one_scaled", "scales only one of the numerators to the common denominator", prior=2)
def _(p: Pair, q: Pair) -> list[Fraction] | None:
    common = lcm(p[1], q[1])
    if p[1] == q[1]:
        return None
    return [Fraction(p[0] * (common // p[1]) - q[0], common), Fraction(p[0] - q[0] * (common // q[1]), common)]


@rule("fraction_sub", "first_den", "subtracts the numerators over the first denominator")
def _(p: Pair, q: Pair) -> Fraction | None:
    return Fraction(p[0] - q[0], p[1]) if p[1] != q[1] else None


@rule("fraction_sub", "reversed", "takes the first fraction from the second", prior=0.7)
def _(p: Pair, q: Pair) -> Fraction:
    return Fraction(*q) - Fraction(*p)


@rule("fraction_sub", "added", "adds instead of subtracting", prior=0.7)
def _(p: Pair, q: Pair) -> Fraction:
    return Fraction(*p) + Fraction(*q)


@rule("fraction_mul", "cross_multiplied", "multiplies crosswise", prior=3)
def _(p: Pair, q: Pair) -> list[Fraction]:
    return [Fraction(p[0] * q[1], p[1] * q[0]), Fraction(p[1] * q[0], p[0] * q[1])]


@rule("fraction_mul", "den_kept", "makes the denominators alike and keeps that denominator in the product", prior=3)
def _(p: Pair, q: Pair) -> Fraction:
    common = lcm(p[1], q[1])
    return Fraction(p[0] * (common // p[1]) * q[0] * (common // q[1]), common)


@rule("fraction_mul", "den_added", "multiplies the numerators and adds the denominators")
def _(p: Pair, q: Pair) -> Fraction:
    return Fraction(p[0] * q[0], p[1] + q[1])


@rule("fraction_mul", "num_added", "adds the numerators and multiplies the denominators")
def _(p: Pair, q: Pair) -> Fraction:
    return Fraction(p[0] + q[0], p[1] * q[1])


@rule("fraction_mul", "added", "adds instead of multiplying")
def _(p: Pair, q: Pair) -> Fraction:
    return Fraction(*p) + Fraction(*q)


@rule("fraction_mul", "num_and_den_added", "adds the numerators and adds the denominators")
def _(p: Pair, q: Pair) -> Fraction:
    return Fraction(p[0] + q[0], p[1] + q[1])


@rule("fraction_div", "no_inversion", "multiplies without turning the second fraction over", prior=4)
def _(p: Pair, q: Pair) -> Fraction:
    return Fraction(p[0] * q[0], p[1] * q[1])


@rule("fraction_div", "first_inverted", "turns the first fraction over instead of the second", prior=3)
def _(p: Pair, q: Pair) -> Fraction:
    return Fraction(p[1] * q[0], p[0] * q[1])


@rule("fraction_div", "both_inverted", "turns both fractions over")
def _(p: Pair, q: Pair) -> Fraction:
    return Fraction(p[1] * q[1], p[0] * q[0])


@rule("fraction_div", "den_kept", "divides the numerators and keeps the common denominator")
def _(p: Pair, q: Pair) -> Fraction:
    common = lcm(p[1], q[1])
    return Fraction(p[0] * (common // p[1]), q[0] * (common // q[1])) / common


@rule("fraction_div", "subtracted", "subtracts instead of dividing", prior=0.7)
def _(p: Pair, q: Pair) -> Fraction:
    return Fraction(*p) - Fraction(*q)


@rule("fraction_of", "divided_by_num", "divides by the numerator and multiplies by the denominator", prior=2)
def _(a: int, b: int, n: Fraction) -> Fraction:
    return n / a * b


@rule("fraction_of", "only_divided", "divides by the denominator and stops", prior=3)
def _(a: int, b: int, n: Fraction) -> Fraction | None:
    return n / b if a != 1 else None


@rule("fraction_of", "only_multiplied", "multiplies by the numerator and stops", prior=2)
def _(a: int, b: int, n: Fraction) -> Fraction | None:
    return n * a if a != 1 else None


@rule("fraction_of", "rest", "finds the part that is left over")
def _(a: int, b: int, n: Fraction) -> Fraction:
    return n - Fraction(a, b) * n


@rule("fraction_of", "divided_by_num_only", "divides by the numerator")
def _(a: int, b: int, n: Fraction) -> Fraction | None:
    return n / a if a != 1 else None


@rule("fraction_of", "multiplied_by_den", "multiplies by the denominator")
def _(a: int, b: int, n: Fraction) -> Fraction:
    return n * b


@rule("simplify", "same_subtracted", "subtracts the same number from top and bottom", prior=2)
def _(a: int, b: int) -> list[Fraction]:
    return [Fraction(a - k, b - k) for k in range(1, min(a, b)) if b != k]


@rule("simplify", "only_numerator", "divides only the numerator", prior=2)
def _(a: int, b: int) -> Fraction | None:
    return Fraction(a // gcd(a, b), b) if gcd(a, b) > 1 else None


@rule("simplify", "only_denominator", "divides only the denominator", prior=2)
def _(a: int, b: int) -> Fraction | None:
    return Fraction(a, b // gcd(a, b)) if gcd(a, b) > 1 else None


@rule("simplify", "inverted", "turns the fraction over")
def _(a: int, b: int) -> Fraction:
    return Fraction(b, a)


@rule("simplify", "different_divisors", "divides top and bottom by different numbers")
def _(a: int, b: int) -> list[Fraction]:
    return [Fraction(a // m, b // n) for m in (2, 3, 5) for n in (2, 3, 5) if m != n and a % m == 0 and b % n == 0]
