"""Formulas in TeX, as the rooms' keys and boards write them, as plain text."""

from __future__ import annotations

import re

__all__ = ["without_tex"]

_PART = r"\s*(?:\{([^{}]*)\}|(\w))"
_FRACTION = re.compile(rf"(\d\s*)?\\[dt]?frac{_PART}{_PART}")
_SIGNS = {r"\times": "×", r"\cdot": "×", r"\div": "÷", r"\left": "", r"\right": "", r"\%": "%", r"\,": " ", r"\ ": " "}
_NAMED = re.compile("|".join(map(re.escape, _SIGNS)) + r"(?![a-z])")
_GROUP = re.compile(r"\^\{(\d+)\}")
_NUMBER = re.compile(r"\d+")


def without_tex(text: str) -> str:
    """``text`` with the TeX of arithmetic spelled plainly: fractions, signs, powers; dollars go. Other TeX stays."""
    if "\\" not in text and "$" not in text:
        return text
    text = _GROUP.sub(r"^\1", _NAMED.sub(lambda sign: _SIGNS[sign[0]], text))
    return _FRACTION.sub(_plain_fraction, text).replace("$", " ")


def _plain_fraction(found: re.Match[str]) -> str:
    """3/4, or 2 3/4 behind a whole number, or (x + 1)/(2)."""
    whole, top, bottom = found[1] or "", found[2] or found[3] or "", found[4] or found[5] or ""
    parts = [part.strip() for part in (top, bottom)]
    if all(map(_NUMBER.fullmatch, parts)):
        return f"{whole.strip()} {parts[0]}/{parts[1]}" if whole else f"{parts[0]}/{parts[1]}"
    return f"{whole}({parts[0]})/({parts[1]})"
