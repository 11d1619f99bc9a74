"""The energies of all values of one cell, the others given: which leaves are left, and where they reach (section 7)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .bits import lowest_bit
from .compiled import compiled

__all__ = ["add_survivors", "conditional_energies", "round_energies"]


@compiled
def conditional_energies(rows: Any, column: Any, n_trees: Any, tables: Any, out: Any) -> None:
    """``out`` [N, card] = f_0 and the first ``n_trees`` trees' sum at each value of ``column``, the other cells as in
    ``rows`` [N, D]: log mass up to a constant a row."""
    start = tables.offsets[column]
    card = tables.offsets[column + 1] - start
    out[:] = tables.initial[start : start + card]
    for first in range(n_trees):
        round_energies(rows, column, first, tables, out)


@compiled
def round_energies(rows: Any, column: Any, tree: Any, tables: Any, out: Any) -> None:
    """Add to ``out`` [N, card] what one tree contributes."""
    card = out.shape[1]
    difference = np.empty(card + 1)
    for i in range(rows.shape[0]):
        difference[:] = 0.0
        for word in range(tables.masks.shape[2]):
            left = ~np.uint64(0)
            for other in range(rows.shape[1]):
                if other != column:
                    left &= tables.masks[tables.offsets[other] + rows[i, other], tree, word]
            add_survivors(left, tree, word, column, tables, difference)
        if tables.set_index[column] < 0:
            for value in range(1, card):
                difference[value] += difference[value - 1]
        for value in range(card):
            out[i, value] += difference[value]


@compiled
def add_survivors(left: Any, tree: Any, word: Any, column: Any, tables: Any, out: Any) -> None:
    """Add the values of the leaves whose bits are set in ``left``: to each category that a leaf admits, or for an
    ordered column where its span begins, and taken off where it ends."""
    index = tables.set_index[column]
    while left != 0:
        leaf = 64 * word + lowest_bit(left)
        left &= left - np.uint64(1)
        value = tables.values[tree, leaf]
        if index < 0:
            out[tables.ends[column, tree, leaf, 0]] += value
            out[tables.ends[column, tree, leaf, 1]] -= value
            continue
        for part in range(tables.sets.shape[3]):
            members = tables.sets[index, tree, leaf, part]
            while members != 0:
                out[64 * part + lowest_bit(members)] += value
                members &= members - np.uint64(1)
