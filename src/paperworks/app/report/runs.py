"""A run as the report shows it: what it ran on, what it cost, how it ended; and the rows of a benchmark."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from paperworks.app.evidence import Evidence

from .numbers import measured, plain, seconds

SHORT_DIGEST = 12
_ENDED = {"complete": "complete", "partial": "cut off", "failed": "failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run's facts, each a name and a text; ``error`` is what it failed with, "" where it did not."""

    origin: str
    preset: str
    state: str
    ended: str
    error: str
    facts: tuple[tuple[str, str], ...]
    packages: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchLine:
    """One line of a benchmark. ``met`` is None where no ratio was asked for."""

    case: str
    ours: str
    peer: str
    peer_time: str
    ratio: str
    target: str
    met: bool | None
    limit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchTable:
    """The benchmark of one origin."""

    origin: str
    lines: tuple[BenchLine, ...]


def run_view(origin: str, run: Evidence) -> RunView:
    """The facts of ``run``, those that are there."""
    environment = dict(run.environment)
    packages = environment.pop("packages", None)
    facts = {
        "Started": _moment(run.started),
        "Took": _cost(run.cost),
        "Seeds": str(run.seeds),
        "Sizes": flat(run.sizes),
        **{readable(name): flat(value) for name, value in environment.items()},
        "Commit": (run.commit or "not recorded")[:SHORT_DIGEST],
        "Source": ", ".join(f"{name} {str(digest)[:SHORT_DIGEST]}" for name, digest in run.source.items()),
    }
    return RunView(
        origin=origin,
        preset=run.preset,
        state=run.state,
        ended="under way or cut off" if run.state == "partial" and run.finished is None else _ENDED[run.state],
        error=run.error or "",
        facts=tuple((name, text) for name, text in facts.items() if text),
        packages=tuple((str(name), str(version)) for name, version in packages.items())
        if isinstance(packages, Mapping)
        else (),
    )


def run_words(run: Evidence) -> str:
    """A run in words: ``'quick run of 2026-11-20 08:00 UTC, cut off'``."""
    return f"{run.preset} run of {_moment(run.started)}, {_ENDED[run.state]}"


def bench_table(origin: str, run: Evidence) -> BenchTable:
    """The lines of a benchmark's evidence; a row from elsewhere that lacks a number shows a dash in its place."""
    return BenchTable(origin=origin, lines=tuple(_bench_line(row) for row in run.bench))


def _bench_line(row: Mapping[str, Any]) -> BenchLine:
    names = ("ours_s", "peer_s", "ratio", "low", "high", "target", "limit_s")
    ours, peer, ratio, low, high, target, limit = (_number(row.get(name)) for name in names)
    interval = () if ratio is None or low is None or high is None else (ratio, low, high)
    return BenchLine(
        case=str(row.get("case", "–")),
        ours=_time(ours),
        peer=str(row.get("peer", "–")),
        peer_time=_time(peer),
        ratio=str(measured(*interval, landmarks=[1.0])) if interval else "–" if ratio is None else plain(ratio),
        target="–" if target is None else f"≤ {plain(target)}",
        met=None if target is None or ratio is None else ratio <= target,
        limit=f"{plain(100 * limit / ours, '%', digits=2)} of {_time(limit)}" if limit and ours else "–",
    )


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _time(value: float | None) -> str:
    return "–" if value is None else seconds(value)


def _cost(cost: Mapping[str, float]) -> str:
    parts = [f"{seconds(cost['wall_s'])}" if "wall_s" in cost else ""]
    parts.append(f"{seconds(cost['cpu_s'])} of CPU" if "cpu_s" in cost else "")
    parts.append(f"{plain(cost['peak_mb'], 'MB', digits=3)} of memory at most" if "peak_mb" in cost else "")
    return ", ".join(part for part in parts if part)


def readable(key: str) -> str:
    """The name of a fact about the machine as a heading: ``'GPU'``, ``'Python'``."""
    return key.upper() if key in {"cpu", "gpu", "cuda"} else key.replace("_", " ").capitalize()


def _moment(text: str) -> str:
    try:
        return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return text


def flat(value: object) -> str:
    """Any JSON value as a line of text."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {flat(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(flat(inner) for inner in value)
    if value is None:
        return "none"
    if isinstance(value, float):
        return plain(value)
    return str(value)
