"""What is made once and used by many runs: corpora, tokenizers, small models, environments of peers.

An entry is the folder ``<root>/<kind>/<sha256 of the recipe>/`` with the files that were made and a manifest of their
digests. It is made beside its place and renamed, so it is whole or absent, and it is checked each time it is used.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import peer, seal, values
from .disk import exclusive, sha256_of, sync_folder, write_atomically

MANIFEST = ".manifest.json"
_KIND = re.compile(r"[a-z][a-z0-9-]{0,39}")
_log = logging.getLogger(__name__)


class Cache:
    """A content-addressed cache below ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def get(self, kind: str, recipe: Any, make: Callable[[Path], None]) -> Path:
        """The entry's folder, made where it is absent or damaged; see `Lab.cached`."""
        if not _KIND.fullmatch(kind):
            raise ValueError(
                f"a kind of cached things is lower-case letters, digits and '-', like 'corpus'; not {kind!r}"
            )
        place = self.root / kind / values.digest(recipe, f"the recipe of a cached {kind}")
        with exclusive(self.root / kind / f".{place.name}.lock") as held:
            if held:
                _remove_abandoned(place)
            if place.exists() and (fault := find_fault(place)):
                _log.warning("%s is damaged (%s) and is made again", place, fault)
                shutil.rmtree(place)
            if not place.exists():
                _make(place, recipe, make)
        return place

    def venv(self, requirements: Sequence[str]) -> Path:
        """A virtual environment with these pinned requirements; see `Lab.venv`."""
        pinned = sorted(map(peer.pinned, requirements))
        recipe = {"python": sys.version.split()[0], "base": sys.base_prefix, "requirements": pinned}
        place = self.root / "venv" / values.digest(recipe)
        return self.get("venv", recipe, lambda folder: peer.make(folder, pinned, final=place))


def find_fault(place: Path) -> str:
    """What is wrong with an entry, in a few words; empty where every file has the digest of the manifest."""
    try:
        manifest = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
        seal.check(manifest)
        if strange := manifest.keys() - {"recipe", "files", seal.FIELD}:
            return f"its manifest has {min(strange)!r}, which belongs to none"
        files = manifest["files"]
        for name, digest in files.items():
            if _digest(place / name) != digest:
                return f"{name} has changed"
    except FileNotFoundError as error:
        return f"{Path(str(error.filename)).name} is absent"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"its manifest cannot be read: {error}"
    return ""


def _make(place: Path, recipe: Any, make: Callable[[Path], None]) -> None:
    beside = place.with_name(_prefix(place) + secrets.token_hex(8))
    beside.mkdir()
    try:
        make(beside)
        names = sorted(_files_below(beside))
        if not names or MANIFEST in names:
            raise ValueError(f"make(folder) must write files into {beside}, and none of them may be named {MANIFEST}")
        files = {name: _digest(beside / name) for name in names}
        manifest = seal.sealed({"recipe": repr(recipe), "files": files})
        write_atomically(beside / MANIFEST, json.dumps(manifest, indent=1).encode())
        try:
            beside.rename(place)
        except OSError:
            if find_fault(place):  # on a file system without locks another process may have been first
                raise
        sync_folder(place.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _prefix(place: Path) -> str:
    return f".{place.name[:32]}."


def _remove_abandoned(place: Path) -> None:
    """Remove what a process that was killed left beside ``place``; only the holder of its lock may."""
    for folder in place.parent.glob(f"{_prefix(place)}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _files_below(folder: Path) -> list[str]:
    found = []
    for parent, folders, files in os.walk(folder):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        found += [Path(parent, name).relative_to(folder).as_posix() for name in [*files, *links]]
    return found


def _digest(path: Path) -> str:
    """A file's sha256, or where a link leads; FileNotFoundError where it leads nowhere."""
    if not path.is_symlink():
        return sha256_of(path)
    if not path.exists():
        raise FileNotFoundError(2, "broken link", str(path))
    return f"-> {path.readlink()}"
