"""A problem with its exact answer, and when two answers are the same."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

from .expressions import Bin, Expression, Neg, Node, NotMathematics, Num, Var, evaluate, show

if TYPE_CHECKING:
    from sympy import Expr

__all__ = ["SKILLS", "Answer", "Problem", "algebra", "same", "show_answer"]

Answer: TypeAlias = "Fraction | Expr"

SKILLS = {
    "int_add": "addition",
    "int_sub": "subtraction",
    "int_mul": "multiplication",
    "int_div": "division",
    "fraction_add": "adding fractions",
    "fraction_sub": "subtracting fractions",
    "fraction_mul": "multiplying fractions",
    "fraction_div": "dividing fractions",
    "fraction_of": "a fraction of a number",
    "simplify": "simplifying fractions",
    "signed_add": "adding signed numbers",
    "signed_sub": "subtracting signed numbers",
    "signed_mul": "multiplying signed numbers",
    "order": "order of operations",
    "power": "powers",
    "decimal_add": "adding decimals",
    "decimal_sub": "subtracting decimals",
    "decimal_mul": "multiplying decimals",
    "decimal_div": "dividing decimals",
    "percent_of": "percent of a number",
    "linear": "linear equations",
    "distribute": "the distributive property",
    "like_terms": "like terms",
    "area": "area of a rectangle",
    "perimeter": "perimeter of a rectangle",
    "rounding": "rounding",
    "mean": "the mean",
}
"""What the rules know, and what it is called in a sentence."""


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A problem of one skill. ``operands`` are what its rules work on, as each skill's rules say; ``text`` is how it is
    written, and ``expression`` its tokens and tree where it has one."""

    skill: str
    operands: tuple[Any, ...]
    text: str
    answer: Answer
    expression: Expression | None = None

    @property
    def decimal(self) -> bool:
        """Whether answers are written with a point rather than as fractions."""
        return self.skill.startswith("decimal") or self.skill in {"percent_of", "rounding", "mean"}


def algebra(node: Node) -> Any:
    """The tree as a sympy expression, expanded."""
    import sympy

    def build(part: Node) -> Any:
        match part:
            case Num():
                return sympy.Rational(part.value.numerator, part.value.denominator)
            case Var():
                return sympy.Symbol(part.name)
            case Neg():
                return -build(part.of)
            case Bin(op="^"):
                return build(part.left) ** int(evaluate(part.right))
            case Bin(op="+"):
                return build(part.left) + build(part.right)
            case Bin(op="-"):
                return build(part.left) - build(part.right)
            case Bin(op="*"):
                return build(part.left) * build(part.right)
            case Bin():
                divisor = build(part.right)
                if divisor == 0:
                    raise NotMathematics("a division by 0")
                return build(part.left) / divisor

    return sympy.expand(build(node))


def same(first: Answer, second: Answer) -> bool:
    """Whether two answers are equal: as numbers, or as expressions for every value of their variables."""
    if isinstance(first, Fraction) and isinstance(second, Fraction):
        return first == second
    import sympy

    return bool(sympy.expand(_sympy(first) - _sympy(second)) == 0)


def _sympy(value: Answer) -> Any:
    import sympy

    return sympy.Rational(value.numerator, value.denominator) if isinstance(value, Fraction) else value


def show_answer(answer: Answer, *, decimal: bool = False) -> str:
    """An answer as a child writes it."""
    if isinstance(answer, Fraction):
        return show(answer, decimal=decimal)
    return str(answer).replace("**", "^").replace("*", "")
