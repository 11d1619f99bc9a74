"""One tree: which leaf a row falls into, and the box of each leaf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled, copy_into, inner
from .domain import Domain
from .split_search import SET_WORDS, in_set

__all__ = ["Boxes", "Tree", "add_values", "boxes", "full_sets", "single_leaf", "trees_from_arrays", "trees_to_arrays"]


class Tree(NamedTuple):
    """I inner nodes and I + 1 leaves. A child is the number of an inner node, or ``~leaf``; node 0 is the root.

    ``column`` [I] int16; ``threshold`` [I] int16: x >= threshold goes right, or -1 where the column is categorical and
    the categories in ``right_set`` [I, 4] uint64 go right; ``left``, ``right`` [I] int32; ``gain`` [I] float64 of the
    split; ``value`` [I + 1] float64 of the leaf.
    """

    column: NDArray[np.int16]
    threshold: NDArray[np.int16]
    right_set: NDArray[np.uint64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    gain: NDArray[np.float64]
    value: NDArray[np.float64]

    @property
    def n_leaves(self) -> int:
        """I + 1."""
        return len(self.value)

    def leaves(self, rows: NDArray[np.uint8]) -> NDArray[np.int32]:
        """The leaf of each row, [N]."""
        out = np.empty(len(rows), np.int32)
        _leaves(self, rows, out)
        return out


_KINDS = {
    "column": np.int16,
    "threshold": np.int16,
    "right_set": np.uint64,
    "left": np.int32,
    "right": np.int32,
    "gain": np.float64,
    "value": np.float64,
}


class Boxes(NamedTuple):
    """The leaves' boxes: ordered columns span ``low`` to ``high`` (exclusive), [L, D] int16; ``sets`` [L, C, 4]."""

    low: NDArray[np.int16]
    high: NDArray[np.int16]
    sets: NDArray[np.uint64]


def full_sets(domain: Domain) -> NDArray[np.uint64]:
    """[C, 4]: all categories of each categorical column."""
    cards = [card for card, categorical in zip(domain.cards, domain.categorical, strict=True) if categorical]
    sets = np.zeros((len(cards), SET_WORDS), np.uint64)
    for column, card in enumerate(cards):
        for value in range(card):
            sets[column, value >> 6] |= np.uint64(1 << (value & 63))
    return sets


def boxes(tree: Tree, domain: Domain) -> Boxes:
    """The box of each leaf, disjoint, and together the whole domain."""
    full = full_sets(domain)
    low = np.zeros((tree.n_leaves, domain.n_columns), np.int16)
    high = np.tile(np.array(domain.cards, np.int16), (tree.n_leaves, 1))
    sets = np.tile(full, (tree.n_leaves, 1, 1))
    _fill_boxes(tree, domain.set_index, np.array(domain.cards, np.int16), full, Boxes(low, high, sets))
    return Boxes(low, high, sets)


def single_leaf(value: float) -> Tree:
    """A tree that is ``value`` everywhere."""
    none = {name: np.empty(0, kind) for name, kind in _KINDS.items()}
    return Tree(**none | {"right_set": np.empty((0, SET_WORDS), np.uint64), "value": np.array([value])})


def trees_to_arrays(trees: Sequence[Tree]) -> dict[str, NDArray[Any]]:
    """Trees as plain arrays, one after the other, for `trees_from_arrays`."""
    some = trees or (single_leaf(0.0),)
    arrays = {f"tree_{name}": np.concatenate([getattr(tree, name) for tree in some]) for name in Tree._fields}
    return {"tree_leaves": np.array([tree.n_leaves for tree in trees], np.int32), **arrays}


def trees_from_arrays(arrays: Mapping[str, NDArray[Any]]) -> list[Tree]:
    """The trees that `trees_to_arrays` described. Raises KeyError for an absent array, ValueError for a wrong one."""
    leaves = arrays["tree_leaves"].astype(np.int64)
    stops = {name: np.cumsum(leaves if name == "value" else leaves - 1) for name in Tree._fields}
    fields = {name: np.ascontiguousarray(arrays[f"tree_{name}"], kind) for name, kind in _KINDS.items()}
    if any(len(fields[name]) < (stop[-1] if len(stop) else 0) for name, stop in stops.items()):
        raise ValueError("the trees' arrays are shorter than their leaves need")
    starts = {name: np.concatenate(([0], stop)) for name, stop in stops.items()}
    return [
        Tree(**{name: fields[name][starts[name][i] : stops[name][i]] for name in Tree._fields})
        for i in range(len(leaves))
    ]


@inner
def _leaf(tree: Any, row: Any) -> Any:
    node = 0
    if tree.column.shape[0] == 0:
        return 0
    while node >= 0:
        value = row[tree.column[node]]
        threshold = tree.threshold[node]
        goes_right = value >= threshold if threshold >= 0 else in_set(tree.right_set[node], value)
        node = tree.right[node] if goes_right else tree.left[node]
    return ~node


@compiled
def _leaves(tree: Any, rows: Any, out: Any) -> None:
    for i in range(rows.shape[0]):
        out[i] = _leaf(tree, rows[i])


@compiled
def add_values(tree: Any, rows: Any, out: Any) -> None:
    """Add to ``out`` [N] the tree's value of each row."""
    for i in range(rows.shape[0]):
        out[i] += tree.value[_leaf(tree, rows[i])]


@compiled
def _fill_boxes(tree: Any, set_index: Any, cards: Any, full: Any, out: Any) -> None:
    """Every node's box in the order of the nodes, in which a parent comes before its children."""
    n_nodes = tree.column.shape[0]
    low = np.zeros((n_nodes + 1, cards.shape[0]), np.int16)
    high = np.empty((n_nodes + 1, cards.shape[0]), np.int16)
    sets = np.empty((n_nodes + 1, full.shape[0], full.shape[1]), np.uint64)
    copy_into(high[0], cards)
    for index in range(full.shape[0]):
        copy_into(sets[0, index], full[index])
    for node in range(n_nodes):
        column, threshold = tree.column[node], tree.threshold[node]
        for side in range(2):
            child = tree.right[node] if side else tree.left[node]
            if child >= 0:
                a, b, c = low[child], high[child], sets[child]
            else:
                a, b, c = out.low[~child], out.high[~child], out.sets[~child]
            copy_into(a, low[node])
            copy_into(b, high[node])
            for index in range(full.shape[0]):
                copy_into(c[index], sets[node, index])
            if threshold >= 0:
                (a if side else b)[column] = threshold
                continue
            for word in range(c.shape[1]):
                members = tree.right_set[node, word]
                c[set_index[column], word] &= members if side else ~members
