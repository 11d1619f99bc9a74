"""Where rules are kept, and how one is run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..expressions import NotMathematics
from ..problem import SKILLS, Answer, Problem

__all__ = ["RULES", "Rule", "rule", "wrong_answers"]

Procedure = Callable[..., Any]


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A wrong procedure. ``says`` completes "The student ...", ``prior`` is how common it is beside the others."""

    id: str
    says: str
    prior: float
    run: Procedure

    @property
    def skill(self) -> str:
        """The skill whose problems it goes wrong on."""
        return self.id.partition(".")[0]


RULES: dict[str, list[Rule]] = {skill: [] for skill in SKILLS}


def rule(skill: str, name: str, says: str, *, prior: float = 1.0) -> Callable[[Procedure], Procedure]:
    """Register a procedure, which takes a problem's operands and gives a wrong answer, several, or None."""

    def keep(run: Procedure) -> Procedure:
        RULES[skill].append(Rule(f"{skill}.{name}", says, prior, run))
        return run

    return keep


def wrong_answers(each: Rule, problem: Problem) -> list[Answer]:
    """What the rule gives for the problem; nothing where it does not apply."""
    try:
        given = each.run(*problem.operands)
    except (NotMathematics, ZeroDivisionError):
        return []
    if given is None:
        return []
    several = given if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    return [_exact(value) for value in several]


def _exact(value: Any) -> Answer:
    return Fraction(value) if isinstance(value, int | str) else value
