"""Numbers and operations in words, turned into signs: "three fourths of twenty" is 3/4 of 20."""

from __future__ import annotations

import re

from .tex import without_tex

__all__ = ["spelled_out"]

_UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_PARTS = {
    "half": 2, "halves": 2, "third": 3, "fourth": 4, "quarter": 4, "fifth": 5, "sixth": 6, "seventh": 7,
    "eighth": 8, "ninth": 9, "tenth": 10, "twelfth": 12, "hundredth": 100,
}  # fmt: skip
_VALUES = {
    **{word: value for value, word in enumerate(_UNITS)},
    **{word: 10 * (place + 2) for place, word in enumerate(_TENS)},
}
_TEN, _UNIT = "|".join(_TENS), "|".join(sorted(_UNITS[1:10], key=len, reverse=True))
_PART = "|".join(sorted((f"{word}s?" for word in _PARTS), key=len, reverse=True))
_NUMBER = re.compile(
    rf"(?<!nearest )\b(?:({_TEN})[- ]({_UNIT})|({'|'.join(sorted(_VALUES, key=len, reverse=True))}))\b"
)
_HUNDREDS = re.compile(r"\b(\d{1,2}) hundred(?:(?: and)? (\d{1,2})\b)?")
_MIXED = re.compile(rf"\b(\d+) and (?:a |(\d+) )?({_PART})\b")
_FRACTION = re.compile(rf"\b(\d+)[- ]({_PART})\b(?! (?:of )?place)")
_AND_FRACTION = re.compile(r"\b(\d+) and (?=\d+/\d+)")
_A_HALF = re.compile(r"\b(?:a|one) half\b|(?<=of )half\b")
_OPERATIONS = (
    (r"\bto the power of\b", "^"),
    (r"\bdivided by\b|\bdivided into\b", "÷"),
    (r"\btimes\b|\bmultiplied by\b", "*"),
    (r"\bplus\b|\badded to\b", "+"),
    (r"\bminus\b|\btake away\b", "-"),
    (r"\bnegative (?=\d)", "-"),
    (r"\bsquared\b", "^2"),
    (r"\bcubed\b", "^3"),
    (r"\bequals\b|\bis equal to\b", "="),
)
_MOST = 400


def spelled_out(text: str) -> str:
    """``text`` in lower case, with words and TeX for numbers and operations as signs; longer than 400 it is cut."""
    text = without_tex(text[:_MOST]).lower()
    text = _NUMBER.sub(lambda found: str(_value(found)), text)
    text = _HUNDREDS.sub(lambda found: str(100 * int(found[1]) + int(found[2] or 0)), text)
    text = _MIXED.sub(lambda found: f"{found[1]} {found[2] or 1}/{_denominator(found[3])}", text)
    text = _A_HALF.sub("1/2", text)
    text = _FRACTION.sub(lambda found: f"{found[1]}/{_denominator(found[2])}", text)
    text = _AND_FRACTION.sub(r"\1 ", text)
    for words, sign in _OPERATIONS:
        text = re.sub(words, sign, text)
    return text


def _value(found: re.Match[str]) -> int:
    if found[1]:
        return _VALUES[found[1]] + _VALUES[found[2]]
    return _VALUES[found[3]]


def _denominator(word: str) -> int:
    return _PARTS.get(word) or _PARTS[word.removesuffix("s")]
