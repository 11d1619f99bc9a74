"""Gibbs sampling from q_f: systematic sweeps over the columns (sections 2.4 and 7).

Loops over the leaves that are left have no branch that depends on the data: words without any have been dropped, then
each pass takes the lowest bit of every word.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .bits import float_in, lowest_bit
from .compiled import compiled
from .lanes import LANES, SINKS, SIZE, pick, to_weights
from .steps import begin, end, toggle_row
from .streams import following, stream, uniform
from .survivors import collect, meet_after, meet_before

__all__ = ["advance", "record"]


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
            total = to_weights(space.energies, tables.lanes[d], tables.rows[d], ordered, cool, space.sums)
            row[d] = pick(space.sums, tables.rows[d], np.float32(uniform(state)) * total)
            state = following(state)
            if d == column:
                _add_probabilities(space.energies, tables.rows[d], total, mean)
        meet_before(d, row[d], n_trees, tables, space.before)
    return state


@compiled
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


@compiled
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


@compiled
def _add_probabilities(weights: Any, rows: Any, total: Any, mean: Any) -> None:
    for value in range(mean.shape[0]):
        mean[value] += weights[(value % rows) * LANES + value // rows] / total
