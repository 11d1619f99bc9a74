"""How hard a sentence is to read: Flesch and Kincaid's grade (1975), and a budget by the student's grade."""

from __future__ import annotations

import re

__all__ = ["LONGEST", "fits", "reading_grade"]

LONGEST = 25
"""Words of a suggestion, at most (2.4)."""
_VOWELS = re.compile(r"[aeiouy]+")
_WORDS = re.compile(r"[A-Za-z]+(?:['’][a-z]+)?")
_ABOVE = 1.0


def reading_grade(text: str) -> float:
    """The school grade whose students can read ``text``; numbers and signs are left out. 0 for a text without words."""
    words = _WORDS.findall(text)
    if not words:
        return 0.0
    sentences = max(1, len(re.findall(r"[.!?]+(?:\s|$)", text)))
    syllables = sum(map(_syllables, words))
    return 0.39 * len(words) / sentences + 11.8 * syllables / len(words) - 15.59


def fits(text: str, grade: int) -> bool:
    """Whether a suggestion has at most `LONGEST` words and reads at most one grade above the student's."""
    return len(text.split()) <= LONGEST and reading_grade(text) <= grade + _ABOVE


def _syllables(word: str) -> int:
    """Groups of vowels; a silent e at the end is none."""
    lower = word.lower()
    count = len(_VOWELS.findall(lower))
    silent = lower.endswith("e") and not lower.endswith(("le", "ee")) and count > 1
    return max(1, count - silent)
