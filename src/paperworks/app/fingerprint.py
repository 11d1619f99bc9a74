"""What a result depends on besides its settings: the source it was computed with and the packages beneath.

A run is up to date while these, its sizes, its seeds and its device are what they were.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

import paperworks

from .closure import closure
from .evidence import Evidence
from .job import BENCH

PACKAGE = Path(paperworks.__file__).resolve().parent

_HOUSE = ("core", "lab")
_NOT_DATA = {"evidence", "templates", "__pycache__"}
_NOT_DATA_SUFFIXES = {".py", ".pyi", ".pyc", ".nbi", ".nbc"}
_REQUIREMENT = re.compile(
    r"\s*(?P<name>[A-Za-z0-9][\w.-]*)\s*(\[(?P<extras>[^]]*)\])?(?P<rest>[^;]*)(;(?P<marker>.*))?"
)
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")


@cache
def source(slug: str, preset: str) -> dict[str, str]:
    """Hex sha256 of what a run's results can depend on: the paper's part of it, and the house's.

    That is the source of ``paper.py``, of the experiment (the bench, where ``preset`` is that) and of the lab that it
    is handed, with all that they import, and the data beside it, such as weights. Commands, pages and their templates
    are no part of it. What this process found once it does not look for again.
    """
    runs = "bench" if preset == BENCH else "experiment"
    code = closure(PACKAGE, (f"{slug}.paper", f"{slug}.{runs}", "lab.lab"))
    return {"paper": _digest(code, (slug,)), "house": _digest(code, _HOUSE)}


def packages(slug: str) -> dict[str, str]:
    """The installed version of every package that the paper's extra names; what is not installed is left out."""
    found = {}
    for name in sorted(_names(slug.replace("_", "-"))):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def steps_key(slug: str, preset: str, device: str) -> str:
    """What finished steps are keyed by besides their name and parameters."""
    parts = {"source": source(slug, preset), "device": device, "packages": packages(slug)}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def is_up_to_date(evidence: Evidence, *, seeds: int | None, device: str) -> bool:
    """True where a run with these settings would only repeat ``evidence``. ``seeds=None`` means the preset's own.

    The sizes are written in the paper's source, so the source's digest stands for them.
    """
    return evidence.state == "complete" and has_key(evidence, seeds=seeds, device=device)


def has_key(evidence: Evidence, *, seeds: int | None, device: str) -> bool:
    """True where ``evidence``, finished or not, belongs to a run with these settings, source and packages."""
    asked = evidence.environment.get("seeds_from") == "command line"
    same_seeds = not asked if seeds is None else evidence.seeds == seeds
    return (
        same_seeds
        and evidence.environment.get("device") == device
        and dict(evidence.source) == source(evidence.slug, evidence.preset)
        and evidence.environment.get("packages") == packages(evidence.slug)
    )


def _digest(code: set[Path], parts: tuple[str, ...]) -> str:
    """The digest of those files of ``code`` that lie in the folders ``parts``, and of the data there."""
    total = hashlib.sha256()
    for folder in (PACKAGE / part for part in parts):
        for file in sorted({*(file for file in code if file.is_relative_to(folder)), *_data(folder)}):
            content = file.read_bytes()
            total.update(f"{file.relative_to(PACKAGE).as_posix()}\0{len(content)}\0".encode())
            total.update(content)
    return total.hexdigest()


def _data(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.name in _NOT_DATA or entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _data(entry)
        elif entry.suffix not in _NOT_DATA_SUFFIXES:
            yield entry


def _names(extra: str) -> set[str]:
    """The packages that an extra of ours brings, those of the extras it includes among them."""
    by_extra = _requirements()
    names: set[str] = set()
    seen: set[str] = set()
    waiting = [_canonical(extra)]
    while waiting:
        if (current := waiting.pop()) in seen:
            continue
        seen.add(current)
        for name, included in by_extra.get(current, ()):
            if name == "paperworks":
                waiting.extend(included)
            else:
                names.add(name)
    return names


@cache
def _requirements() -> Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    """What the installed distribution says it requires: extra -> (package, the package's own extras)."""
    try:
        lines = metadata.requires("paperworks") or []
    except metadata.PackageNotFoundError:
        return {}
    by_extra: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {}
    for line in lines:
        found = _REQUIREMENT.fullmatch(line)
        extra = found and _EXTRA.search(found["marker"] or "")
        if found and extra:
            included = tuple(_canonical(e) for e in (found["extras"] or "").split(",") if e.strip())
            key = _canonical(extra[1])
            by_extra[key] = (*by_extra.get(key, ()), (_canonical(found["name"]), included))
    return by_extra


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
