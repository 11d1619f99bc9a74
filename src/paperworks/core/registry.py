"""The papers that exist: every folder of the package with a ``paper.py``."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from .claim import Paper
from .errors import UserError

_PACKAGE = Path(__file__).resolve().parent.parent


def papers() -> Mapping[str, Paper]:
    """Every paper by its slug, in slug order. Imports only each folder's ``paper.py``, which is data.

    One that is wrong is left out, so that it costs nobody the others; `broken` says why.
    """
    return _read()[0]


def broken() -> Mapping[str, str]:
    """What is wrong with every ``paper.py`` that `papers` leaves out, by slug."""
    return _read()[1]


def paper(slug: str) -> Paper:
    """The paper with that slug, spelled with dashes or underscores.

    Raises UserError, with the nearest name, where there is none, and with what is wrong where its ``paper.py`` is.
    """
    slug = slug_of(slug)
    if (wrong := broken().get(slug)) is not None:
        raise UserError(f"{slug} cannot be used: {wrong}")
    return papers()[slug]


def slug_of(name: str) -> str:
    """``name`` as the slug of an existing paper: dashes become underscores, case is ignored.

    Raises UserError where no paper has that name; the message suggests the nearest.
    """
    known = _slugs()
    slug = name.strip().lower().replace("-", "_")
    if slug in known:
        return slug
    near = get_close_matches(slug, known, n=1)
    right = f"did you mean {near[0]}?" if near else f"the papers are {', '.join(known)}"
    raise UserError(f"there is no paper {name!r}; {right}")


@cache
def _read() -> tuple[Mapping[str, Paper], Mapping[str, str]]:
    whole: dict[str, Paper] = {}
    wrong: dict[str, str] = {}
    for slug in _slugs():
        try:
            whole[slug] = _load(slug)
        except Exception as error:
            wrong[slug] = f"{type(error).__name__}: {error}"
    return MappingProxyType(whole), MappingProxyType(wrong)


def _slugs() -> tuple[str, ...]:
    return tuple(sorted(file.parent.name for file in _PACKAGE.glob("*/paper.py")))


def _load(slug: str) -> Paper:
    found = getattr(import_module(f"paperworks.{slug}.paper"), "PAPER", None)
    if not isinstance(found, Paper):
        raise TypeError(f"paperworks.{slug}.paper.PAPER must be a paperworks.core.Paper, not {type(found).__name__}")
    if found.slug != slug:
        raise ValueError(f"paperworks/{slug}/paper.py calls itself {found.slug!r}; its slug must be its folder's name")
    return found
