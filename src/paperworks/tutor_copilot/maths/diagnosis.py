"""Which mistake leads to a wrong answer: every known one is run on the problem, and those that give it are ranked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from typing import Literal

from .problem import Answer, Problem, same
from .reading import answers_in, problem_in
from .rules import RULES, Rule, wrong_answers
from .tex import without_tex

__all__ = ["Candidate", "Diagnosis", "Verdict", "diagnose", "diagnose_problem"]

Verdict = Literal["correct", "misconception", "slip", "unknown", "no_answer", "no_math"]

_TYPICAL_GRADE = {
    "int_add": 2, "int_sub": 2, "int_mul": 4, "int_div": 4, "rounding": 4, "area": 4, "perimeter": 4, "fraction_add": 5,
    "fraction_sub": 5, "fraction_mul": 5, "fraction_of": 5, "simplify": 4, "fraction_div": 6, "decimal_add": 5,
    "decimal_sub": 5, "decimal_mul": 5, "decimal_div": 6, "percent_of": 6, "signed_add": 7, "signed_sub": 7,
    "signed_mul": 7, "order": 6, "power": 6, "mean": 6, "linear": 7, "distribute": 7, "like_terms": 7,
}  # fmt: skip
_WRITTEN = re.compile(r"(\d{1,12})\s*/\s*(\d{1,12})")
_SCANNED = 200
_CONFUSED = {"added", "subtracted", "multiplied", "reversed"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A mistake that gives the student's answer, with its share ``p`` among those that do."""

    rule: str
    p: float
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What is known of a reply.

    "correct" is an answer equal to ``correct`` in any form (``imprecise`` where a fraction is not simplified);
    "misconception" has ``candidates``, likeliest first; "slip" is next to the correct answer or has two digits swapped;
    "unknown" is a wrong answer that no rule gives; "no_answer" a reply without one; "no_math" no problem that is known.
    """

    verdict: Verdict
    problem: Problem | None = None
    given: Answer | None = None
    candidates: tuple[Candidate, ...] = ()
    imprecise: bool = False

    @property
    def correct(self) -> Answer | None:
        """The exact answer."""
        return None if self.problem is None else self.problem.answer


def diagnose(problem: str, reply: str, *, grade: int = 5) -> Diagnosis:
    """Diagnose a student's ``reply`` to a ``problem``, both as they were written. It never raises on any text.

    >>> diagnose("3/4 + 1/5", "4/9").candidates[0].rule
    'fraction_add.num_and_den'
    """
    found = problem_in(problem)
    if found is None:
        return Diagnosis(verdict="no_math")
    answers = answers_in(reply)
    if not answers:
        return Diagnosis(verdict="no_answer", problem=found)
    right = next((answer for answer in answers if same(answer, found.answer)), None)
    if right is not None:
        return Diagnosis(verdict="correct", problem=found, given=right, imprecise=_is_unsimplified(reply, found))
    return diagnose_problem(found, answers[0], grade=grade)


def diagnose_problem(problem: Problem, given: Answer, *, grade: int = 5) -> Diagnosis:
    """Diagnose an answer to a problem that is there already."""
    if same(given, problem.answer):
        return Diagnosis(verdict="correct", problem=problem, given=given)
    candidates = _candidates(problem, given, grade)
    if candidates:
        return Diagnosis(verdict="misconception", problem=problem, given=given, candidates=candidates)
    slip = _is_slip(given, problem.answer)
    return Diagnosis(verdict="slip" if slip else "unknown", problem=problem, given=given)


def _candidates(problem: Problem, given: Answer, grade: int) -> tuple[Candidate, ...]:
    weights: list[tuple[float, Rule]] = []
    for each in RULES[problem.skill]:
        values = [value for value in wrong_answers(each, problem) if not same(value, problem.answer)]
        if any(same(value, given) for value in values):
            weights.append((_weight(each, problem, grade) / len(values), each))
    total = sum(weight for weight, _ in weights)
    ranked = sorted(weights, key=lambda pair: -pair[0])
    return tuple(Candidate(each.id, weight / total, each.says) for weight, each in ranked)


def _weight(each: Rule, problem: Problem, grade: int) -> float:
    """How common the mistake is: taking another operation is rarer above the grade where a skill is learnt."""
    beyond = grade - _TYPICAL_GRADE[problem.skill]
    name = each.id.partition(".")[2]
    return each.prior * (0.5 if name in _CONFUSED and beyond > 1 else 1.0)


def _is_unsimplified(reply: str, problem: Problem) -> bool:
    """Whether the right answer was written as a fraction that can be reduced."""
    written = [(int(n), int(d)) for n, d in _WRITTEN.findall(without_tex(reply[:_SCANNED]))]
    return any(d and gcd(n, d) > 1 and Fraction(n, d) == problem.answer for n, d in written)


def _is_slip(given: Answer, correct: Answer) -> bool:
    """One off in the last place, or two neighbouring digits swapped."""
    if not isinstance(given, Fraction) or not isinstance(correct, Fraction):
        return False
    if given.denominator == correct.denominator and abs(given.numerator - correct.numerator) == 1:
        return True
    written, meant = str(given.numerator), str(correct.numerator)
    if given.denominator != correct.denominator or len(written) != len(meant):
        return False
    differing = [place for place, (a, b) in enumerate(zip(written, meant, strict=True)) if a != b]
    if len(differing) != 2 or differing[1] != differing[0] + 1:
        return False
    first, second = differing
    return (written[first], written[second]) == (meant[second], meant[first])
