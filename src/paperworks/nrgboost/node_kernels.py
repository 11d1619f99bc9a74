"""Nodes while a tree grows: their rows, their histograms of data and model, their best splits."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .compiled import compiled, copy_into, inner
from .split_search import in_set, search_column
from .streams import following, stream, uniform

__all__ = ["Nodes", "Tables", "count_root", "expand", "search"]


class Nodes(NamedTuple):
    """Arrays with an entry a node. Its rows are ``data_order[data_begin:data_end]``, and alike for the pool.

    ``slot``: where its histograms are, -1 if they were not kept. ``mass``: of the model, in pool rows or as a
    probability. ``low``, ``high`` [M, D], ``sets`` [M, C, 4]: its box. ``gain`` (-1: none), ``column``, ``threshold``,
    ``right_set``: its best split. ``left``, ``right``: its children.
    """

    data_begin: Any
    data_end: Any
    pool_begin: Any
    pool_end: Any
    slot: Any
    p: Any
    mass: Any
    low: Any
    high: Any
    sets: Any
    gain: Any
    column: Any
    threshold: Any
    right_set: Any
    left: Any
    right: Any
    key: Any


class Tables(NamedTuple):
    """What is counted: data rows with weights, and pool rows, or without any the exact ``masses`` [bins] of f_0.

    ``histograms`` [slots, 2, bins]: data (0) and model (1). ``offsets`` [D + 1], ``set_index`` [D] as in `Domain`.
    """

    data: Any
    weights: Any
    data_order: Any
    pool: Any
    pool_order: Any
    masses: Any
    histograms: Any
    offsets: Any
    set_index: Any


@compiled
def count_root(root: Any, nodes: Any, tables: Any) -> None:
    """The histograms and sums of the node ``root``, whose rows and box are there."""
    _count(nodes, tables, root)
    _sum_up(nodes, tables, root)


@compiled
def expand(batch: Any, nodes: Any, tables: Any) -> None:
    """Give every node of ``batch`` its children's rows, boxes and histograms.

    Of two children the one with fewer rows is counted; the other's histograms are the parent's less that. Children
    come with a slot each, of which the larger one's is exchanged for the parent's where the parent has one.
    """
    for node in batch:
        left, right = nodes.left[node], nodes.right[node]
        _divide_box(nodes, tables, node)
        _divide_rows(nodes, tables, node)
        small, large = left, right
        if _n_rows(nodes, right) < _n_rows(nodes, left):
            small, large = right, left
        _count(nodes, tables, small)
        parent_slot = nodes.slot[node]
        if parent_slot >= 0:
            nodes.slot[node], nodes.slot[large] = nodes.slot[large], parent_slot
            _subtract(nodes, tables, large, tables.histograms[nodes.slot[small]])
        else:
            _count(nodes, tables, large)
        _sum_up(nodes, tables, left)
        _sum_up(nodes, tables, right)


@compiled
def search(batch: Any, nodes: Any, tables: Any, rules: Any, n_features: Any) -> None:
    """Find the best split of every node of ``batch`` among ``n_features`` columns, drawn anew for each node."""
    n_columns = tables.set_index.shape[0]
    members = np.zeros(nodes.right_set.shape[1], np.uint64)
    for node in batch:
        nodes.gain[node] = -1.0
        if nodes.p[node] <= 0:
            continue  # nothing below it can differ from it
        columns = _some_columns(n_columns, n_features, nodes.key[node])
        for column in columns:
            start, stop = tables.offsets[column], tables.offsets[column + 1]
            ordered = tables.set_index[column] < 0
            if ordered:
                members[:] = np.uint64(0)
            else:
                copy_into(members, nodes.sets[node, tables.set_index[column]])
            histograms = tables.histograms[nodes.slot[node]]
            gain, threshold = search_column(
                histograms[0, start:stop],
                histograms[1, start:stop],
                nodes.low[node, column],
                nodes.high[node, column],
                members,
                ordered,
                rules,
            )
            if gain > nodes.gain[node]:
                nodes.gain[node], nodes.column[node], nodes.threshold[node] = gain, column, threshold
                copy_into(nodes.right_set[node], members)


@inner
def _some_columns(n_columns: Any, n_features: Any, key: Any) -> Any:
    """``n_features`` of the columns, in ascending order, each choice as likely (Knuth's algorithm S)."""
    columns = np.empty(n_features, np.int64)
    state = stream(key, 0)
    count = 0
    for column in range(n_columns):
        if uniform(state) * (n_columns - column) < n_features - count:
            columns[count] = column
            count += 1
        state = following(state)
    return columns


@inner
def _n_rows(nodes: Any, node: Any) -> Any:
    return nodes.data_end[node] - nodes.data_begin[node] + nodes.pool_end[node] - nodes.pool_begin[node]


@inner
def _divide_box(nodes: Any, tables: Any, node: Any) -> None:
    left, right, column = nodes.left[node], nodes.right[node], nodes.column[node]
    for child in (left, right):
        copy_into(nodes.low[child], nodes.low[node])
        copy_into(nodes.high[child], nodes.high[node])
        for index in range(nodes.sets.shape[1]):
            copy_into(nodes.sets[child, index], nodes.sets[node, index])
    if nodes.threshold[node] >= 0:
        nodes.high[left, column] = nodes.low[right, column] = nodes.threshold[node]
        return
    index = tables.set_index[column]
    copy_into(nodes.sets[right, index], nodes.right_set[node])
    for word in range(nodes.right_set.shape[1]):
        nodes.sets[left, index, word] &= ~nodes.right_set[node, word]


@inner
def _divide_rows(nodes: Any, tables: Any, node: Any) -> None:
    left, right = nodes.left[node], nodes.right[node]
    begin, end = nodes.data_begin[node], nodes.data_end[node]
    middle = begin + _divide(tables.data, tables.data_order[begin:end], nodes, node)
    nodes.data_begin[left], nodes.data_end[left] = begin, middle
    nodes.data_begin[right], nodes.data_end[right] = middle, end
    begin, end = nodes.pool_begin[node], nodes.pool_end[node]
    middle = begin + _divide(tables.pool, tables.pool_order[begin:end], nodes, node)
    nodes.pool_begin[left], nodes.pool_end[left] = begin, middle
    nodes.pool_begin[right], nodes.pool_end[right] = middle, end


@inner
def _divide(rows: Any, order: Any, nodes: Any, node: Any) -> Any:
    """Put the rows that go left first, both sides in the order they had; returns how many those are."""
    column, threshold = nodes.column[node], nodes.threshold[node]
    is_right = np.empty(256, np.bool_)
    for value in range(256):
        is_right[value] = value >= threshold if threshold >= 0 else in_set(nodes.right_set[node], value)
    aside = np.empty(order.shape[0], np.int32)
    n_left = n_right = 0
    for i in range(order.shape[0]):
        row = order[i]
        goes_right = is_right[rows[row, column]]
        order[n_left] = row
        aside[n_right] = row
        n_right += goes_right
        n_left += not goes_right
    copy_into(order[n_left:], aside)
    return n_left


@inner
def _count(nodes: Any, tables: Any, node: Any) -> None:
    histograms = tables.histograms[nodes.slot[node]]
    histograms[:] = 0.0
    counts, masses, offsets = histograms[0], histograms[1], tables.offsets
    n_columns = tables.data.shape[1]
    for i in range(nodes.data_begin[node], nodes.data_end[node]):
        row = tables.data_order[i]
        weight = tables.weights[row]
        for column in range(n_columns):
            counts[offsets[column] + tables.data[row, column]] += weight
    for i in range(nodes.pool_begin[node], nodes.pool_end[node]):
        row = tables.pool_order[i]
        for column in range(n_columns):
            masses[offsets[column] + tables.pool[row, column]] += 1.0
    if tables.pool.shape[0] == 0:
        _exact_masses(nodes, tables, node, masses)


@inner
def _exact_masses(nodes: Any, tables: Any, node: Any, masses: Any) -> None:
    """Round 0: the node's probability under f_0, spread over each column by the marginal within the box."""
    offsets = tables.offsets
    total = 1.0
    for column in range(tables.set_index.shape[0]):
        start, stop = offsets[column], offsets[column + 1]
        inside = 0.0
        for value in range(stop - start):
            if _in_box(nodes, tables, node, column, value):
                masses[start + value] = tables.masses[start + value]
                inside += tables.masses[start + value]
        for place in range(start, stop):
            masses[place] /= inside
        total *= inside
    for place in range(masses.shape[0]):
        masses[place] *= total


@inner
def _in_box(nodes: Any, tables: Any, node: Any, column: Any, value: Any) -> Any:
    index = tables.set_index[column]
    if index >= 0:
        return in_set(nodes.sets[node, index], value)
    return nodes.low[node, column] <= value < nodes.high[node, column]


@inner
def _subtract(nodes: Any, tables: Any, node: Any, part: Any) -> None:
    """Turn the parent's histograms, in the node's slot, into the node's own; exact masses would lose their digits."""
    counts, masses = tables.histograms[nodes.slot[node], 0], tables.histograms[nodes.slot[node], 1]
    for i in range(counts.shape[0]):
        counts[i] -= part[0, i]
    if tables.pool.shape[0] == 0:
        masses[:] = 0.0
        _exact_masses(nodes, tables, node, masses)
        return
    for i in range(masses.shape[0]):
        masses[i] -= part[1, i]


@inner
def _sum_up(nodes: Any, tables: Any, node: Any) -> None:
    """The node's data weight and model mass, from its histograms of column 0."""
    p = mass = 0.0
    histograms = tables.histograms[nodes.slot[node]]
    for value in range(tables.offsets[0], tables.offsets[1]):
        p += max(histograms[0, value], 0.0)
        mass += histograms[1, value]
    nodes.p[node], nodes.mass[node] = p, mass
