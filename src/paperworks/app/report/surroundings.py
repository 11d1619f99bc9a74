"""What differs between two runs besides their numbers: sizes, seeds, source, packages, machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paperworks.app.evidence import Evidence

from .runs import SHORT_DIGEST, flat, readable


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """One fact that the two runs do not share, as text; "none" where a run does not have it.

    ``kind`` is one of "run", "sizes", "source", "environment" and "packages".
    """

    kind: str
    name: str
    first: str
    second: str


def differing(first: Evidence, second: Evidence) -> tuple[Differing, ...]:
    """Every fact that differs, by kind in the order of `Differing.kind`; times and costs are no such facts."""
    one, other = _facts(first), _facts(second)
    return tuple(
        _differing(kind, name, one[kind].get(name), other[kind].get(name))
        for kind in one
        for name in dict.fromkeys([*one[kind], *other[kind]])
        if one[kind].get(name) != other[kind].get(name)
    )


def sizes(run: Evidence) -> dict[str, Any]:
    """The sizes of a run without its seeds, whose number the interval knows of."""
    return {name: value for name, value in run.sizes.items() if name != "seeds"}


def _facts(run: Evidence) -> dict[str, Mapping[str, Any]]:
    environment = dict(run.environment)
    packages = environment.pop("packages", None)
    return {
        "run": {"preset": run.preset, "state": run.state, "seeds": run.seeds},
        "sizes": sizes(run),
        "source": run.source,
        "environment": environment,
        "packages": packages if isinstance(packages, Mapping) else {},
    }


def _differing(kind: str, name: str, first: Any, second: Any) -> Differing:
    texts = [flat(first), flat(second)]
    if kind == "source":
        texts = [text[:SHORT_DIGEST] for text in texts]
    if texts[0] == texts[1]:  # alike as they are usually written: then to the last digit
        texts = [str(first), str(second)]
    shown = readable(name) if kind == "environment" else str(name) if kind == "packages" else name.replace("_", " ")
    return Differing(kind=kind, name=shown, first=texts[0], second=texts[1])
