"""For each column and value, which leaves of each tree it admits: 64-bit words whose meet is a row's leaf (section 7).

What a leaf adds to a column's energies when that cell is free is kept beside it as a *step*, a word of 64 bits: the
value as float32; and for an ordered column the places (see `lanes`) from which on it is added and taken off again.
A leaf's span that begins at the first value, or ends after the last, adds into a sink instead: it only shifts all
energies alike. A categorical column's step has the *toggles* beside it, the places where the value is added: the
categories the leaf admits, or where these are more than half, those it does not with the value's sign turned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled
from .domain import Domain
from .lanes import SINKS, SIZE, lane_rows, places
from .split_search import SET_WORDS, in_set
from .tree import Boxes, Tree, boxes

__all__ = ["LeafMasks", "MaskTables"]


class MaskTables(NamedTuple):
    """What kernels read. T trees, W words of 64 leaves, V = T W words for all trees.

    ``masks`` [bins, V]: bit l of word w is set where leaf 64 w + l admits that bin. ``values`` [64 V]: what a leaf adds
    to the energy. ``steps`` [D, 64 V], ``toggles`` [C, 64 V, 4]: see above. ``words``: W. ``initial`` [bins]: log
    masses of f_0, and ``lanes`` [D, SIZE] the same in lanes, float32. ``rows`` [D]: of the lanes. ``offsets`` [D + 1],
    ``set_index`` [D] as in `Domain`.
    """

    masks: NDArray[np.uint64]
    values: NDArray[np.float64]
    steps: NDArray[np.uint64]
    toggles: NDArray[np.uint64]
    words: int
    initial: NDArray[np.float64]
    lanes: NDArray[np.float32]
    rows: NDArray[np.int64]
    offsets: NDArray[np.int64]
    set_index: NDArray[np.int64]


class LeafMasks:
    """The masks of up to ``capacity`` trees with at most ``max_leaves`` leaves; trees are only ever added."""

    def __init__(self, domain: Domain, log_masses: NDArray[np.float64], capacity: int, max_leaves: int) -> None:
        words = -(-max_leaves // 64)
        self._domain, self._capacity = domain, capacity
        self.n_trees = 0
        self.tables = MaskTables(
            masks=np.zeros((int(domain.offsets[-1]), capacity * words), np.uint64),
            values=np.zeros(capacity * words * 64),
            steps=np.zeros((domain.n_columns, capacity * words * 64), np.uint64),
            toggles=np.zeros((sum(domain.categorical), capacity * words * 64, SET_WORDS), np.uint64),
            words=words,
            initial=log_masses,
            lanes=_in_lanes(log_masses, domain),
            rows=np.array([lane_rows(card) for card in domain.cards]),
            offsets=domain.offsets,
            set_index=domain.set_index,
        )

    def add(self, trees: Sequence[Tree]) -> None:
        """Take in further trees. Raises ValueError beyond the capacity."""
        if self.n_trees + len(trees) > self._capacity:
            raise ValueError(f"there is room for {self._capacity} trees, not for {self.n_trees + len(trees)}")
        for tree in trees:
            box = boxes(tree, self._domain)
            first_word = self.n_trees * self.tables.words
            leaves = slice(64 * first_word, 64 * first_word + tree.n_leaves)
            self.tables.values[leaves] = tree.value
            for column, card in enumerate(self._domain.cards):
                if self._domain.categorical[column]:
                    self._add_toggles(column, card, box, tree.value, leaves)
                else:
                    self.tables.steps[column, leaves] = _ordered_steps(column, card, box, tree.value)
            _fill_masks(box, self.tables, first_word)
            self.n_trees += 1

    def _add_toggles(self, column: int, card: int, box: Boxes, values: NDArray[np.float64], leaves: slice) -> None:
        index = self._domain.set_index[column]
        members = _bits(box.sets[:, index])[:, :card]
        most = 2 * members.sum(1) > card
        members[most] = ~members[most]
        in_lanes = np.zeros((len(members), SIZE), bool)
        in_lanes[:, places(np.arange(card), card)] = members
        self.tables.toggles[index, leaves] = np.packbits(in_lanes, axis=1, bitorder="little").view(np.uint64)
        flags = most.astype(np.uint64) << np.uint64(32)
        self.tables.steps[column, leaves] = _float_bits(np.where(most, -values, values)) | flags


def _in_lanes(log_masses: NDArray[np.float64], domain: Domain) -> NDArray[np.float32]:
    lanes = np.full((domain.n_columns, SIZE), -np.inf, np.float32)
    for column, card in enumerate(domain.cards):
        start, stop = domain.offsets[column : column + 2]
        lanes[column, places(np.arange(card), card)] = log_masses[start:stop]
    return lanes


def _bits(sets: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """[L, SIZE]: the members of sets [L, 4]."""
    octets: NDArray[np.uint8] = np.ascontiguousarray(sets).view(np.uint8)
    return np.asarray(np.unpackbits(octets, axis=1, bitorder="little"), bool)


def _ordered_steps(column: int, card: int, box: Boxes, values: NDArray[np.float64]) -> NDArray[np.uint64]:
    low, high = box.low[:, column].astype(np.int64), box.high[:, column].astype(np.int64)
    sinks = SIZE + np.arange(len(values)) % SINKS
    begin = np.where(low == 0, sinks, places(low, card))
    end = np.where(high == card, sinks + SINKS, places(np.minimum(high, card - 1), card))
    ends = (begin.astype(np.uint64) << np.uint64(32)) | (end.astype(np.uint64) << np.uint64(48))
    return np.asarray(_float_bits(values) | ends)


def _float_bits(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    bits: NDArray[np.uint32] = values.astype(np.float32).view(np.uint32)
    return np.asarray(bits, np.uint64)


@compiled
def _fill_masks(box: Any, tables: Any, first_word: Any) -> None:
    for column in range(box.low.shape[1]):
        start, index = tables.offsets[column], tables.set_index[column]
        for leaf in range(box.low.shape[0]):
            bit, word = np.uint64(1) << np.uint64(leaf & 63), first_word + (leaf >> 6)
            if index < 0:
                for value in range(box.low[leaf, column], box.high[leaf, column]):
                    tables.masks[start + value, word] |= bit
                continue
            for value in range(tables.offsets[column + 1] - start):
                if in_set(box.sets[leaf, index], value):
                    tables.masks[start + value, word] |= bit
