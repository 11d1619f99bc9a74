"""Which leaves are left when a cell is free, from dense or thrifty masks (see `leaf_masks`).

`leaves_left` looks at one cell of a row. The others serve a sweep over the columns of a row, in which the meet of the
masks *before* a column is kept as it goes, and those *after* each column are computed backwards at its start.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .compiled import inner

__all__ = ["admits", "collect", "leaves_left", "meet_after", "meet_before", "step_word"]


@inner
def leaves_left(row: Any, column: Any, first: Any, last: Any, tables: Any, left: Any) -> None:
    """``left`` [words]: the leaves of the trees ``first`` to ``last`` (exclusive) that the row's cells admit when
    ``column`` is free."""
    left[:] = ~np.uint64(0)
    words = tables.words
    for other in range(row.shape[0]):
        if other == column:
            continue
        if tables.dense:
            masks = tables.masks[tables.offsets[other] + row[other], first * words : last * words]
            for i in range(left.shape[0]):
                left[i] &= masks[i]
            continue
        for pair in range(tables.pairs[other, first], tables.pairs[other, last]):
            place = (tables.trees[other, pair] - first) * words
            start = _start(other, row[other], pair, tables)
            for word in range(words):
                left[place + word] &= tables.distinct[start + word]


@inner
def admits(column: Any, value: Any, tree: Any, word: Any, leaf: Any, tables: Any) -> Any:
    """Whether the leaf of that word admits the value."""
    if tables.dense:
        mask = tables.masks[tables.offsets[column] + value, tree * tables.words + word]
    else:
        pair = _pair(column, tree, tables)
        mask = tables.distinct[_start(column, value, pair, tables) + word] if pair >= 0 else ~np.uint64(0)
    return (mask >> np.uint64(leaf)) & np.uint64(1) != 0


@inner
def step_word(column: Any, tree: Any, word: Any, tables: Any) -> Any:
    """Where the steps of one word of a tree stand, in words; -1 where the tree does not split on the column."""
    if tables.dense:
        return column * tables.masks.shape[1] + tree * tables.words + word
    pair = _pair(column, tree, tables)
    return tables.step_words[column, pair] + word if pair >= 0 else -1


@inner
def meet_after(row: Any, n_trees: Any, tables: Any, running: Any, after: Any) -> None:
    """``after[d]``: the meet of the masks of the cells after column d, in the order of the words of d's masks."""
    running[:] = ~np.uint64(0)
    for column in range(row.shape[0] - 1, -1, -1):
        if tables.dense:
            masks = tables.masks[tables.offsets[column] + row[column]]
            for i in range(running.shape[0]):
                after[column, i] = running[i]
                running[i] &= masks[i]
            continue
        words = tables.words
        for pair in range(tables.pairs[column, n_trees]):
            place = tables.trees[column, pair] * words
            start = _start(column, row[column], pair, tables)
            for word in range(words):
                after[column, pair * words + word] = running[place + word]
                running[place + word] &= tables.distinct[start + word]


@inner
def meet_before(column: Any, value: Any, n_trees: Any, tables: Any, before: Any) -> None:
    """Take the masks of a cell into ``before``."""
    if tables.dense:
        masks = tables.masks[tables.offsets[column] + value]
        for i in range(before.shape[0]):
            before[i] &= masks[i]
        return
    words = tables.words
    for pair in range(tables.pairs[column, n_trees]):
        place = tables.trees[column, pair] * words
        start = _start(column, value, pair, tables)
        for word in range(words):
            before[place + word] &= tables.distinct[start + word]


@inner
def collect(column: Any, n_trees: Any, tables: Any, before: Any, after: Any, left: Any, at: Any) -> Any:
    """The words with leaves left, and where their steps stand; returns how many there are."""
    count = 0
    if tables.dense:
        first = column * tables.masks.shape[1]
        for i in range(before.shape[0]):
            meet = before[i] & after[i]
            left[count], at[count] = meet, first + i
            count += meet != np.uint64(0)
        return count
    words = tables.words
    for pair in range(tables.pairs[column, n_trees]):
        place, steps = tables.trees[column, pair] * words, tables.step_words[column, pair]
        for word in range(words):
            meet = before[place + word] & after[pair * words + word]
            left[count], at[count] = meet, steps + word
            count += meet != np.uint64(0)
    return count


@inner
def _pair(column: Any, tree: Any, tables: Any) -> Any:
    """Which of the column's pairs is with the tree; -1 where none is."""
    pair = tables.pairs[column, tree]
    return pair if tables.pairs[column, tree + 1] > pair else -1


@inner
def _start(column: Any, value: Any, pair: Any, tables: Any) -> Any:
    return tables.starts[column, pair] + np.int64(tables.ranks[tables.offsets[column] + value, pair]) * tables.words
