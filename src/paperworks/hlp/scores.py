"""How like the truth an infill is, as the benchmarks of repository-level completion count it."""

from __future__ import annotations

from typing import Literal

from rapidfuzz.distance import Indel, Levenshtein

__all__ = ["edit_similarity", "exact_match"]


def exact_match(infill: str, truth: str) -> bool:
    """Equal but for blanks at the ends of lines."""
    return _without_trailing_blanks(infill) == _without_trailing_blanks(truth)


def edit_similarity(infill: str, truth: str, *, distance: Literal["levenshtein", "indel"] = "levenshtein") -> float:
    """0 to 100: how much of the longer text need not be edited (Levenshtein), or of both texts together (indel).

    Public benchmarks differ in which they take; their numbers do not compare.
    """
    measure = {"levenshtein": Levenshtein, "indel": Indel}[distance]
    return float(100 * measure.normalized_similarity(infill, truth))


def _without_trailing_blanks(text: str) -> list[str]:
    return [line.rstrip() for line in text.split("\n")]
