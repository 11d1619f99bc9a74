"""Growing one density-ratio tree, best gain first or breadth first (section 2.2).

Nodes are *expanded* (rows divided, children's histograms counted and searched) some at a time, on threads, the most
promising first; but they are *split* one by one, in the order that section 2.2 asks for. So the tree does not depend on
how many are expanded at once. Nodes that were expanded for nothing are few: those left when the leaves run out.
"""

from __future__ import annotations

import heapq
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .domain import Domain
from .initial import Initial
from .node_kernels import Nodes, Tables, count_root, expand, search
from .split_search import SET_WORDS, Rules
from .streams import stream
from .threads import Workers
from .tree import Tree, full_sets

__all__ = ["Grower", "Grown", "GrowthConfig"]

_MOST_AT_ONCE = 32
_HISTOGRAM_BYTES = 256 << 20  # beyond this, a node's histograms are counted again instead of kept


class TreeSettings(Protocol):
    """What the settings of boosting and of forests say about a tree."""

    @property
    def max_leaves(self) -> int: ...
    @property
    def max_ratio_in_leaf(self) -> float: ...
    @property
    def min_samples_leaf(self) -> float: ...
    @property
    def max_features(self) -> float: ...
    @property
    def growth(self) -> str: ...
    @property
    def categorical_split(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthConfig:
    """How a tree grows. ``max_features`` is the share of columns tried at a node; see `split_search.Rules`."""

    max_leaves: int
    max_ratio: float = np.inf
    min_samples: float = 0.0
    min_gain: float = 0.0
    max_features: float = 1.0
    breadth_first: bool = False
    one_against_all: bool = False
    likelihood: bool = False

    @classmethod
    def of(cls, settings: TreeSettings, *, likelihood: bool = False) -> GrowthConfig:
        """By the settings' names of the same things."""
        return cls(
            max_leaves=settings.max_leaves,
            max_ratio=settings.max_ratio_in_leaf,
            min_samples=settings.min_samples_leaf,
            max_features=settings.max_features,
            breadth_first=settings.growth == "depth",
            one_against_all=settings.categorical_split == "one_vs_all",
            likelihood=likelihood,
        )


class Grown(NamedTuple):
    """A tree whose leaf values are P / Q - 1, its leaves' P and Q [L] (both of the data's total weight), and the leaf
    of each pool row [S]."""

    tree: Tree
    p: NDArray[np.float64]
    q: NDArray[np.float64]
    pool_leaves: NDArray[np.int32]


class Grower:
    """Grows trees on one table of data, rows [N, D] with weights [N], against a changing model."""

    def __init__(
        self,
        rows: NDArray[np.uint8],
        weights: NDArray[np.float64],
        initial: Initial,
        config: GrowthConfig,
        workers: Workers,
    ) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._rows, self._weights, self._initial = rows, weights, initial
        self._config, self._workers = config, workers
        domain = initial.domain
        self._n_features = max(1, round(config.max_features * domain.n_columns))
        bins = int(domain.offsets[-1])
        wanted = config.max_leaves + 4 * _MOST_AT_ONCE
        affordable = max(_HISTOGRAM_BYTES // (16 * bins), 4 * _MOST_AT_ONCE)
        self._histograms = np.empty((min(wanted, affordable), 2, bins))

    def grow(self, pool: NDArray[np.uint8] | None, key: Any) -> Grown | None:
        """A tree against the model's sample ``pool`` [S, D], or against the initial model itself where that is None.

        None where the root has no admissible split.
        """
        growth = _Growth(self._tables(pool), self._scaled_rules(pool), self, key)
        growth.run()
        return growth.grown() if growth.n_leaves > 1 else None

    def _tables(self, pool: NDArray[np.uint8] | None) -> Tables:
        domain = self._initial.domain
        if pool is None:
            pool = np.empty((0, domain.n_columns), np.uint8)
        return Tables(
            data=self._rows,
            weights=self._weights,
            data_order=np.arange(len(self._rows), dtype=np.int32),
            pool=pool,
            pool_order=np.arange(len(pool), dtype=np.int32),
            masses=self._initial.masses,
            histograms=self._histograms,
            offsets=domain.offsets,
            set_index=domain.set_index,
        )

    def _scaled_rules(self, pool: NDArray[np.uint8] | None) -> Rules:
        config = self._config
        return Rules(
            scale=float(self._weights.sum()) / (1 if pool is None else len(pool)),
            max_ratio=float(config.max_ratio),
            min_samples=float(config.min_samples),
            one_against_all=config.one_against_all,
            likelihood=config.likelihood,
        )


class _Growth:
    """One tree while it grows: nodes by number, the frontier of those that may be split, the free histograms."""

    def __init__(self, tables: Tables, rules: Rules, grower: Grower, key: Any) -> None:
        self._tables, self._rules, self._grower, self._key = tables, rules, grower, key
        self._config, self._workers, self._seconds = grower._config, grower._workers, grower.seconds
        self._domain = grower._initial.domain
        self._nodes = _no_nodes(4 * self._config.max_leaves, self._domain)
        self._free = list(range(len(tables.histograms)))
        self._n_nodes = 1
        self._arrivals = 0
        self._frontier: list[tuple[float, int, int, int]] = []  # priority, depth, arrival, node
        self._expanded: set[int] = set()
        self._split: list[int] = []
        self.n_leaves = 1

    def run(self) -> None:
        self._start()
        while self._frontier and self.n_leaves < self._config.max_leaves:
            node = self._frontier[0][3]
            if node not in self._expanded:
                self._expand_most_promising()
            _, depth, _, _ = heapq.heappop(self._frontier)
            self._expanded.discard(node)
            self._split.append(node)
            self.n_leaves += 1
            for child in (int(self._nodes.left[node]), int(self._nodes.right[node])):
                self._enter(child, depth + 1)

    def grown(self) -> Grown:
        nodes, split = self._nodes, self._split
        number = {node: i for i, node in enumerate(split)}
        children = [int(child) for node in split for child in (nodes.left[node], nodes.right[node])]
        leaves = [child for child in children if child not in number]
        number |= {leaf: ~i for i, leaf in enumerate(leaves)}
        places = np.array([number[child] for child in children], np.int32).reshape(-1, 2)
        p, q = nodes.p[leaves], nodes.mass[leaves] * self._rules.scale
        tree = Tree(
            column=nodes.column[split].astype(np.int16),
            threshold=nodes.threshold[split].astype(np.int16),
            right_set=nodes.right_set[split],
            left=np.ascontiguousarray(places[:, 0]),
            right=np.ascontiguousarray(places[:, 1]),
            gain=nodes.gain[split],
            value=p / q - 1,
        )
        return Grown(tree, p, q, self._pool_leaves(leaves))

    def _pool_leaves(self, leaves: list[int]) -> NDArray[np.int32]:
        sizes = self._nodes.pool_end[leaves] - self._nodes.pool_begin[leaves]
        begins = np.argsort(self._nodes.pool_begin[leaves], kind="stable")
        out = np.empty(len(self._tables.pool), np.int32)
        out[self._tables.pool_order] = np.repeat(begins.astype(np.int32), sizes[begins])
        return out

    def _start(self) -> None:
        nodes, domain = self._nodes, self._domain
        nodes.data_begin[0], nodes.data_end[0] = 0, len(self._tables.data)
        nodes.pool_begin[0], nodes.pool_end[0] = 0, len(self._tables.pool)
        nodes.low[0], nodes.high[0], nodes.sets[0] = 0, domain.cards, full_sets(domain)
        nodes.slot[0], nodes.key[0] = self._free.pop(), stream(self._key, 0)
        before = time.perf_counter()
        count_root(0, nodes, self._tables)
        self._seconds["histograms"] += time.perf_counter() - before
        self._search(np.array([0]))
        self._enter(0, 0)

    def _enter(self, node: int, depth: int) -> None:
        """Put a node that can be split into the frontier."""
        if self._can_split(node):
            priority = 0.0 if self._config.breadth_first else -float(self._nodes.gain[node])
            heapq.heappush(self._frontier, (priority, depth, self._arrivals, node))
            self._arrivals += 1

    def _can_split(self, node: int) -> bool:
        return bool(self._nodes.gain[node] >= max(self._config.min_gain, 0.0))

    def _expand_most_promising(self) -> None:
        count = min(_MOST_AT_ONCE, self._config.max_leaves - self.n_leaves)
        promising = [entry[3] for entry in heapq.nsmallest(count, self._frontier)]
        batch = [node for node in promising if node not in self._expanded]
        for node in batch:
            for side, children in enumerate((self._nodes.left, self._nodes.right)):
                child = children[node] = self._n_nodes
                self._nodes.slot[child] = self._free.pop()
                self._nodes.key[child] = stream(self._nodes.key[node], side)
                self._n_nodes += 1
        self._on_threads(batch)
        for node in batch:
            self._release(node)
            self._keep_histograms(int(self._nodes.left[node]))
            self._keep_histograms(int(self._nodes.right[node]))
        self._expanded.update(batch)

    def _keep_histograms(self, node: int) -> None:
        """Only where they will be used, and enough room remains for the next nodes."""
        if not self._can_split(node) or len(self._free) < 2 * _MOST_AT_ONCE:
            self._release(node)

    def _release(self, node: int) -> None:
        if (slot := int(self._nodes.slot[node])) >= 0:
            self._free.append(slot)
            self._nodes.slot[node] = -1

    def _on_threads(self, batch: list[int]) -> None:
        parts = [np.array(batch[i :: self._workers.count]) for i in range(min(self._workers.count, len(batch)))]
        for histograms_s, search_s in self._workers.map(self._expand_and_search, parts):
            self._seconds["histograms"] += histograms_s / len(parts)
            self._seconds["split"] += search_s / len(parts)

    def _expand_and_search(self, batch: NDArray[np.int64]) -> tuple[float, float]:
        before = time.perf_counter()
        expand(batch, self._nodes, self._tables)
        between = time.perf_counter()
        self._search_nodes(np.concatenate((self._nodes.left[batch], self._nodes.right[batch])))
        return between - before, time.perf_counter() - between

    def _search(self, batch: NDArray[np.int64]) -> None:
        before = time.perf_counter()
        self._search_nodes(batch)
        self._seconds["split"] += time.perf_counter() - before

    def _search_nodes(self, batch: NDArray[np.int64]) -> None:
        search(batch, self._nodes, self._tables, self._rules, self._grower._n_features)


def _no_nodes(count: int, domain: Domain) -> Nodes:
    n_columns, n_sets = domain.n_columns, sum(domain.categorical)
    numbers = {name: np.zeros(count, np.int64) for name in Nodes._fields}
    return Nodes(
        **numbers
        | {
            "slot": np.full(count, -1),
            "p": np.zeros(count),
            "mass": np.zeros(count),
            "gain": np.full(count, -1.0),
            "low": np.zeros((count, n_columns), np.int16),
            "high": np.zeros((count, n_columns), np.int16),
            "sets": np.zeros((count, n_sets, SET_WORDS), np.uint64),
            "right_set": np.zeros((count, SET_WORDS), np.uint64),
            "key": np.zeros(count, np.uint64),
        }
    )
