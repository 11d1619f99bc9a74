"""Runs of rows on threads, as many as torch uses. The kernels release the interpreter's lock."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import torch

__all__ = ["over_rows"]

_WORTH_A_THREAD = 1 << 22  # products (about 0.1 ms) below which handing work over costs more than it saves


def over_rows(rows: int, work: int, run: Callable[[int, int], None]) -> None:
    """``run(first, last)`` for consecutive parts of ``range(rows)``, ``work`` products in all.

    One part, in the calling thread, where ``torch.get_num_threads()`` is 1 or the work is small.
    """
    parts = min(torch.get_num_threads(), rows, work // _WORTH_A_THREAD)
    if parts <= 1:
        run(0, rows)
        return
    edges = [rows * part // parts for part in range(parts + 1)]
    others = [_pool(parts - 1).submit(run, *edge) for edge in pairwise(edges[1:])]
    run(edges[0], edges[1])
    for other in others:
        other.result()


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="paperworks")


os.register_at_fork(after_in_child=_pool.cache_clear)  # a forked child has none of the threads
