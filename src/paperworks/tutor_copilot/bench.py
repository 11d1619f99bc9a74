"""Rooms under load."""

from __future__ import annotations

from collections.abc import Iterator

from paperworks.lab import Lab
from paperworks.lab.timing import BenchRow

from . import delivery_bench

__all__ = ["bench"]


def bench(lab: Lab) -> Iterator[BenchRow]:
    """A row a case, as soon as it is known."""
    yield from delivery_bench.bench(lab)
