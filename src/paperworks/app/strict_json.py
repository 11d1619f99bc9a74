"""JSON that says one thing only, from whoever it comes: no number that is not finite, no key twice, no half letters."""

from __future__ import annotations

import json
import math
from typing import Any


def loads(data: bytes) -> Any:
    """The value of a JSON text in UTF-8.

    Raises ValueError, and nothing else, for what is no JSON, for a number that no finite float can hold, an object
    that has a key twice, a text with half a surrogate pair, and for what is nested deeper than can be read.
    """
    text = data.decode("utf-8")
    try:
        value = json.loads(
            text, parse_constant=_refuse_constant, parse_float=_float, parse_int=_int, object_pairs_hook=_object
        )
        if "\\u" in text:  # an escape may be half of a letter, which could be read but never be written again
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("it has a text with half a surrogate pair") from None
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no finite number")


def _float(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{_short(text)} is no finite number")
    return value


def _int(text: str) -> int:
    _float(text)
    return int(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"an object has the key {_short(twice)!r} twice")
    return value


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
