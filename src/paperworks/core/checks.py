"""What constructors require of their arguments. Each refusal is a ValueError that says what would be right."""

from __future__ import annotations

import math


def require_number(what: str, value: object, instead: str = "give a finite number") -> None:
    """A finite int or float, no bool; ``instead`` says what to do about one that is not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{what} must be a Python number, not {type(value).__name__} ({value!r})")
    try:
        is_finite = math.isfinite(value)
    except OverflowError:
        raise ValueError(f"{what} is an integer that no float can hold; {instead}") from None
    if not is_finite:
        raise ValueError(f"{what} is {value}; {instead}")


def require_string(what: str, value: object) -> None:
    """A string, which may be empty."""
    if not isinstance(value, str):
        raise ValueError(f"{what} must be a string, not {type(value).__name__} ({value!r})")


def require_text(what: str, value: object, instead: str = "say it in a sentence") -> None:
    """A string with something in it; ``instead`` says what belongs there."""
    require_string(what, value)
    if not str(value).strip():
        raise ValueError(f"{what} is blank; {instead}")


def require_tuple(what: str, value: object, kind: type) -> None:
    """A tuple of ``kind``: neither a list nor the one item with its comma forgotten."""
    if not isinstance(value, tuple):
        raise ValueError(f"{what} must be a tuple, written (one,) where there is one; not {type(value).__name__}")
    for item in value:
        if not isinstance(item, kind):
            raise ValueError(f"{what} must be a tuple of {kind.__name__}; {item!r} is {type(item).__name__}")
