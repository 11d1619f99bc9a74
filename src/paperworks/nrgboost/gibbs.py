"""Gibbs sampling from q_f: systematic sweeps over the columns (sections 2.4 and 7).

Loops over the leaves that are left have no branch that depends on the data: words without any have been dropped, then
each pass takes the lowest bit of every word.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .bits import float_in, lowest_bit
from .compiled import compiled, copy_into, inner
from .lanes import LANES, SINKS, SIZE, pick, to_weights
from .steps import begin, end, toggle_row
from .streams import following, stream, uniform
from .survivors import collect, meet_after, meet_before

__all__ = ["run_chains"]


class _Workspace(NamedTuple):
    """Of one chain: the meets after each column [D, V] and before the present one [V]; words with leaves left, and
    where their steps are [V + 1]; energies, then weights; and their running sums."""

    after: Any
    before: Any
    left: Any
    at: Any
    energies: Any
    sums: Any


@compiled
def run_chains(
    rows: Any,
    free: Any,
    n_steps: Any,
    cool: Any,
    n_trees: Any,
    tables: Any,
    key: Any,
    first: Any,
    states: Any,
    column: Any,
    total: Any,
) -> None:
    """``n_steps`` sweeps of the chains ``rows`` [N, D], in place; chain i has stream ``first + i`` below ``key``.

    Only cells where ``free`` [N or 1, D] is true change; ``cool`` is the inverse temperature, float32. ``states``
    [N, K, D] receives the states after the last K sweeps. With ``column`` >= 0, the sum of that column's conditional
    probabilities over the sweeps is added to ``total`` [N, card].
    """
    space = _workspace(rows.shape[1], n_trees * tables.words)
    dropped = n_steps - states.shape[1]
    for i in range(rows.shape[0]):
        state = stream(key, first + i)
        cells = free[i % free.shape[0]]
        for sweep in range(n_steps):
            state = _sweep(rows[i], cells, cool, n_trees, tables, space, state, column, total[i])
            if sweep >= dropped:
                copy_into(states[i, sweep - dropped], rows[i])


@inner
def _workspace(n_columns: Any, n_words: Any) -> Any:
    return _Workspace(
        np.empty((n_columns, n_words), np.uint64),
        np.empty(n_words, np.uint64),
        np.empty(n_words + 1, np.uint64),
        np.empty(n_words + 1, np.int64),
        np.empty(SIZE + 2 * SINKS, np.float32),
        np.empty(SIZE, np.float32),
    )


@inner
def _sweep(
    row: Any, free: Any, cool: Any, n_trees: Any, tables: Any, space: Any, state: Any, column: Any, total: Any
) -> Any:
    """One sweep of one chain at the inverse temperature ``cool``; returns the random state after it."""
    meet_after(row, n_trees, tables, space.before, space.after)
    space.before[:] = ~np.uint64(0)
    for d in range(row.shape[0]):
        if free[d]:
            ordered = tables.set_index[d] < 0
            count = collect(d, n_trees, tables, space.before, space.after[d], space.left, space.at)
            space.energies[:] = np.float32(0)
            if ordered:
                _add_spans(count, space, tables.steps)
            else:
                _add_toggles(count, space, tables.steps, tables.toggles)
            weight = to_weights(space.energies, tables.lanes[d], tables.rows[d], ordered, cool, space.sums)
            row[d] = pick(space.sums, tables.rows[d], np.float32(uniform(state)) * weight)
            state = following(state)
            if d == column:
                _add_probabilities(space.energies, tables.rows[d], weight, total)
        meet_before(d, row[d], n_trees, tables, space.before)
    return state


@inner
def _add_spans(count: Any, space: Any, steps: Any) -> None:
    """Add each leaf's value where its span begins, and take it off where it ends."""
    left, at, energies = space.left, space.at, space.energies
    while count > 0:
        remaining = 0
        for i in range(count):
            leaves, word = left[i], at[i]
            step = steps[64 * word + lowest_bit(leaves)]
            energies[begin(step)] += float_in(step)
            energies[end(step)] -= float_in(step)
            leaves &= leaves - np.uint64(1)
            left[remaining], at[remaining] = leaves, word
            remaining += leaves != np.uint64(0)
        count = remaining


@inner
def _add_toggles(count: Any, space: Any, steps: Any, toggles: Any) -> None:
    """Add each leaf's value at all its toggles."""
    for i in range(count):
        leaves = space.left[i]
        while leaves != 0:
            step = steps[64 * space.at[i] + lowest_bit(leaves)]
            leaves &= leaves - np.uint64(1)
            row = toggle_row(step)
            for part in range(toggles.shape[1]):
                members = toggles[row, part]
                while members != 0:
                    space.energies[64 * part + lowest_bit(members)] += float_in(step)
                    members &= members - np.uint64(1)


@inner
def _add_probabilities(weights: Any, rows: Any, sum_of_weights: Any, total: Any) -> None:
    for value in range(total.shape[0]):
        total[value] += weights[(value % rows) * LANES + value // rows] / sum_of_weights
