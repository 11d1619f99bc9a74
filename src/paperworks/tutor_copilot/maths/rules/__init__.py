"""The mistakes that are known: a rule is a wrong procedure, which on a problem's operands gives a wrong answer."""

from . import algebra, decimals, fractions, measures, signed, whole_numbers  # noqa: F401  (they register their rules)
from .registry import RULES, Rule, wrong_answers

__all__ = ["RULES", "Rule", "wrong_answers"]
