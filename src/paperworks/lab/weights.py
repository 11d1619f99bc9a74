"""Small models that come with the package: safetensors files, each with its digest, recipe and log."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from .disk import sha256_of


def find(slug: str, name: str) -> Path:
    """The file ``<slug>/weights/<name>.safetensors`` of the installed package, checked against ``<name>.json``.

    Raises FileNotFoundError where one of the two is absent, ValueError where they do not belong together.
    """
    folder = Path(str(files(f"paperworks.{slug}"))) / "weights"
    weights, record = folder / f"{name}.safetensors", folder / f"{name}.json"
    again = f"`python -m paperworks.{slug}.train_{name}` makes both"
    for file in (weights, record):
        if not file.is_file():
            raise FileNotFoundError(f"{slug} has no weights {name!r}: {file} is absent; {again}")
    try:
        expected = json.loads(record.read_text(encoding="utf-8"))["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{record} does not give the sha256 of its weights; {again}") from error
    if sha256_of(weights) != expected:
        raise ValueError(f"{weights} is damaged: its sha256 is not the one in {record.name}; reinstall, or {again}")
    return weights
