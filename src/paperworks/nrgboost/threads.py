"""Blocks of work on threads. The kernels release the interpreter's lock, so plain threads are enough."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["Workers", "blocks"]

T = TypeVar("T")
R = TypeVar("R")


class Workers:
    """``count`` threads, for use in a ``with`` block; one thread is the caller's own.

    Raises ValueError for fewer than one thread.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError(f"n_threads={count} cannot compute anything; give at least 1")
        self.count = count
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="nrgboost") if count > 1 else None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *details: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """``work`` of every item, in the items' order."""
        return list(map(work, items) if self._pool is None else self._pool.map(work, items))


def blocks(count: int, size: int) -> list[slice]:
    """``range(count)`` in consecutive runs of ``size``."""
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]
