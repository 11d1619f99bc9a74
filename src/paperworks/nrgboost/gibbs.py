"""Gibbs sampling from q_f: systematic sweeps over the columns (sections 2.4 and 7)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .compiled import compiled
from .conditionals import add_survivors
from .streams import following, stream, uniform

__all__ = ["advance", "record"]


@compiled
def advance(
    rows: Any, free: Any, n_steps: Any, temperature: Any, n_trees: Any, tables: Any, key: Any, first: Any,
    column: Any, mean: Any,
) -> None:  # fmt: skip
    """``n_steps`` sweeps of the chains ``rows`` [N, D], in place; chain i draws from stream ``first + i`` below ``key``.

    Only cells where ``free`` [N or 1, D] is true change. With ``column`` >= 0, ``mean`` [N, card] receives the mean of
    that column's conditional probabilities over the sweeps.
    """
    workspace = _workspace(rows.shape[1], n_trees, tables)
    for i in range(rows.shape[0]):
        state = stream(key, first + i)
        for _ in range(n_steps):
            state = _sweep(
                rows[i], free[i % free.shape[0]], temperature, n_trees, tables, workspace, state, column, mean[i]
            )
        mean[i] /= n_steps


@compiled
def record(starts: Any, burn_in: Any, n_trees: Any, tables: Any, key: Any, first: Any, out: Any) -> None:
    """``out`` [chains, sweeps, D]: the states after each sweep of chains from ``starts`` [chains, D], after ``burn_in``
    sweeps that are dropped."""
    workspace = _workspace(starts.shape[1], n_trees, tables)
    free = np.ones(starts.shape[1], np.bool_)
    nothing = np.empty(0)
    for chain in range(starts.shape[0]):
        state = stream(key, first + chain)
        row = starts[chain].copy()
        for sweep in range(burn_in + out.shape[1]):
            state = _sweep(row, free, 1.0, n_trees, tables, workspace, state, -1, nothing)
            if sweep >= burn_in:
                out[chain, sweep - burn_in] = row


@compiled
def _workspace(n_columns: Any, n_trees: Any, tables: Any) -> Any:
    words = n_trees * tables.masks.shape[2]
    return np.empty((n_columns + 1, words), np.uint64), np.empty(257), np.empty(words, np.uint64)


@compiled
def _sweep(
    row: Any, free: Any, temperature: Any, n_trees: Any, tables: Any, workspace: Any, state: Any, column: Any, mean: Any
) -> Any:
    """One sweep of one chain; returns the random state after it.

    The leaves left when a cell is free are the meet of the masks of the cells before it (kept as they are drawn) and of
    those after it (computed backwards at the start).
    """
    after, energies, before = workspace
    n_columns, words = row.shape[0], tables.masks.shape[2]
    after[n_columns] = ~np.uint64(0)
    for d in range(n_columns - 1, 0, -1):
        masks = tables.masks[tables.offsets[d] + row[d]]
        for tree in range(n_trees):
            for word in range(words):
                after[d, tree * words + word] = after[d + 1, tree * words + word] & masks[tree, word]
    before[:] = ~np.uint64(0)
    for d in range(n_columns):
        if free[d]:
            start, card = tables.offsets[d], tables.offsets[d + 1] - tables.offsets[d]
            energies[: card + 1] = 0.0
            for tree in range(n_trees):
                for word in range(words):
                    place = tree * words + word
                    add_survivors(before[place] & after[d + 1, place], tree, word, d, tables, energies)
            _to_probabilities(energies, tables.initial[start : start + card], tables.set_index[d] < 0, temperature)
            row[d] = _draw(energies[:card], uniform(state))
            state = following(state)
            if d == column:
                mean += energies[:card]
        masks = tables.masks[tables.offsets[d] + row[d]]
        for tree in range(n_trees):
            for word in range(words):
                before[tree * words + word] &= masks[tree, word]
    return state


@compiled
def _to_probabilities(energies: Any, initial: Any, ordered: Any, temperature: Any) -> None:
    card = initial.shape[0]
    if ordered:
        for value in range(1, card):
            energies[value] += energies[value - 1]
    top = -np.inf
    for value in range(card):
        energies[value] = (energies[value] + initial[value]) / temperature
        top = max(top, energies[value])
    total = 0.0
    for value in range(card):
        energies[value] = np.exp(energies[value] - top)
        total += energies[value]
    energies[:card] /= total


@compiled
def _draw(probabilities: Any, goal: Any) -> Any:
    last = 0
    for value in range(probabilities.shape[0]):
        if probabilities[value] > 0:
            last = value
            goal -= probabilities[value]
            if goal < 0:
                break
    return last
