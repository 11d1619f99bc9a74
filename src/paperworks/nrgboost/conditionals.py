"""The energies of all values of one cell, the others given: which leaves are left, and where they reach (section 7)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .bits import lowest_bit
from .compiled import compiled
from .lanes import LANES, SINKS, SIZE

__all__ = ["conditional_energies", "leaves_left", "round_energies"]


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
    steps = np.empty(SIZE + 2 * SINKS)
    for i in range(rows.shape[0]):
        steps[:] = 0.0
        for word in range(tree * tables.words, (tree + 1) * tables.words):
            left = leaves_left(rows[i], column, word, tables)
            if tables.set_index[column] < 0:
                _add_spans(left, word, column, tables, steps)
            else:
                _add_toggles(left, word, column, tables, steps)
        _add_up(steps, tables.rows[column], tables.set_index[column] < 0, out[i])


@compiled
def leaves_left(row: Any, column: Any, word: Any, tables: Any) -> Any:
    """The leaves of one word that the row's cells admit when ``column`` is free."""
    left = ~np.uint64(0)
    for other in range(row.shape[0]):
        if other != column:
            left &= tables.masks[tables.offsets[other] + row[other], word]
    return left


@compiled
def _add_spans(left: Any, word: Any, column: Any, tables: Any, steps: Any) -> None:
    while left != 0:
        leaf = 64 * word + lowest_bit(left)
        left &= left - np.uint64(1)
        step = tables.steps[column, leaf]
        steps[(step >> np.uint64(32)) & np.uint64(0xFFFF)] += tables.values[leaf]
        steps[step >> np.uint64(48)] -= tables.values[leaf]


@compiled
def _add_toggles(left: Any, word: Any, column: Any, tables: Any, steps: Any) -> None:
    while left != 0:
        leaf = 64 * word + lowest_bit(left)
        left &= left - np.uint64(1)
        value = tables.values[leaf]
        if (tables.steps[column, leaf] >> np.uint64(32)) & np.uint64(1):
            steps[SIZE] += value
            value = -value
        toggles = tables.toggles[tables.set_index[column], leaf]
        for part in range(toggles.shape[0]):
            members = toggles[part]
            while members != 0:
                steps[64 * part + lowest_bit(members)] += value
                members &= members - np.uint64(1)


@compiled
def _add_up(steps: Any, rows: Any, ordered: Any, out: Any) -> None:
    """Add what stands at the values' places, for an ordered column from each on, and what all values share."""
    shared = 0.0
    for sink in range(SIZE, SIZE + SINKS):
        shared += steps[sink]
    for value in range(out.shape[0]):
        here = steps[(value % rows) * LANES + value // rows]
        if ordered:
            shared += here
            out[value] += shared
        else:
            out[value] += shared + here
