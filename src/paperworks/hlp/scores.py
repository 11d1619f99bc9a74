"""How like the truth an infill is, as the benchmarks of repository-level completion count it, and whether it fits."""

from __future__ import annotations

import ast
import warnings
from typing import Literal

from rapidfuzz.distance import Indel, Levenshtein

__all__ = [
    "ast_equal",
    "edit_similarity",
    "exact_match",
    "parses",
    "repeat_of_suffix",
    "repeats_suffix",
]

_FEWEST = 3
"""Characters other than blanks that a repetition has at least: a closing bracket of both is none."""


def exact_match(infill: str, truth: str, *, strict: bool = False) -> bool:
    """Equal but for blanks at the ends of lines; ``strict``: equal, character by character."""
    if strict:
        return infill == truth
    return _without_trailing_blanks(infill) == _without_trailing_blanks(truth)


def edit_similarity(infill: str, truth: str, *, distance: Literal["levenshtein", "indel"] = "levenshtein") -> float:
    """0 to 100: how much of the longer text need not be edited (Levenshtein), or of both texts together (indel).

    Public benchmarks differ in which they take; their numbers do not compare.
    """
    measure = {"levenshtein": Levenshtein, "indel": Indel}[distance]
    return float(100 * measure.normalized_similarity(infill, truth))


def parses(text: str) -> bool:
    """Whether a text is Python."""
    return _tree(text) is not None


def ast_equal(text: str, other: str) -> bool:
    """Whether two texts are Python with the same syntax tree: comments and layout aside. False where one is none."""
    first, second = _tree(text), _tree(other)
    return first is not None and second is not None and ast.dump(first) == ast.dump(second)


def repeat_of_suffix(infill: str, suffix: str) -> int | None:
    """Where an infill begins to repeat what stands after the hole (characters); None where it does not.

    From there on it is the beginning of the suffix, or has the suffix's first line that is not blank as a line.
    """
    line = next((line.strip() for line in suffix.split("\n") if line.strip()), "")
    place = 0
    for own in infill.split("\n"):
        if own.strip() == line and _counts(line):
            return place
        place += len(own) + 1
    for start in range(max(0, len(infill) - len(suffix)), len(infill)):
        if suffix.startswith(infill[start:]) and _counts(infill[start:]):
            return start
    return None


def repeats_suffix(infill: str, truth: str, suffix: str) -> bool:
    """Whether an infill repeats the suffix where the truth does not."""
    return repeat_of_suffix(infill, suffix) is not None and repeat_of_suffix(truth, suffix) is None


def _counts(repeated: str) -> bool:
    return len("".join(repeated.split())) >= _FEWEST


def _tree(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _without_trailing_blanks(text: str) -> list[str]:
    return [line.rstrip() for line in text.split("\n")]
