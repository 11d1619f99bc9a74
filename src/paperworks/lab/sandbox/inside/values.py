"""Plain Python values as JSON and back, without running anything of the value's own.

None, bool, int, float, complex, str, bytes, list, tuple, set, frozenset and dict, nested; exactly these types, because
a subclass may lie about what it equals. What JSON has no form for is an object ``{"$": kind, "of": ...}``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

_TAG = "$"
_SMALL = 1 << 63
_MOST_EQUAL_HASHES = 100


def encode(value: Any) -> Any:
    """``value`` as what ``json.dumps`` takes. Raises TypeError for a type that is not listed above."""
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        return value if -_SMALL < value < _SMALL else {_TAG: "int", "of": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {_TAG: "float", "of": repr(value)}
    if kind is complex:
        return {_TAG: "complex", "of": [encode(value.real), encode(value.imag)]}
    if kind is bytes:
        return {_TAG: "bytes", "of": value.hex()}
    if kind is list:
        return [encode(part) for part in value]
    if kind is tuple or kind is set or kind is frozenset:
        return {_TAG: kind.__name__, "of": [encode(part) for part in value]}
    if kind is dict:
        return _encode_dict(value)
    raise TypeError(f"a {kind.__qualname__} does not leave the sandbox; return plain values such as list, dict or str")


def decode(tree: Any) -> Any:
    """The inverse of `encode`. Raises ValueError for what `encode` never gives, however it was made.

    A set or dict whose keys are chosen to have equal hashes, which would take minutes to build, counts as such.
    """
    if isinstance(tree, list):
        return [decode(part) for part in tree]
    if not isinstance(tree, dict):
        return tree
    if _TAG not in tree:
        return {key: decode(part) for key, part in tree.items()}
    try:
        return _decode_tagged(tree[_TAG], tree["of"])
    except (TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(f"not a value of the sandbox: {error}") from None


def _encode_dict(value: dict[Any, Any]) -> Any:
    if all(type(key) is str for key in value) and _TAG not in value:
        return {key: encode(part) for key, part in value.items()}
    return {_TAG: "dict", "of": [[encode(key), encode(part)] for key, part in value.items()]}


def _decode_tagged(kind: Any, of: Any) -> Any:
    match kind:
        case "int":
            return int(of, 16)
        case "float" if of in ("nan", "inf", "-inf"):
            return float(of)
        case "complex":
            real, imaginary = decode(of)
            return complex(real, imaginary)
        case "bytes":
            return bytes.fromhex(of)
        case "tuple":
            return tuple(decode(part) for part in of)
        case "set" | "frozenset":
            members = [decode(part) for part in of]
            _refuse_equal_hashes(members)
            return set(members) if kind == "set" else frozenset(members)
        case "dict":
            pairs = [(decode(key), decode(part)) for key, part in of]
            _refuse_equal_hashes(key for key, _ in pairs)
            return dict(pairs)
        case _:
            raise ValueError(f"a value of unknown kind {kind!r:.40}")


def _refuse_equal_hashes(keys: Iterable[Any]) -> None:
    hashes = sorted(map(hash, keys))
    if any(first == last for first, last in zip(hashes, hashes[_MOST_EQUAL_HASHES:], strict=False)):
        raise ValueError("a set or dict made of keys with equal hashes")
