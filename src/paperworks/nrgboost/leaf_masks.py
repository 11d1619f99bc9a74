"""For each column and value, which leaves of each tree it admits: 64-bit words whose meet is a row's leaf (7.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled
from .domain import Domain
from .split_search import SET_WORDS, in_set
from .tree import Tree, boxes

__all__ = ["LeafMasks", "MaskTables"]


class MaskTables(NamedTuple):
    """What kernels read. T trees, W words of 64 leaves.

    ``masks`` [bins, T, W]: bit l of word w is set where leaf 64 w + l admits that bin. ``values`` [T, 64 W]: what a
    leaf adds to the energy. ``ends`` [D, T, 64 W, 2]: the bins it spans in an ordered column. ``sets`` [C, T, 64 W, 4]:
    its categories. ``initial`` [bins]: log masses of f_0. ``offsets`` [D + 1], ``set_index`` [D] as in `Domain`.
    """

    masks: NDArray[np.uint64]
    values: NDArray[np.float64]
    ends: NDArray[np.int16]
    sets: NDArray[np.uint64]
    initial: NDArray[np.float64]
    offsets: NDArray[np.int64]
    set_index: NDArray[np.int64]


class LeafMasks:
    """The masks of up to ``capacity`` trees with at most ``max_leaves`` leaves; trees are only ever added."""

    def __init__(self, domain: Domain, log_masses: NDArray[np.float64], capacity: int, max_leaves: int) -> None:
        words = -(-max_leaves // 64)
        self._domain = domain
        self.n_trees, self._capacity = 0, capacity
        self.tables = MaskTables(
            masks=np.zeros((int(domain.offsets[-1]), capacity, words), np.uint64),
            values=np.zeros((capacity, 64 * words)),
            ends=np.zeros((domain.n_columns, capacity, 64 * words, 2), np.int16),
            sets=np.zeros((sum(domain.categorical), capacity, 64 * words, SET_WORDS), np.uint64),
            initial=log_masses,
            offsets=domain.offsets,
            set_index=domain.set_index,
        )

    def add(self, trees: Sequence[Tree]) -> None:
        """Take in further trees. Raises ValueError beyond the capacity."""
        if self.n_trees + len(trees) > self._capacity:
            raise ValueError(f"there is room for {self._capacity} trees, not for {self.n_trees + len(trees)}")
        for tree in trees:
            number = self.n_trees
            box = boxes(tree, self._domain)
            self.tables.values[number, : tree.n_leaves] = tree.value
            self.tables.ends[:, number, : tree.n_leaves] = np.stack((box.low, box.high), -1).transpose(1, 0, 2)
            self.tables.sets[:, number, : tree.n_leaves] = box.sets.transpose(1, 0, 2)
            _fill_masks(box, self.tables, number)
            self.n_trees += 1


@compiled
def _fill_masks(box: Any, tables: Any, tree: Any) -> None:
    for column in range(box.low.shape[1]):
        start, index = tables.offsets[column], tables.set_index[column]
        for leaf in range(box.low.shape[0]):
            bit = np.uint64(1) << np.uint64(leaf & 63)
            for value in range(tables.offsets[column + 1] - start):
                if index >= 0:
                    admitted = in_set(box.sets[leaf, index], value)
                else:
                    admitted = box.low[leaf, column] <= value < box.high[leaf, column]
                if admitted:
                    tables.masks[start + value, tree, leaf >> 6] |= bit
