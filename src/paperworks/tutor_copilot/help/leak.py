"""Whether a sentence gives the answer away, in whatever form it is written."""

from __future__ import annotations

import re
from fractions import Fraction

from ..maths.expressions import NotMathematics, Num, normal, tokens_of
from ..maths.problem import Answer, Problem, same
from ..maths.reading import answers_in
from ..maths.words import spelled_out

__all__ = ["gives_away"]

_ONE = re.compile(
    r"(?<!\bis )(?<!\bget )(?<!equals )(?<!makes )\bone\b"
    r"(?![- ](?:half|third|fourth|quarter|fifth|sixth|eighth|tenth|hundred))"
)
"""The pronoun: "look at this one"."""
_NUMBER_LIKE = re.compile(r"(?:-\s?)?(?:\d+ +\d+/\d+|\d+\s*/\s*\d+|\d*\.?\d+\s*%?)")


def gives_away(text: str, problem: Problem) -> bool:
    """Whether ``text`` has the problem's answer as a number (0.75, 3/4, 6/8, 75 %, "three fourths") or an expression.

    A number that stands in the problem itself is no leak.
    """
    if isinstance(problem.answer, Fraction):
        stated = set(_numbers(problem.text))
        return problem.answer in set(_numbers(text)) - stated
    return any(_is(answer, problem.answer) for answer in answers_in(text))


def _is(answer: Answer, correct: Answer) -> bool:
    return not isinstance(answer, Fraction) and same(answer, correct)


def _numbers(text: str) -> list[Fraction]:
    found = []
    for written in _NUMBER_LIKE.findall(normal(spelled_out(_ONE.sub("it", text.lower())))):
        try:
            tokens = tokens_of(written)
        except NotMathematics:
            continue
        sign = -1 if tokens and tokens[0] == "-" else 1
        for token in tokens:
            if isinstance(token, Num):
                found += [token.value, sign * token.value]
                found += [token.value * 100] if token.form == "percent" else []
                found += [Fraction(part) for part in token.parts] if token.form == "mixed" else []
    return found
