"""The digest that a JSON file carries of its own content, so that a single changed bit is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

FIELD = "sha256"


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """``record`` with its digest as the last field; ValueError where a number in it is not finite."""
    return {**record, FIELD: _digest(record)}


def check(record: Mapping[str, Any]) -> None:
    """ValueError where the content is not what was sealed. A file without a seal, from before there were any, passes.

    So that a seal which lost its name is no way around this, whoever reads refuses fields that it does not know too.
    """
    if FIELD in record and record[FIELD] != _digest(record):
        raise ValueError(f"its content is not what its {FIELD} says: it was changed or damaged after it was written")


def _digest(record: Mapping[str, Any]) -> str:
    content = {name: value for name, value in record.items() if name != FIELD}
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()
