"""Gibbs sampling from q_f: systematic sweeps over the columns (sections 2.4 and 7).

The leaves left when a cell is free are the meet of the masks of the cells before it, kept as these are drawn, and of
those after it, computed backwards at the start of the sweep. Loops over the leaves that are left have no branch that
depends on the data: words without any are dropped, then each pass takes the lowest bit of every word.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .bits import float_in, lowest_bit
from .compiled import compiled
from .lanes import LANES, SINKS, SIZE, pick, to_weights
from .streams import following, stream, uniform

__all__ = ["advance", "record"]


class _Workspace(NamedTuple):
    """Of one chain: the meets after each column [D, V] and before the present one [V]; words with leaves left, and
    where they are [V + 1]; energies, then weights; and their running sums."""

    after: Any
    before: Any
    words: Any
    at: Any
    energies: Any
    sums: Any


@compiled
def advance(
    rows: Any,
    free: Any,
    n_steps: Any,
    temperature: Any,
    n_trees: Any,
    tables: Any,
    key: Any,
    first: Any,
    column: Any,
    mean: Any,
) -> None:
    """``n_steps`` sweeps of the chains ``rows`` [N, D], in place; chain i has stream ``first + i`` below ``key``.

    Only cells where ``free`` [N or 1, D] is true change. With ``column`` >= 0, ``mean`` [N, card] receives the mean of
    that column's conditional probabilities over the sweeps.
    """
    space = _workspace(rows.shape[1], n_trees * tables.words)
    cool = np.float32(1 / temperature)
    for i in range(rows.shape[0]):
        state = stream(key, first + i)
        cells = free[i % free.shape[0]]
        for _ in range(n_steps):
            state = _sweep(rows[i], cells, cool, n_trees, tables, space, state, column, mean[i])
        mean[i] /= n_steps


@compiled
def record(starts: Any, burn_in: Any, n_trees: Any, tables: Any, key: Any, first: Any, out: Any) -> None:
    """``out`` [chains, sweeps, D]: the states after each sweep of chains from ``starts`` [chains, D], after ``burn_in``
    sweeps that are dropped."""
    space = _workspace(starts.shape[1], n_trees * tables.words)
    free = np.ones(starts.shape[1], np.bool_)
    nothing = np.empty(0)
    cool = np.float32(1)
    for chain in range(starts.shape[0]):
        state = stream(key, first + chain)
        row = starts[chain].copy()
        for sweep in range(burn_in + out.shape[1]):
            state = _sweep(row, free, cool, n_trees, tables, space, state, -1, nothing)
            if sweep >= burn_in:
                out[chain, sweep - burn_in] = row


@compiled
def _workspace(n_columns: Any, n_words: Any) -> Any:
    return _Workspace(
        np.empty((n_columns, n_words), np.uint64),
        np.empty(n_words, np.uint64),
        np.empty(n_words + 1, np.uint64),
        np.empty(n_words + 1, np.int64),
        np.empty(SIZE + 2 * SINKS, np.float32),
        np.empty(SIZE, np.float32),
    )


@compiled
def _sweep(
    row: Any, free: Any, cool: Any, n_trees: Any, tables: Any, space: Any, state: Any, column: Any, mean: Any
) -> Any:
    """One sweep of one chain at the inverse temperature ``cool``; returns the random state after it."""
    n_columns, n_words = row.shape[0], n_trees * tables.words
    space.after[n_columns - 1] = ~np.uint64(0)
    for d in range(n_columns - 1, 0, -1):
        _meet(space.after[d], tables.masks[tables.offsets[d] + row[d], :n_words], space.after[d - 1])
    space.before[:] = ~np.uint64(0)
    for d in range(n_columns):
        if free[d]:
            count = _collect(space.before, space.after[d], space.words, space.at)
            space.energies[:] = np.float32(0)
            if tables.set_index[d] < 0:
                _add_spans(count, space, tables.steps[d])
            else:
                _add_toggles(count, space, tables.steps[d], tables.toggles[tables.set_index[d]])
            total = to_weights(
                space.energies, tables.lanes[d], tables.rows[d], tables.set_index[d] < 0, cool, space.sums
            )
            row[d] = pick(space.sums, tables.rows[d], np.float32(uniform(state)) * total)
            state = following(state)
            if d == column:
                _add_probabilities(space.energies, tables.rows[d], total, mean)
        _meet(space.before, tables.masks[tables.offsets[d] + row[d], :n_words], space.before)
    return state


@compiled
def _meet(one: Any, other: Any, out: Any) -> None:
    for i in range(out.shape[0]):
        out[i] = one[i] & other[i]


@compiled
def _collect(before: Any, after: Any, words: Any, at: Any) -> Any:
    """The words of the meet that are not 0, and where they are; returns how many."""
    count = 0
    for i in range(before.shape[0]):
        left = before[i] & after[i]
        words[count], at[count] = left, i
        count += left != np.uint64(0)
    return count


@compiled
def _add_spans(count: Any, space: Any, steps: Any) -> None:
    """Add each leaf's value where its span begins, and take it off where it ends."""
    words, at, energies = space.words, space.at, space.energies
    while count > 0:
        remaining = 0
        for i in range(count):
            left, place = words[i], at[i]
            step = steps[64 * place + lowest_bit(left)]
            energies[(step >> np.uint64(32)) & np.uint64(0xFFFF)] += float_in(step)
            energies[step >> np.uint64(48)] -= float_in(step)
            left &= left - np.uint64(1)
            words[remaining], at[remaining] = left, place
            remaining += left != np.uint64(0)
        count = remaining


@compiled
def _add_toggles(count: Any, space: Any, steps: Any, toggles: Any) -> None:
    """Add each leaf's value at all its toggles."""
    for i in range(count):
        left = space.words[i]
        while left != 0:
            leaf = 64 * space.at[i] + lowest_bit(left)
            left &= left - np.uint64(1)
            value = float_in(steps[leaf])
            for part in range(toggles.shape[1]):
                members = toggles[leaf, part]
                while members != 0:
                    space.energies[64 * part + lowest_bit(members)] += value
                    members &= members - np.uint64(1)


@compiled
def _add_probabilities(weights: Any, rows: Any, total: Any, mean: Any) -> None:
    for value in range(mean.shape[0]):
        mean[value] += weights[(value % rows) * LANES + value // rows] / total
