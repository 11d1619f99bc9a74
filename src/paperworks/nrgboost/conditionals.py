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
    ordered = tables.set_index[column] < 0
    for i in range(rows.shape[0]):
        sums[:] = 0.0
        for tree in range(first, last):
            for word in range(tables.words):
                left = leaves_left(rows[i], column, tree, word, tables)
                values = 64 * (tree * tables.words + word)
                steps = 64 * step_word(column, tree, word, tables)
                while left != 0:
                    leaf = lowest_bit(left)
                    left &= left - np.uint64(1)
                    if steps < 0:
                        sums[SIZE] += tables.values[values + leaf]
                    elif ordered:
                        _add_span(tables.values[values + leaf], tables.steps[steps + leaf], sums)
                    else:
                        _add_toggles(tables.values[values + leaf], tables.steps[steps + leaf], tables.toggles, sums)
        _add_up(sums, tables.rows[column], ordered, out[i])


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
