"""What can be kept between two runs, as bytes that give back an equal value: JSON with arrays beside it.

None, bool, int, float (inf and nan too), str, list, tuple, dict, and numpy arrays and scalars, nested as one likes. The
bytes are a zip file of ``value.json`` and one ``.npy`` file an array; reading them runs no code.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import math
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

_TAG = "$"  # an object {"$": kind, ...} stands for what JSON has no form for
_ADVICE = {
    "Tensor": "keep tensor.detach().cpu().numpy()",
    "Parameter": "keep parameter.detach().cpu().numpy()",
    "set": "keep sorted(...) of it",
    "frozenset": "keep sorted(...) of it",
    "generator": "keep list(...) of it",
    "range": "keep list(...) of it",
    "bytes": "keep np.frombuffer(..., np.uint8)",
    "DataFrame": "keep frame.to_dict('list')",
}


def encode(value: Any, name: str = "value") -> bytes:
    """``value`` as bytes, the same for equal values.

    Raises TypeError where a part of it has no form here; the message says which part (by ``name``) and what would do.
    """
    arrays: list[np.ndarray[Any, Any]] = []
    tree = _to_json(value, name, arrays)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("value.json"), json.dumps(tree, allow_nan=False))
        for index, array in enumerate(arrays):
            with archive.open(zipfile.ZipInfo(f"{index}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    return buffer.getvalue()


def decode(data: bytes) -> Any:
    """The inverse of `encode`; any error means that ``data`` is not what `encode` gave."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:

        def array(index: int) -> np.ndarray[Any, Any]:
            with archive.open(f"{index}.npy") as file:
                return np.lib.format.read_array(file, allow_pickle=False)

        return _from_json(json.loads(archive.read("value.json")), array)


def digest(recipe: Any, name: str = "recipe") -> str:
    """Hex sha256 of settings: None, bool, int, float, str, sequences, mappings and dataclasses, nested as one likes.

    The order of a mapping's keys does not matter, nor does list or tuple; a dataclass counts with its class's name.
    Raises TypeError for anything else, and says which part (by ``name``) and what would do.
    """
    return hashlib.sha256(json.dumps(_canonical(recipe, name), sort_keys=True, allow_nan=False).encode()).hexdigest()


def _to_json(value: Any, name: str, arrays: list[np.ndarray[Any, Any]]) -> Any:
    if isinstance(value, np.generic):
        return {_TAG: "scalar", "at": _append(np.asarray(value), name, arrays)}
    kind = type(value)
    if kind is np.ndarray:
        return {_TAG: "array", "at": _append(value, name, arrays)}
    if value is None or kind in {bool, int, str}:
        return value
    if kind is float:
        return value if math.isfinite(value) else {_TAG: "float", "of": repr(value)}
    if kind is list:
        return [_to_json(part, f"{name}[{i}]", arrays) for i, part in enumerate(value)]
    if kind is tuple:
        return {_TAG: "tuple", "of": [_to_json(part, f"{name}[{i}]", arrays) for i, part in enumerate(value)]}
    if kind is dict:
        return _dict_to_json(value, name, arrays)
    raise TypeError(f"{name} is {_named(kind)}, which cannot be kept; {_advice(value)}")


def _dict_to_json(value: dict[Any, Any], name: str, arrays: list[np.ndarray[Any, Any]]) -> Any:
    if all(type(key) is str for key in value) and _TAG not in value:
        return {key: _to_json(part, f"{name}[{key!r}]", arrays) for key, part in value.items()}
    pairs = [
        [_to_json(key, f"a key of {name}", arrays), _to_json(part, f"{name}[{key!r}]", arrays)]
        for key, part in value.items()
    ]
    return {_TAG: "dict", "of": pairs}


def _from_json(tree: Any, array: Any) -> Any:
    if isinstance(tree, list):
        return [_from_json(part, array) for part in tree]
    if not isinstance(tree, dict):
        return tree
    match tree.get(_TAG):
        case None:
            return {key: _from_json(part, array) for key, part in tree.items()}
        case "float":
            return float(tree["of"])
        case "tuple":
            return tuple(_from_json(part, array) for part in tree["of"])
        case "dict":
            return {_from_json(key, array): _from_json(part, array) for key, part in tree["of"]}
        case "array":
            return array(tree["at"])
        case "scalar":
            return array(tree["at"])[()]
        case unknown:
            raise ValueError(f"a value of unknown kind {unknown!r}")


def _append(array: np.ndarray[Any, Any], name: str, arrays: list[np.ndarray[Any, Any]]) -> int:
    kept = np.lib.format.descr_to_dtype(np.lib.format.dtype_to_descr(array.dtype))
    if array.dtype.hasobject or kept != array.dtype:
        raise TypeError(
            f"{name} is an array of dtype {array.dtype}, which cannot be kept; use a plain numeric, bool or str dtype"
        )
    arrays.append(array)
    return len(arrays) - 1


def _canonical(recipe: Any, name: str) -> Any:
    if isinstance(recipe, np.generic):
        return _canonical(recipe.item(), name)
    if isinstance(recipe, float) and not math.isfinite(recipe):
        return {_TAG: "float", "of": repr(recipe)}
    if recipe is None or isinstance(recipe, str | int | float):
        return recipe
    if isinstance(recipe, list | tuple):
        return [_canonical(part, f"{name}[{i}]") for i, part in enumerate(recipe)]
    if isinstance(recipe, Mapping):
        pairs = [
            [_canonical(key, f"a key of {name}"), _canonical(part, f"{name}[{key!r}]")] for key, part in recipe.items()
        ]
        return {_TAG: "mapping", "of": sorted(pairs, key=lambda pair: json.dumps(pair[0], sort_keys=True))}
    if dataclasses.is_dataclass(recipe) and not isinstance(recipe, type):
        parts = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)}
        return {_TAG: type(recipe).__qualname__, "of": _canonical(parts, name)}
    raise TypeError(
        f"{name} is {_named(type(recipe))}, which cannot be compared later; give numbers, texts, lists, mappings "
        "or dataclasses of what it is made from, such as a seed and a size"
    )


def _named(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _advice(value: Any) -> str:
    if dataclasses.is_dataclass(value):
        return "keep dataclasses.asdict(...) of it"
    return _ADVICE.get(
        type(value).__name__,
        "keep None, bool, int, float, str, list, tuple, dict, numpy arrays and scalars (files: Lab.cached)",
    )
