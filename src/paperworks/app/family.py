"""All that a child has started, wherever it is by now: each of its processes inherits a mark in its environment.

A process that begins a session of its own and loses its parent is in no group and no tree that leads back to the
child. Its environment still says where it came from.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress

import psutil

MARK = "PAPERWORKS_FAMILY"
"""The environment variable that holds the mark."""

_PATIENCE_S = 5.0
_PAUSE_S = 0.01


def new_mark() -> str:
    """A mark that no other child has."""
    return secrets.token_hex(16)


def end(mark: str) -> None:
    """End every process with this mark but the one that calls, and those they start meanwhile, until none is left."""
    deadline = time.monotonic() + _PATIENCE_S
    while (left := list(members(mark))) and time.monotonic() < deadline:
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        time.sleep(_PAUSE_S)


def members(mark: str) -> Iterator[psutil.Process]:
    """The running processes with this mark, without the one that asks. What belongs to other users is not seen."""
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                yield process
