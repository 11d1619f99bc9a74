"""The energies of all values of one cell, the others given: which leaves are left, and where they reach (section 7)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .bits import lowest_bit
from .compiled import compiled, inner
from .lanes import LANES, SINKS, SIZE
from .steps import begin, end, is_turned, toggle_row
from .survivors import leaves_left, step_word

__all__ = ["add_energies"]


@compiled
def add_energies(rows: Any, column: Any, first: Any, last: Any, tables: Any, out: Any) -> None:
    """Add to ``out`` [N, card] what the trees ``first`` to ``last`` (exclusive) are at each value of ``column``, the
    other cells as in ``rows`` [N, D]."""
    sums = np.empty(SIZE + 2 * SINKS)
    left = np.empty((last - first) * tables.words, np.uint64)
    ordered = tables.set_index[column] < 0
    for i in range(rows.shape[0]):
        sums[:] = 0.0
        leaves_left(rows[i], column, first, last, tables, left)
        for place in range(left.shape[0]):
            if left[place] != 0:
                _add_word(left[place], column, first * tables.words + place, tables, sums)
        _add_up(sums, tables.rows[column], ordered, out[i])


@inner
def _add_word(left: Any, column: Any, place: Any, tables: Any, sums: Any) -> None:
    """Add the leaves ``left`` of one word."""
    steps = 64 * step_word(column, place // tables.words, place % tables.words, tables)
    ordered = tables.set_index[column] < 0
    while left != 0:
        leaf = lowest_bit(left)
        left &= left - np.uint64(1)
        value = tables.values[64 * place + leaf]
        if steps < 0:
            sums[SIZE] += value
        elif ordered:
            _add_span(value, tables.steps[steps + leaf], sums)
        else:
            _add_toggles(value, tables.steps[steps + leaf], tables.toggles, sums)


@inner
def _add_span(value: Any, step: Any, sums: Any) -> None:
    sums[begin(step)] += value
    sums[end(step)] -= value


@inner
def _add_toggles(value: Any, step: Any, toggles: Any, sums: Any) -> None:
    if is_turned(step):
        sums[SIZE] += value
        value = -value
    row = toggle_row(step)
    for part in range(toggles.shape[1]):
        members = toggles[row, part]
        while members != 0:
            sums[64 * part + lowest_bit(members)] += value
            members &= members - np.uint64(1)


@inner
def _add_up(sums: Any, rows: Any, ordered: Any, out: Any) -> None:
    """Add what stands at the values' places, for an ordered column from each on, and what all values share."""
    shared = 0.0
    for sink in range(SIZE, SIZE + SINKS):
        shared += sums[sink]
    for value in range(out.shape[0]):
        here = sums[(value % rows) * LANES + value // rows]
        if ordered:
            shared += here
            out[value] += shared
        else:
            out[value] += shared + here
