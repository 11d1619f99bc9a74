"""For each column and value, which leaves of each tree it admits: 64-bit words whose meet is a row's leaf (section 7).

*Dense* masks have a word for every value, so that those of all trees for one value are one stream. Above `DENSE_BYTES`
they are *thrifty*: only where a tree splits on a column (a *pair*), and only as many as the tree tells values apart,
with a table of each value's rank among them. What a pair does not have changes nothing, and is passed over.

What a leaf adds to a column's energies when that cell is free is kept beside it as a step (see `steps`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled
from .domain import Domain
from .lanes import SIZE, lane_rows, places
from .split_search import SET_WORDS, in_set
from .steps import span_steps, toggle_rows, toggle_steps
from .tree import Boxes, Tree, boxes

__all__ = ["DENSE_BYTES", "LeafMasks", "MaskTables"]

DENSE_BYTES = 64 << 20

Scalar = TypeVar("Scalar", bound=np.generic)


class MaskTables(NamedTuple):
    """What kernels read. T trees, W = ``words`` words of 64 leaves a tree, V = T W words; P pairs.

    ``values`` [64 V]: what a leaf adds to the energy. ``initial`` [bins]: log masses of f_0; ``lanes`` [D, SIZE] the
    same in lanes, float32; ``rows`` [D] of the lanes. ``offsets`` [D + 1], ``set_index`` [D] as in `Domain`.

    Dense: ``masks`` [bins, V], bit l of word w set where leaf 64 w + l admits that bin; ``steps`` [64 D V].
    Thrifty: the i-th pair of column d is with tree ``trees[d, i]``; ``pairs`` [D, T + 1] counts those among the first
    trees. Value v has the mask of W words at ``starts[d, i] + ranks[offsets[d] + v, i] * W`` in ``distinct``, and the
    leaves' steps are those of the words ``step_words[d, i]`` and following, in ``steps`` [64 P W].
    ``toggles`` [rows, 4].
    """

    words: int
    values: NDArray[np.float64]
    initial: NDArray[np.float64]
    lanes: NDArray[np.float32]
    rows: NDArray[np.int64]
    offsets: NDArray[np.int64]
    set_index: NDArray[np.int64]
    dense: bool
    masks: NDArray[np.uint64]
    steps: NDArray[np.uint64]
    toggles: NDArray[np.uint64]
    trees: NDArray[np.int32]
    pairs: NDArray[np.int32]
    starts: NDArray[np.int64]
    ranks: NDArray[np.uint8]
    distinct: NDArray[np.uint64]
    step_words: NDArray[np.int64]


class LeafMasks:
    """The masks of up to ``capacity`` trees with at most ``max_leaves`` leaves; trees are only ever added."""

    def __init__(self, domain: Domain, log_masses: NDArray[np.float64], capacity: int, max_leaves: int) -> None:
        self._domain, self._capacity = domain, capacity
        self.n_trees = 0
        self._n_toggles = 1  # row 0 is empty
        self._n_distinct = self._n_pairs = 0
        words = -(-max_leaves // 64)
        n_words, n_bins, n_columns = capacity * words, int(domain.offsets[-1]), domain.n_columns
        dense = 8 * n_words * (n_bins + 64 * n_columns) <= DENSE_BYTES
        thrifty_trees = 0 if dense else capacity
        self.tables = MaskTables(
            words=words,
            values=np.zeros(64 * n_words),
            initial=log_masses,
            lanes=_in_lanes(log_masses, domain),
            rows=np.array([lane_rows(card) for card in domain.cards]),
            offsets=domain.offsets,
            set_index=domain.set_index,
            dense=dense,
            masks=np.zeros((n_bins if dense else 0, n_words), np.uint64),
            steps=np.zeros(64 * n_columns * n_words if dense else 0, np.uint64),
            toggles=np.zeros((1, SET_WORDS), np.uint64),
            trees=np.zeros((n_columns, thrifty_trees), np.int32),
            pairs=np.zeros((n_columns, thrifty_trees + 1), np.int32),
            starts=np.zeros((n_columns, thrifty_trees), np.int64),
            ranks=np.zeros((n_bins, thrifty_trees), np.uint8),
            distinct=np.zeros(0, np.uint64),
            step_words=np.zeros((n_columns, thrifty_trees), np.int64),
        )

    def add(self, trees: Sequence[Tree]) -> None:
        """Take in further trees. Raises ValueError beyond the capacity."""
        if self.n_trees + len(trees) > self._capacity:
            raise ValueError(f"there is room for {self._capacity} trees, not for {self.n_trees + len(trees)}")
        for tree in trees:
            box = boxes(tree, self._domain)
            first = 64 * self.n_trees * self.tables.words
            self.tables.values[first : first + tree.n_leaves] = tree.value
            if self.tables.dense:
                self._add_dense(tree, box)
            else:
                self._add_pairs(tree, box)
            self.n_trees += 1

    def _add_dense(self, tree: Tree, box: Boxes) -> None:
        words = self.tables.words
        first_word = self.n_trees * words
        for column in range(self._domain.n_columns):
            start, stop = self.tables.offsets[column : column + 2]
            _fill_masks(box, column, self.tables.set_index[column], first_word, self.tables.masks[start:stop])
            steps = self._steps(column, box, tree.value)
            place = 64 * (column * self._capacity * words + first_word)
            self.tables.steps[place : place + tree.n_leaves] = steps

    def _add_pairs(self, tree: Tree, box: Boxes) -> None:
        number, words = self.n_trees, self.tables.words
        self.tables.pairs[:, number + 1] = self.tables.pairs[:, number]
        for column in np.unique(tree.column).tolist():
            pair = int(self.tables.pairs[column, number])
            start, stop = self.tables.offsets[column : column + 2]
            masks = np.zeros((stop - start, words), np.uint64)
            _fill_masks(box, column, self.tables.set_index[column], 0, masks)
            distinct, ranks = np.unique(masks, axis=0, return_inverse=True)
            steps = np.zeros(64 * words, np.uint64)
            steps[: tree.n_leaves] = self._steps(column, box, tree.value)
            self.tables.trees[column, pair] = number
            self.tables.ranks[start:stop, pair] = ranks.ravel()
            self.tables.starts[column, pair] = self._n_distinct
            self.tables.step_words[column, pair] = self._n_pairs * words
            self.tables = self.tables._replace(
                distinct=_appended(self.tables.distinct, self._n_distinct, distinct.ravel()),
                steps=_appended(self.tables.steps, self._n_pairs * 64 * words, steps),
            )
            self._n_distinct += distinct.size
            self._n_pairs += 1
            self.tables.pairs[column, number + 1] += 1

    def _steps(self, column: int, box: Boxes, values: NDArray[np.float64]) -> NDArray[np.uint64]:
        if not self._domain.categorical[column]:
            return span_steps(box.low[:, column], box.high[:, column], self._domain.cards[column], values)
        members = _bits(box.sets[:, self._domain.set_index[column]])[:, : self._domain.cards[column]]
        most = 2 * members.sum(1) > members.shape[1]
        members[most] = ~members[most]
        restricted = members.any(1)
        rows = np.where(restricted, self._n_toggles + np.cumsum(restricted) - 1, 0).astype(np.uint64)
        toggles = toggle_rows(members[restricted])
        self.tables = self.tables._replace(toggles=_appended(self.tables.toggles, self._n_toggles, toggles))
        self._n_toggles += len(toggles)
        return toggle_steps(rows, most, values)


def _appended(array: NDArray[Scalar], used: int, more: NDArray[Scalar]) -> NDArray[Scalar]:
    """``array`` with ``more`` from place ``used`` on; a longer one, to grow into, where that is needed."""
    wanted = used + len(more)
    if wanted > len(array):
        longer = np.zeros((max(wanted, 2 * len(array)), *array.shape[1:]), array.dtype)
        longer[:used] = array[:used]
        array = longer
    array[used:wanted] = more
    return array


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


@compiled
def _fill_masks(box: Any, column: Any, index: Any, first_word: Any, masks: Any) -> None:
    """Set the leaves' bits in ``masks`` [card, words], from ``first_word`` on; ``index`` is that of the sets, or -1."""
    for leaf in range(box.low.shape[0]):
        bit, word = np.uint64(1) << np.uint64(leaf & 63), first_word + (leaf >> 6)
        if index < 0:
            for value in range(box.low[leaf, column], box.high[leaf, column]):
                masks[value, word] |= bit
            continue
        for value in range(masks.shape[0]):
            if in_set(box.sets[leaf, index], value):
                masks[value, word] |= bit
