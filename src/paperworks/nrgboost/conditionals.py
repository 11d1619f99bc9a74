"""The energies of all values of one cell, the others given: which leaves are left, and where they reach (section 7)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .bits import lowest_bit
from .compiled import compiled
from .lanes import LANES, SINKS, SIZE
from .steps import begin, end, is_turned, toggle_row
from .survivors import leaves_left, step_word

__all__ = ["conditional_energies", "round_energies"]


@compiled
def conditional_energies(rows: Any, column: Any, n_trees: Any, tables: Any, out: Any) -> None:
    """``out`` [N, card]: log f_0 of each value of ``column``, and the first ``n_trees`` trees' sum there, the other
    cells as in ``rows`` [N, D]. This is the row's energy without the part of f_0 that its other cells have."""
    start = tables.offsets[column]
    out[:] = tables.initial[start : start + out.shape[1]]
    for tree in range(n_trees):
        round_energies(rows, column, tree, tables, out)


@compiled
def round_energies(rows: Any, column: Any, tree: Any, tables: Any, out: Any) -> None:
    """Add to ``out`` [N, card] what one tree contributes."""
    sums = np.empty(SIZE + 2 * SINKS)
    ordered = tables.set_index[column] < 0
    for i in range(rows.shape[0]):
        sums[:] = 0.0
        for word in range(tables.words):
            left = leaves_left(rows[i], column, tree, word, tables)
            first = 64 * (tree * tables.words + word)
            steps = 64 * step_word(column, tree, word, tables)
            while left != 0:
                leaf = lowest_bit(left)
                left &= left - np.uint64(1)
                if steps < 0:
                    sums[SIZE] += tables.values[first + leaf]
                elif ordered:
                    _add_span(tables.values[first + leaf], tables.steps[steps + leaf], sums)
                else:
                    _add_toggles(tables.values[first + leaf], tables.steps[steps + leaf], tables.toggles, sums)
        _add_up(sums, tables.rows[column], ordered, out[i])


@compiled
def _add_span(value: Any, step: Any, sums: Any) -> None:
    sums[begin(step)] += value
    sums[end(step)] -= value


@compiled
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


@compiled
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
