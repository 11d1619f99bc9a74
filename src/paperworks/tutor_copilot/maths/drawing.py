"""New problems: of a skill, like a given one, simpler than it, or such that two mistakes would show apart."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from math import gcd

from .problem import Problem, same
from .reading import problem_of
from .rules import RULES, Rule, wrong_answers

__all__ = ["draw", "rule_named", "similar", "simpler", "telling_apart"]

_TRIES = 100
_Writer = Callable[[random.Random, bool], str]


def draw(skill: str, rng: random.Random, *, simple: bool = False) -> Problem:
    """A problem of a skill; ``simple`` with small numbers. Raises KeyError for an unknown skill."""
    write = _WRITERS[skill]
    drawn = problem_of(write(rng, simple))
    while drawn.skill != skill:  # 2.5 + 2.5 may have come out as whole numbers
        drawn = problem_of(write(rng, simple))
    return drawn


def similar(problem: Problem, rng: random.Random, *, rule: Rule | None = None) -> Problem:
    """Another problem of the same skill, on which ``rule`` goes wrong too.

    If it can be had, the answer is another one, and no other rule gives what ``rule`` gives.
    """
    best, grade = None, 0
    for _ in range(_TRIES):
        other = draw(problem.skill, rng)
        if other.text == problem.text or (rule is not None and not _goes_wrong(rule, other)):
            continue
        fresh = not same(other.answer, problem.answer)
        reached = 1 + fresh + (fresh and (rule is None or _alone(rule, other)))
        if reached > grade:
            best, grade = other, reached
        if grade == 3:
            break
    return best if best is not None else simpler(problem, rng)


def simpler(problem: Problem, rng: random.Random) -> Problem:
    """A problem of the same skill with small numbers and another answer."""
    other = draw(problem.skill, rng, simple=True)
    for _ in range(_TRIES):
        if other.text != problem.text and not same(other.answer, problem.answer):
            break
        other = draw(problem.skill, rng, simple=True)
    return other


def telling_apart(problem: Problem, rules: Sequence[Rule], rng: random.Random) -> Problem | None:
    """A problem of the same skill on which each of ``rules`` gives an answer of its own, or None where none is found.

    Of the problems drawn it is the one whose answers split the rules most finely.
    """
    best, most = None, 1
    for _ in range(_TRIES):
        other = draw(problem.skill, rng)
        given = [wrong_answers(rule, other) for rule in rules]
        if any(not values or any(same(value, other.answer) for value in values) for values in given):
            continue
        answers = [tuple(sorted(map(str, values))) for values in given]
        if len(set(answers)) > most:
            best, most = other, len(set(answers))
        if most == len(rules):
            break
    return best


def rule_named(name: str) -> Rule:
    """The rule with an id. Raises KeyError."""
    for rule in RULES[name.partition(".")[0]]:
        if rule.id == name:
            return rule
    raise KeyError(f"there is no rule {name!r}")


def _goes_wrong(rule: Rule, problem: Problem) -> bool:
    values = wrong_answers(rule, problem)
    return bool(values) and not any(same(value, problem.answer) for value in values)


def _alone(rule: Rule, problem: Problem) -> bool:
    """Whether no other rule gives what ``rule`` gives."""
    mine = wrong_answers(rule, problem)
    others = (value for each in RULES[problem.skill] if each is not rule for value in wrong_answers(each, problem))
    return not any(same(value, answer) for value in others for answer in mine)


def _two(rng: random.Random, simple: bool) -> tuple[int, int]:
    tops = (20, 20) if simple else rng.choice(((99, 99), (999, 999), (999, 99)))
    first, second = (rng.randint(top // 10 + 1, top) for top in tops)
    return first, second


def _int_sub(rng: random.Random, simple: bool) -> str:
    a, b = sorted(_two(rng, simple), reverse=True)
    return f"{a + 1} - {b}"


def _int_mul(rng: random.Random, simple: bool) -> str:
    if rng.random() < 0.05:
        return f"{rng.randint(2, 40)} × 0"
    a = rng.randint(2, 9) if simple else rng.randint(12, 98)
    b = rng.randint(2, 9) if simple or rng.random() < 0.4 else rng.choice((rng.randint(11, 49), 10 * rng.randint(2, 9)))
    return f"{a} × {b}"


def _int_div(rng: random.Random, simple: bool) -> str:
    b = rng.randint(2, 5 if simple else 9)
    larger = rng.choice((rng.randint(3, 12), rng.randint(12, 98), 100 * rng.randint(1, 8) + rng.randint(1, 9)))
    quotient = rng.randint(2, 6) if simple else larger
    rest = 0 if simple or rng.random() < 0.6 else rng.randint(1, b - 1)
    return f"{b * quotient + rest} ÷ {b}"


def _fraction(rng: random.Random, simple: bool) -> tuple[int, int]:
    d = rng.randint(2, 5 if simple else 12)
    n = rng.randint(1, d - 1)
    return n // gcd(n, d), d // gcd(n, d)


def _fractions(sign: str) -> _Writer:
    def write(rng: random.Random, simple: bool) -> str:
        pair = sorted((_fraction(rng, simple), _fraction(rng, simple)), key=lambda each: -each[0] / each[1])
        (a, b), (c, d) = pair
        if (a, b) == (c, d):
            return f"{2 * b - a}/{b} {sign} {c}/{d}" if 2 * b - a != a else f"3/{b + 1} {sign} 1/{d}"
        return f"{a}/{b} {sign} {c}/{d}"

    return write


def _simplify(rng: random.Random, simple: bool) -> str:
    a, b = _fraction(rng, simple)
    k = rng.randint(2, 3 if simple else 8)
    return f"simplify {a * k}/{b * k}"


def _fraction_of(rng: random.Random, simple: bool) -> str:
    a, b = _fraction(rng, simple)
    return f"{a}/{b} of {b * rng.randint(2, 4 if simple else 12)}"


def _signed(sign: str) -> _Writer:
    def write(rng: random.Random, simple: bool) -> str:
        top = 5 if simple else 15
        a, b = (rng.choice((-1, 1)) * rng.randint(2, top) for _ in "ab")
        if a > 0 and b > 0:
            b = -b
        second = f"({b})" if b < 0 else str(b)
        return f"{a} {sign} {second}"

    return write


def _order(rng: random.Random, simple: bool) -> str:
    a, b, c = (rng.randint(2, 5 if simple else 12) for _ in "abc")
    shapes = (
        f"{a} + {b} × {c}",
        f"{a * b + c} - {b} × {a}",
        f"{a} × ({b} + {c})",
        f"{a + b + c} - {b} + {c}",
        f"{a * b * c} ÷ {b} × {c}",
        f"{a} × {b}^2",
    )
    return shapes[0] if simple else rng.choice(shapes)


def _power(rng: random.Random, simple: bool) -> str:
    if simple:
        return f"{rng.randint(3, 5)}^2"
    return f"{rng.choice((rng.randint(2, 10), rng.randint(2, 10), '(-3)', '(-2)'))}^{rng.choice((0, 2, 3, 3, 4))}"


def _decimals(sign: str) -> _Writer:
    def write(rng: random.Random, simple: bool) -> str:
        places = (1, 1) if simple else rng.choice(((1, 1), (1, 2), (2, 1), (2, 2)))
        a, b = (rng.randint(11, 99) / 10 + (rng.randint(1, 9) / 100 if each == 2 else 0) for each in places)
        if sign in "×÷":
            a, b = a / rng.choice((1, 10)), rng.randint(2, 9) / rng.choice((1, 10))
            return f"{a * b:g} ÷ {b:g}" if sign == "÷" else f"{a:.4g} × {b:g}"
        larger, smaller = max(a, b), min(a, b)
        if larger == smaller:
            larger += 1
        return f"{larger:.4g} {sign} {smaller:.4g}"

    return write


def _percent(rng: random.Random, simple: bool) -> str:
    p = rng.choice((10, 50)) if simple else rng.choice((5, 15, 20, 25, 30, 40, 60, 75))
    return f"{p}% of {20 * rng.randint(2, 5 if simple else 20)}"


def _linear(rng: random.Random, simple: bool) -> str:
    a, x, b = (
        rng.randint(2, 3 if simple else 9),
        rng.randint(2, 5 if simple else 12),
        rng.randint(1, 4 if simple else 15),
    )
    sign = "+" if simple or rng.random() < 0.6 else "-"
    return f"{a}x {sign} {b} = {a * x + (b if sign == '+' else -b)}"


def _distribute(rng: random.Random, simple: bool) -> str:
    k, m = rng.randint(2, 3 if simple else 9), rng.randint(2, 5 if simple else 9)
    inside = "x" if simple or rng.random() < 0.6 else f"{rng.randint(2, 5)}x"
    return f"{k}({inside} {'+' if simple else rng.choice('+-')} {m})"


def _like_terms(rng: random.Random, simple: bool) -> str:
    a, b, c = (rng.randint(2, 4 if simple else 9) for _ in "abc")
    return (
        f"{a}x + {b}x" if simple else rng.choice((f"{a}x + {b}", f"{a}x + {b} + {c}x", f"{a}x + {b}y", f"{a}x + {b}x"))
    )


def _rectangle(what: str) -> _Writer:
    def write(rng: random.Random, simple: bool) -> str:
        top = 5 if simple else 15
        return f"{what} of a {rng.randint(3, top)} by {rng.randint(2, top)} rectangle"

    return write


def _rounding(rng: random.Random, simple: bool) -> str:
    if simple:
        return f"round {rng.randint(11, 99)} to the nearest ten"
    place = rng.choice(("ten", "hundred", "hundred", "tenth"))
    value = f"{rng.randint(1, 30)}.{rng.randint(11, 99)}" if place == "tenth" else rng.randint(1050, 9990)
    if place == "hundred" and rng.random() < 0.3:  # 3446: rounding twice and rounding once differ
        value = int(value) // 100 * 100 + rng.randint(45, 49)
    return f"round {value} to the nearest {place}"


def _mean(rng: random.Random, simple: bool) -> str:
    count = 3 if simple else rng.choice((3, 4, 5))
    values = [rng.randint(1, 9 if simple else 30) for _ in range(count - 1)]
    values.append((-sum(values)) % count + count * rng.randint(1, 4))
    return "mean of " + ", ".join(map(str, values))


_WRITERS: dict[str, _Writer] = {
    "int_add": lambda rng, simple: " + ".join(map(str, _two(rng, simple))),
    "int_sub": _int_sub,
    "int_mul": _int_mul,
    "int_div": _int_div,
    "fraction_add": _fractions("+"),
    "fraction_sub": _fractions("-"),
    "fraction_mul": _fractions("×"),
    "fraction_div": _fractions("÷"),
    "fraction_of": _fraction_of,
    "simplify": _simplify,
    "signed_add": _signed("+"),
    "signed_sub": _signed("-"),
    "signed_mul": _signed("×"),
    "order": _order,
    "power": _power,
    "decimal_add": _decimals("+"),
    "decimal_sub": _decimals("-"),
    "decimal_mul": _decimals("×"),
    "decimal_div": _decimals("÷"),
    "percent_of": _percent,
    "linear": _linear,
    "distribute": _distribute,
    "like_terms": _like_terms,
    "area": _rectangle("area"),
    "perimeter": _rectangle("perimeter"),
    "rounding": _rounding,
    "mean": _mean,
}
