"""Arithmetic and linear algebra as people type them, read into a tree; never `eval`, and bounded in every direction.

``Num``, ``Var``, ``Neg`` and ``Bin`` are the whole language (2.4). A text is refused with `NotMathematics` when it is
longer than 200 characters, has a number of more than 12 digits, or an exponent above 12.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

__all__ = [
    "Bin",
    "Expression",
    "Form",
    "Neg",
    "Node",
    "NotMathematics",
    "Num",
    "Token",
    "Var",
    "evaluate",
    "parse",
    "show",
    "tokens_of",
    "variables",
]

MAX_CHARACTERS, MAX_DIGITS, MAX_EXPONENT = 200, 12, 12
_DEEPEST = 20

Form = Literal["integer", "decimal", "fraction", "mixed", "percent"]
Operator = Literal["+", "-", "*", "/", "^"]


class NotMathematics(ValueError):
    """The text is no expression of this language; the message says what stands in the way."""


@dataclass(frozen=True, slots=True)
class Num:
    """A number as it was written; ``parts`` are (n, d) of a fraction, (whole, n, d) of a mixed number."""

    value: Fraction
    form: Form
    text: str
    parts: tuple[int, ...] = ()

    @property
    def places(self) -> int:
        """Digits after the point."""
        return len(self.text.partition(".")[2]) if self.form == "decimal" else 0


@dataclass(frozen=True, slots=True)
class Var:
    """A variable of one letter."""

    name: str


@dataclass(frozen=True, slots=True)
class Neg:
    """A negated term."""

    of: Node


@dataclass(frozen=True, slots=True)
class Bin:
    """Two terms and an operator; ``implicit`` where the times sign was left out."""

    op: Operator
    left: Node
    right: Node
    implicit: bool = False


Node: TypeAlias = Num | Var | Neg | Bin
Token: TypeAlias = "Num | Var | str"


@dataclass(frozen=True, slots=True)
class Expression:
    """A text's tokens and their tree."""

    tokens: tuple[Token, ...]
    tree: Node


_SIGNS = str.maketrans(
    {"×": "*", "·": "*", "∙": "*", "⋅": "*", "−": "-", "–": "-", "—": "-", "⁄": "/", "∕": "/", "＝": "="}
)
_SUPERSCRIPTS = {"²": "^2", "³": "^3", "⁴": "^4", "⁵": "^5"}
_VULGAR = {
    "½": "1/2",
    "⅓": "1/3",
    "⅔": "2/3",
    "¼": "1/4",
    "¾": "3/4",
    "⅕": "1/5",
    "⅖": "2/5",
    "⅗": "3/5",
    "⅘": "4/5",
    "⅛": "1/8",
}
_NUMBER = re.compile(
    r"""(?P<mixed>(?P<whole>\d+)\ +(?P<mn>\d+)/(?P<md>\d+))
      | (?P<fraction>(?P<n>\d+)/(?P<d>\d+))
      | (?P<decimal>\d*\.\d+)
      | (?P<integer>\d{1,3}(?:,\d{3})+|\d+)""",
    re.VERBOSE,
)
_LETTER = re.compile(r"[A-Za-z](?![A-Za-z])")


def normal(text: str) -> str:
    """``text`` with one way to write each sign."""
    for written, meant in {**_SUPERSCRIPTS, **{sign: f" {value} " for sign, value in _VULGAR.items()}}.items():
        text = text.replace(written, meant)
    text = text.replace("**", "^").translate(_SIGNS)
    return re.sub(r"(?<=[\d)])\s*[xX]\s*(?=[\d(])", " * ", text)


def tokens_of(text: str) -> list[Token]:
    """The tokens of an expression. Raises NotMathematics where a character belongs to none."""
    if len(text) > MAX_CHARACTERS:
        raise NotMathematics(f"an expression has at most {MAX_CHARACTERS} characters, not {len(text)}")
    return list(_scan(normal(text)))


def _scan(text: str) -> Iterator[Token]:
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        if match := _NUMBER.match(text, place):
            number = _number(match)
            place = match.end()
            if percent := re.compile(r"\s*(%|percent\b|per cent\b)").match(text, place):
                number = Num(number.value / 100, "percent", number.text, (int(number.value),))
                place = percent.end()
            yield number
        elif match := _LETTER.match(text, place):
            yield Var(match[0].lower())
            place += 1
        elif text[place] in "+-*/^()=÷:":
            yield "÷" if text[place] in "÷:" else text[place]
            place += 1
        else:
            raise NotMathematics(f"{text[place]!r} belongs to no expression")


def _number(match: re.Match[str]) -> Num:
    digits = max(map(len, re.findall(r"\d+", match[0].replace(",", ""))))
    if digits > MAX_DIGITS:
        raise NotMathematics(f"numbers have at most {MAX_DIGITS} digits here, not {digits}")
    if match["mixed"]:
        whole, n, d = int(match["whole"]), int(match["mn"]), int(match["md"])
        return Num(whole + _ratio(n, d), "mixed", match["mixed"], (whole, n, d))
    if match["fraction"]:
        n, d = int(match["n"]), int(match["d"])
        return Num(_ratio(n, d), "fraction", match["fraction"], (n, d))
    if match["decimal"]:
        return Num(Fraction(match["decimal"]), "decimal", match["decimal"])
    text = match["integer"].replace(",", "")
    return Num(Fraction(text), "integer", text)


def _ratio(n: int, d: int) -> Fraction:
    if d == 0:
        raise NotMathematics("a denominator is 0")
    return Fraction(n, d)


def parse(tokens: Sequence[Token]) -> Node:
    """The tree of an expression's tokens: powers before products before sums. Raises NotMathematics."""
    reader = _Reader(tokens)
    tree = reader.sum(0)
    if reader.place < len(tokens):
        raise NotMathematics(f"{tokens[reader.place]!r} stands where the expression should have ended")
    return tree


class _Reader:
    """Recursive descent over tokens."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens, self.place = tokens, 0

    def _next(self) -> Token | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def _take(self, wanted: str) -> str | None:
        token = self._next()
        if isinstance(token, str) and token in wanted:
            self.place += 1
            return token
        return None

    def sum(self, depth: int) -> Node:
        if depth > _DEEPEST:
            raise NotMathematics("the parentheses are nested too deeply")
        tree = self._product(depth)
        while sign := self._take("+-"):
            tree = Bin("+" if sign == "+" else "-", tree, self._product(depth))
        return tree

    def _product(self, depth: int) -> Node:
        tree = self._signed(depth)
        while True:
            if sign := self._take("*/÷"):
                tree = Bin("*" if sign == "*" else "/", tree, self._signed(depth))
            elif self._next() == "(" or isinstance(self._next(), Var):
                tree = Bin("*", tree, self._power(depth), implicit=True)
            else:
                return tree

    def _signed(self, depth: int) -> Node:
        if depth > _DEEPEST:
            raise NotMathematics("there are too many signs")
        if self._take("-"):
            return Neg(self._signed(depth + 1))
        if self._take("+"):
            return self._signed(depth + 1)
        return self._power(depth)

    def _power(self, depth: int) -> Node:
        base = self._atom(depth)
        if not self._take("^"):
            return base
        exponent = self._next()
        if not isinstance(exponent, Num) or exponent.form != "integer":
            raise NotMathematics("an exponent is a whole number here")
        if exponent.value > MAX_EXPONENT:
            raise NotMathematics(f"an exponent is at most {MAX_EXPONENT} here")
        self.place += 1
        if self._next() == "^":
            raise NotMathematics("an exponent has no exponent here")
        return Bin("^", base, exponent)

    def _atom(self, depth: int) -> Node:
        token = self._next()
        self.place += 1
        if isinstance(token, Num | Var):
            return token
        if token == "(":
            inside = self.sum(depth + 1)
            if not self._take(")"):
                raise NotMathematics("a parenthesis is not closed")
            return inside
        raise NotMathematics("an operator has nothing beside it" if token else "the expression breaks off")


def evaluate(node: Node) -> Fraction:
    """The exact value. Raises NotMathematics for a variable and a division by 0."""
    match node:
        case Num():
            return node.value
        case Var():
            raise NotMathematics(f"{node.name!r} has no value")
        case Neg():
            return -evaluate(node.of)
        case Bin():
            return apply(node.op, evaluate(node.left), evaluate(node.right))


def apply(op: str, left: Fraction, right: Fraction) -> Fraction:
    """One operation. Raises NotMathematics for a division by 0, and where a number becomes too large."""
    if op in "/÷" and right == 0:
        raise NotMathematics("a division by 0")
    match op:
        case "+":
            result = left + right
        case "-":
            result = left - right
        case "*":
            result = left * right
        case "/" | "÷":
            result = left / right
        case _:
            result = Fraction(left ** int(right))
    if max(abs(result.numerator), result.denominator) > 10 ** (4 * MAX_DIGITS):
        raise NotMathematics("a number becomes too large")
    return result


def variables(node: Node) -> set[str]:
    """The names of the variables."""
    match node:
        case Var():
            return {node.name}
        case Neg():
            return variables(node.of)
        case Bin():
            return variables(node.left) | variables(node.right)
        case _:
            return set()


def show(value: Fraction, *, decimal: bool = False) -> str:
    """A number as a child writes it: 7, 19/20, or 0.6 where ``decimal`` and it ends."""
    if value.denominator == 1:
        return str(value.numerator)
    if decimal:
        twos_and_fives = value.denominator
        for factor in (2, 5):
            while twos_and_fives % factor == 0:
                twos_and_fives //= factor
        if twos_and_fives == 1:
            return f"{float(value):.10f}".rstrip("0")
    return f"{value.numerator}/{value.denominator}"
