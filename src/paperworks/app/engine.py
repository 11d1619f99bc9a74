"""Where papers run: on this machine, or on the many of a cluster. What a session needs of either."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, Self

from paperworks.lab import device as devices

from . import environment
from .job import Job, Settings, one_of
from .process import Child, Usage

ENGINES = ("local", "ray")
CORES_A_JOB = 2

_MEMORY_SHARE = 0.9


class Running(Protocol):
    """A paper's child as its session sees it, wherever it runs.

    ``events`` is a descriptor that can be waited for, ``memory_limit`` the most, in bytes, that the child and all it
    started may hold together.
    """

    events: int

    @property
    def memory_limit(self) -> float:
        """See above."""

    @property
    def seconds(self) -> float:
        """How long it has been running; waiting for a machine does not count."""

    def read(self) -> bytes | None:
        """What has arrived on ``events``: b"" where nothing has yet, None where nothing will any more."""

    def has_exited(self) -> bool:
        """True once the child has come to its end, and all that it wrote can be read."""

    def describe_exit(self) -> str:
        """How it ended that did not say so itself, in words."""

    def weigh(self) -> int:
        """The bytes of memory that it and its descendants hold, as far as is known now."""

    def end(self, *, at_once: bool = False) -> Usage:
        """End the child and all that it started; harmless where they have ended already."""


class Engine(AbstractContextManager["Engine"], Protocol):
    """Starts children. It is entered while papers run."""

    def resolve(self, device: str, preset: str) -> str:
        """The device that ``device`` means at ``preset``; UserError where there is none such."""

    def places(self, device: str) -> int:
        """How many papers run at a time unless somebody says otherwise."""

    def threads(self, settings: Settings) -> int:
        """The threads that a paper is given."""

    def start(self, job: Job, settings: Settings, log: Path) -> Running:
        """Start a child that does ``job`` and prints into ``log``. Raises OSError."""

    def clear_steps(self, job: Job) -> None:
        """Remove the finished steps of ``job``, wherever they are. Raises OSError."""


class Local:
    """Children on this machine."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """See `Engine`: nothing is left to close."""

    def resolve(self, device: str, preset: str) -> str:
        """See `Engine`."""
        return devices.resolve(device, preset)

    def places(self, device: str) -> int:
        """See `Engine`. A GPU is not shared unless somebody says so."""
        return max(1, environment.cores() // CORES_A_JOB) if device == "cpu" else 1

    def threads(self, settings: Settings) -> int:
        """See `Engine`."""
        return max(1, environment.cores() // settings.jobs)

    def start(self, job: Job, settings: Settings, log: Path) -> Child:
        """See `Engine`."""
        limit = memory_limit(settings.memory_gb, share=1 / settings.jobs)
        return start_here("paperworks.app.child", job, log=log, memory_limit=limit)

    def clear_steps(self, job: Job) -> None:
        """See `Engine`."""
        shutil.rmtree(job.steps, ignore_errors=True)


def named(name: str) -> Engine:
    """The engine of that name, ready to be entered.

    Raises UserError for another name or a cluster that cannot be reached, MissingExtra where Ray is not installed.
    """
    if one_of("engine", name, ENGINES) == "local":
        return Local()
    from .cluster.engine import Ray

    return Ray.at_address()


def start_here(module: str, job: Job, *more: str, log: Path, memory_limit: float) -> Child:
    """The child ``module`` with ``job`` and ``more`` on its command line, on this machine."""
    return Child(
        module,
        job.to_json(),
        *more,
        variables=environment.child_variables(threads=job.threads, online=job.preset == "paper"),
        log=log,
        memory_limit=memory_limit,
    )


def memory_limit(asked_gb: float | None, *, share: float) -> float:
    """The bytes that a child may hold: what was asked for, else its ``share`` of this machine's memory."""
    return asked_gb * 1e9 if asked_gb else environment.memory_bytes() * _MEMORY_SHARE * share
