"""Equations and expressions gone wrong.

Operands of "linear" are a, b, c and the variable's name, for a x + b = c; of "distribute" k and the two terms of the
parenthesis; of "like_terms" the terms. Terms are sympy's.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from .registry import rule


@rule("linear", "wrong_inverse", "adds on both sides what should be subtracted", prior=3)
def _(a: Fraction, b: Fraction, c: Fraction, name: str) -> Fraction | None:
    return (c + b) / a if b else None


@rule("linear", "forgot_divide", "undoes the sum and forgets to divide", prior=4)
def _(a: Fraction, b: Fraction, c: Fraction, name: str) -> Fraction | None:
    return c - b if a != 1 else None


@rule("linear", "multiplied", "multiplies by the coefficient instead of dividing", prior=2)
def _(a: Fraction, b: Fraction, c: Fraction, name: str) -> Fraction | None:
    return (c - b) * a if abs(a) != 1 else None


@rule("linear", "subtracted_coefficient", "subtracts the coefficient instead of dividing by it", prior=2)
def _(a: Fraction, b: Fraction, c: Fraction, name: str) -> Fraction | None:
    return c - b - a if a != 1 else None


@rule("linear", "divided_only_constant", "divides only one of the numbers by the coefficient", prior=2)
def _(a: Fraction, b: Fraction, c: Fraction, name: str) -> Fraction | None:
    return c / a - b if a != 1 and b else None


@rule("linear", "sign", "gets the size right and the sign wrong", prior=2)
def _(a: Fraction, b: Fraction, c: Fraction, name: str) -> Fraction:
    return -(c - b) / a


@rule("linear", "constant_ignored", "divides and leaves the constant out")
def _(a: Fraction, b: Fraction, c: Fraction, name: str) -> Fraction | None:
    return c / a if b else None


@rule("linear", "wrong_inverse_no_divide", "adds what should be subtracted and forgets to divide")
def _(a: Fraction, b: Fraction, c: Fraction, name: str) -> Fraction | None:
    return c + b if b and a != 1 else None


@rule("linear", "inverted", "divides the coefficient by the number")
def _(a: Fraction, b: Fraction, c: Fraction, name: str) -> Fraction:
    return a / (c - b)


@rule("linear", "unlike_joined", "joins the coefficient and the constant")
def _(a: Fraction, b: Fraction, c: Fraction, name: str) -> Fraction | None:
    return c / (a + b) if b else None


@rule("distribute", "first_term_only", "multiplies only the first term", prior=5)
def _(k: Fraction, first: Any, second: Any) -> Any:
    return _times(k, first) + second


@rule("distribute", "second_term_only", "multiplies only the second term")
def _(k: Fraction, first: Any, second: Any) -> Any:
    return first + _times(k, second)


@rule("distribute", "sign_of_second", "gets the sign of the second term wrong", prior=2)
def _(k: Fraction, first: Any, second: Any) -> Any:
    return _times(k, first) - _times(k, second)


@rule("distribute", "added_to_terms", "adds the factor to the terms instead of multiplying")
def _(k: Fraction, first: Any, second: Any) -> Any:
    return first + second + 2 * _number(k)


@rule("distribute", "added_to_first", "multiplies the first term and adds the factor to the second")
def _(k: Fraction, first: Any, second: Any) -> Any:
    return _times(k, first) + second + _number(k)


@rule("distribute", "joined", "joins unlike terms after multiplying", prior=2)
def _(k: Fraction, first: Any, second: Any) -> Any:
    symbols = list((first + second).free_symbols)
    if len(symbols) != 1:
        return None
    return (_times(k, first) + _times(k, second)).subs(symbols[0], 1) * symbols[0]


@rule("like_terms", "unlike_joined", "joins terms that are not alike", prior=5)
def _(*terms: Any) -> Any:
    symbols = sorted({symbol for term in terms for symbol in term.free_symbols}, key=str)
    total = sum(_coefficient(term) for term in terms)
    product = total
    for symbol in symbols:
        product *= symbol
    return [product, *(total * symbol for symbol in symbols if len(symbols) > 1)]


@rule("like_terms", "exponents_added", "adds the exponents of like terms", prior=2)
def _(*terms: Any) -> Any:
    if len(terms) != 2 or terms[0].free_symbols != terms[1].free_symbols or not terms[0].free_symbols:
        return None
    (symbol,) = terms[0].free_symbols
    return (_coefficient(terms[0]) + _coefficient(terms[1])) * symbol**2


@rule("like_terms", "coefficients_multiplied", "multiplies the coefficients")
def _(*terms: Any) -> Any:
    if len(terms) != 2 or terms[0].free_symbols != terms[1].free_symbols or not terms[0].free_symbols:
        return None
    (symbol,) = terms[0].free_symbols
    product = _coefficient(terms[0]) * _coefficient(terms[1])
    return [product * symbol, product * symbol**2]


@rule("like_terms", "variable_dropped", "drops the variable")
def _(*terms: Any) -> Any:
    total = sum(_coefficient(term) for term in terms)
    return Fraction(int(total.p), int(total.q))


@rule("like_terms", "sign_of_last", "gets the sign of the last term wrong", prior=2)
def _(*terms: Any) -> Any:
    return sum(terms[:-1]) - terms[-1]


@rule("like_terms", "number_dropped", "leaves the number without a variable out")
def _(*terms: Any) -> Any:
    kept = [term for term in terms if term.free_symbols]
    return sum(kept) if len(kept) < len(terms) else None


def _number(value: Fraction) -> Any:
    import sympy

    return sympy.Rational(value.numerator, value.denominator)


def _times(k: Fraction, term: Any) -> Any:
    import sympy

    return sympy.expand(_number(k) * term)


def _coefficient(term: Any) -> Any:
    return term.as_coeff_Mul()[0]
