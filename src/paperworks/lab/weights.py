"""Small models that come with the package: safetensors files, each with its digest, recipe and log."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

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


def recorded(folder: Path, name: str) -> dict[str, Any]:
    """The record ``name`` (JSON) in a model's folder, whose ``sha256`` holds the digest of every other file there.

    Raises FileNotFoundError where the folder has no record, ValueError where a file is not the one in the record.
    """
    path = folder / name
    again = "reinstall the package, or remove the folder and make the model again"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no small model: {name} is absent")
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        digests = dict(record["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}); {again}") from error
    for file, digest in digests.items():
        if not (folder / file).is_file() or sha256_of(folder / file) != digest:
            raise ValueError(f"{folder / file} is damaged or absent: its sha256 is not the one in {name}; {again}")
    return record
