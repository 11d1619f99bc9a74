"""What came of one run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How a run ended."""

    OK = "ok"
    """The code says that it came to its end. It can say so falsely: what it computed is what `check` compares."""
    ERROR = "error"
    """It raised, or what it gave back cannot be read."""
    EXITED = "exited"
    """It left by itself before its end (``sys.exit``, ``os._exit``), with whatever code."""
    TIMEOUT = "timeout"
    """It used up its time."""
    MEMORY = "memory"
    """It failed for want of memory."""
    OUTPUT = "output"
    """It wrote more than it may."""
    REFUSED = "refused"
    """It made a system call that serves only to break out."""
    KILLED = "killed"
    """A signal ended it, such as the one for a bad memory access."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An exception as the code reported it: the class's name, its message, and the traceback, each cut to a length."""

    type: str
    message: str
    traceback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One run: how it ended, what it printed and gave back, and what it used (seconds; megabytes at the most).

    ``stdout`` and ``stderr`` are cut at the limit, and bytes that are not UTF-8 show as replacement characters.
    ``value`` is what the expression asked for was. ``layers`` are the walls that stood around the run.
    """

    status: Status
    stdout: str
    stderr: str
    value: Any = None
    error: Failure | None = None
    exit_code: int | None = None
    signal: int | None = None
    wall_s: float
    cpu_s: float
    peak_mb: float
    layers: tuple[str, ...]
