"""Steps that others may compute: how the seeds of one paper spread over several machines.

A run lays out the steps that it has not come to yet, one file each, and works through them itself all the while.
Whoever computes one elsewhere holds its lock from the moment they begin, and puts its record where the run's finished
steps are: there the run finds it, as it finds what it computed before it was cut off.
"""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .disk import write_atomically

Call = tuple[str, Callable[..., Any], dict[str, Any]]
"""A step's name, its function, and the parameters."""


class Offers:
    """The steps that are laid out in ``folder`` at this moment, each known by the stem of its entry's name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.contextmanager
    def laid_out(self, calls: Mapping[str, Call]) -> Iterator[None]:
        """Lay out ``calls``, by stem, for as long as the context lasts.

        A function travels by its module and name, so one that is not at a module's top level, and parameters that
        cannot be pickled, are not laid out: they stay with the run.
        """
        for place, (stem, call) in reversed(list(enumerate(calls.items()))):  # whoever looks now sees the last first
            with contextlib.suppress(pickle.PicklingError, TypeError, AttributeError):
                write_atomically(self._folder / f"{place:06}-{stem}", pickle.dumps(call))
        try:
            yield
        finally:
            for stem in calls:
                self.withdraw(stem)

    def withdraw(self, stem: str) -> None:
        """Take an offer back; harmless where it is not there."""
        for file in self._folder.glob(f"[!.]*-{stem}"):
            file.unlink(missing_ok=True)

    def standing(self) -> dict[str, Path]:
        """The offers' files by stem, the last first: the run itself works from the other end."""
        files = sorted(self._folder.glob("[!.]*"), reverse=True)
        return {file.name.partition("-")[2]: file for file in files}


def load(offer: bytes) -> Call:
    """The step in an offer's file. Only what a run of one's own has laid out may be loaded: it imports its module."""
    name, fn, params = pickle.loads(offer)
    return name, fn, params
