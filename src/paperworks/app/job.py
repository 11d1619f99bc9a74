"""What a run is asked to do, and what one child of it is told."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from difflib import get_close_matches

from paperworks.core import UserError
from paperworks.core.measurement import MIN_SEEDS

PRESETS = ("smoke", "quick", "full", "gpu", "paper")
BENCH = "bench"

_MOST_JOBS = 1000

_TIMEOUTS: dict[str, float | None] = {
    "smoke": 120,
    "quick": 600,
    "full": 5400,
    "gpu": 1800,
    "paper": None,
    BENCH: 1800,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How papers are run: all of them at one preset, or the bench of one.

    ``seeds=None`` means the preset's own number; ``timeout`` is in seconds a paper, None for no limit; ``memory_gb``
    is the most that a paper's processes may hold together, None for a fair share of the machine.
    """

    preset: str = "quick"
    device: str = "cpu"
    seeds: int | None = None
    jobs: int = 1
    fresh: bool = False
    timeout: float | None = None
    memory_gb: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a child is told: which experiment (or bench) to run, with what, and where its steps are kept.

    ``offers`` is the folder where it lays out steps for others to compute; empty where nobody looks there.
    """

    slug: str
    preset: str
    seeds: int | None
    device: str
    threads: int
    steps: str
    fingerprint: str
    offers: str = ""

    def to_json(self) -> str:
        """The job as one line of text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        """The inverse of `to_json`."""
        return cls(**json.loads(text))


def preset_of(name: str) -> str:
    """``name`` where it is one of `PRESETS`; UserError with the nearest otherwise."""
    return one_of("preset", name, PRESETS)


def device_of(name: str) -> str:
    """``name`` where it may name a device; UserError with the nearest otherwise."""
    one_of("device", name, ("auto", "cpu", "cuda", "mps"), part=name.partition(":")[0])
    return name


def one_of(what: str, name: str, known: tuple[str, ...], *, part: str | None = None) -> str:
    """``name``, which (or whose ``part``) is one of ``known``; UserError with the nearest otherwise."""
    if (name if part is None else part) in known:
        return name
    near: list[str] = get_close_matches(name.lower(), known, n=1)
    right = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(known)}"
    raise UserError(f"there is no {what} {name!r}; {right}")


def settings(  # every option of the command line, checked in one place
    *,
    preset: str,
    device: str,
    seeds: int | None = None,
    jobs: int,
    fresh: bool = False,
    timeout: float | None = None,
    memory_gb: float | None = None,
) -> Settings:
    """`Settings` from what a person asked for; UserError, with what would be right, where it cannot be done.

    ``preset`` is one of `PRESETS`, or `BENCH`; ``device`` one that the engine has.
    """
    if seeds is not None and seeds < MIN_SEEDS:
        raise UserError(f"--seeds {seeds} is too few: an interval over seeds needs at least {MIN_SEEDS}")
    if jobs < 1:
        raise UserError(f"--jobs {jobs} runs nothing: give the number of papers at a time, at least 1")
    if jobs > _MOST_JOBS:
        raise UserError(f"--jobs is more than {_MOST_JOBS}, which is more papers at a time than any machine can run")
    if timeout is not None and not timeout > 0:  # so that NaN is refused too
        raise UserError(f"--timeout {timeout:g} leaves no time: give the seconds that a paper may take")
    if memory_gb is not None and not memory_gb > 0:
        raise UserError(f"--memory {memory_gb:g} leaves no memory: give the gigabytes that a paper may hold")
    return Settings(
        preset=preset,
        device=device,
        seeds=seeds,
        jobs=jobs,
        fresh=fresh,
        timeout=timeout or _TIMEOUTS[preset],
        memory_gb=memory_gb,
    )
