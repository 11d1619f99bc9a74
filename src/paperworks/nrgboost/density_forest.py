"""Density trees and forests, the paper's baseline: histograms on adaptive boxes (section 2.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .bits import lowest_bit
from .checks import checked_weights, require, require_one_of
from .compiled import compiled, inner
from .domain import Domain
from .growth import Grower, GrowthConfig
from .initial import uniform_initial
from .leaf_masks import LeafMasks
from .split_search import in_set
from .streams import following, stream, stream_key, uniform
from .survivors import admits, leaves_left
from .threads import Workers, blocks
from .tree import Tree, add_values, boxes, single_leaf, trees_from_arrays, trees_to_arrays

__all__ = ["ForestConfig", "ForestModel", "fit_forest"]

_ROWS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestConfig:
    """``criterion``: what a split raises, the likelihood (KL) or the negative Brier score (ISE). Each tree sees a
    bootstrap sample of ``bagging_fraction`` times the rows (None: the rows themselves).

    Raises ValueError for a setting out of its range.
    """

    n_trees: int = 100
    max_leaves: int = 32
    criterion: Literal["likelihood", "brier"] = "likelihood"
    bagging_fraction: float | None = 1.0
    max_features: float = 1.0
    max_ratio_in_leaf: float = np.inf
    min_samples_leaf: float = 0.0
    growth: Literal["best", "depth"] = "best"
    categorical_split: Literal["many", "one_vs_all"] = "many"

    def __post_init__(self) -> None:
        require("n_trees", self.n_trees, 1, np.inf)
        require("max_leaves", self.max_leaves, 2, 1 << 15)
        require_one_of("criterion", self.criterion, ("likelihood", "brier"))
        if self.bagging_fraction is not None:
            require("bagging_fraction", self.bagging_fraction, 0, np.inf, low_open=True)
        require("max_features", self.max_features, 0, 1, low_open=True)
        require("max_ratio_in_leaf", self.max_ratio_in_leaf, 1, np.inf, low_open=True)
        require("min_samples_leaf", self.min_samples_leaf, 0, np.inf)
        require_one_of("growth", self.growth, ("best", "depth"))
        require_one_of("categorical_split", self.categorical_split, ("many", "one_vs_all"))


class ForestModel:
    """The mean of density trees, each constant on its leaves' boxes. Rows are uint8 [N, D].

    A tree's leaf value is P_j / Q_j, its density against the uniform distribution on the domain.
    """

    def __init__(self, domain: Domain, trees: Sequence[Tree]) -> None:
        self.domain = domain
        self.trees = tuple(trees)
        self._masks = LeafMasks(
            domain, np.zeros(int(domain.offsets[-1])), len(self.trees), max(tree.n_leaves for tree in self.trees)
        )
        self._masks.add(self.trees)
        self._log_uniform = -float(np.log(domain.cards).sum())

    def log_density(self, rows: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Log probability of each row's cell of the domain, [N]; -inf where every tree has an empty leaf."""
        rows = self.domain.rows(rows)
        ratios = np.zeros(len(rows))
        for tree in self.trees:
            add_values(tree, rows, ratios)
        with np.errstate(divide="ignore"):
            return np.log(ratios / len(self.trees)) + self._log_uniform

    def conditional_logits(self, rows: NDArray[np.uint8], column: int, n_threads: int = 1) -> NDArray[np.float64]:
        """Log mass of each bin of ``column`` given the row's other cells, up to a constant a row, [N, card]."""
        rows = self.domain.rows(rows)
        ratios = np.zeros((len(rows), self.domain.cards[column]))

        def fill(block: slice) -> None:
            _add_ratios(rows[block], column, self._masks.tables, ratios[block])

        with Workers(n_threads) as workers:
            workers.map(fill, blocks(len(rows), _ROWS_AT_ONCE))
        with np.errstate(divide="ignore"):
            return np.log(ratios)

    def sample(self, n: int, seed: int) -> NDArray[np.uint8]:
        """``n`` exact draws, [n, D]: a tree, a leaf of it by mass, and a uniform cell of its box."""
        rows = np.empty((n, self.domain.n_columns), np.uint8)
        key = stream_key(seed)
        which = np.random.default_rng(stream_key(seed, 1)).integers(len(self.trees), size=n)
        for number, tree in enumerate(self.trees):
            box = boxes(tree, self.domain)
            cumulated = np.cumsum(tree.value * _volumes(box, self.domain))
            _draw(np.flatnonzero(which == number), box, cumulated, self.domain.set_index, key, rows)
        return rows

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The forest as plain arrays, for `from_arrays`."""
        return {
            "cards": np.array(self.domain.cards, np.int16),
            "categorical": np.array(self.domain.categorical),
            **trees_to_arrays(self.trees),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> ForestModel:
        """The forest that `to_arrays` described. Raises KeyError for an absent array, ValueError for a wrong one."""
        domain = Domain(tuple(arrays["cards"].tolist()), tuple(arrays["categorical"].tolist()))
        return cls(domain, trees_from_arrays(arrays))


def fit_forest(
    rows: NDArray[np.uint8],
    domain: Domain,
    config: ForestConfig,
    *,
    weights: NDArray[np.float64] | None = None,
    seed: int,
    n_threads: int = 1,
) -> ForestModel:
    """Fit a density forest to ``rows`` [N, D] with ``weights`` [N]; the same for any ``n_threads``.

    Raises ValueError as `boosting.boost` does.
    """
    rows = domain.rows(rows)
    weights = checked_weights(weights, len(rows))
    with Workers(n_threads) as workers:
        trees = workers.map(
            lambda number: _fit_tree(rows, weights, domain, config, stream_key(seed, number)), range(config.n_trees)
        )
    return ForestModel(domain, trees)


def _fit_tree(
    rows: NDArray[np.uint8], weights: NDArray[np.float64], domain: Domain, config: ForestConfig, key: Any
) -> Tree:
    if config.bagging_fraction is not None:
        count = max(1, round(config.bagging_fraction * len(rows)))
        chosen = np.random.default_rng(key).choice(len(rows), count, p=weights / weights.sum())
        weights = np.bincount(chosen, minlength=len(rows)).astype(np.float64)
    present = weights > 0
    growth = GrowthConfig.of(config, likelihood=config.criterion == "likelihood")
    table = np.ascontiguousarray(rows[present])
    grown = Grower(table, weights[present], uniform_initial(domain), growth, Workers(1)).grow(None, key)
    return single_leaf(1.0) if grown is None else grown.tree._replace(value=grown.tree.value + 1)


def _volumes(box: Any, domain: Domain) -> NDArray[np.float64]:
    """[L]: the share of the domain in each leaf's box."""
    sizes = (box.high - box.low).astype(np.float64)
    counts = np.bitwise_count(box.sets).sum(-1)
    sizes[:, np.array(domain.categorical)] = counts
    return np.asarray(np.prod(sizes / np.array(domain.cards), 1))


@compiled
def _add_ratios(rows: Any, column: Any, tables: Any, out: Any) -> None:
    """Add each surviving leaf's value to all it admits; differences would lose what is many powers of ten smaller."""
    n_trees = tables.values.shape[0] // (64 * tables.words)
    left = np.empty(n_trees * tables.words, np.uint64)
    for i in range(rows.shape[0]):
        leaves_left(rows[i], column, 0, n_trees, tables, left)
        for place in range(left.shape[0]):
            leaves = left[place]
            while leaves != 0:
                leaf = lowest_bit(leaves)
                leaves &= leaves - np.uint64(1)
                for value in range(out.shape[1]):
                    if admits(column, value, place // tables.words, place % tables.words, leaf, tables):
                        out[i, value] += tables.values[64 * place + leaf]


@compiled
def _draw(numbers: Any, box: Any, cumulated: Any, set_index: Any, key: Any, rows: Any) -> None:
    """Fill the rows ``numbers`` from one tree; row i draws from stream i."""
    for i in numbers:
        state = stream(key, i)
        leaf = min(np.searchsorted(cumulated, uniform(state) * cumulated[-1], "right"), cumulated.shape[0] - 1)
        for column in range(rows.shape[1]):
            state = following(state)
            index = set_index[column]
            if index < 0:
                low, high = box.low[leaf, column], box.high[leaf, column]
                rows[i, column] = low + int(uniform(state) * (high - low))
            else:
                rows[i, column] = _member(box.sets[leaf, index], uniform(state))


@inner
def _member(members: Any, place: Any) -> Any:
    """The member of the set at ``place`` in [0, 1) of them all."""
    size = 0
    for value in range(256):
        size += in_set(members, value)
    wanted = int(place * size)
    for value in range(256):
        if in_set(members, value):
            if wanted == 0:
                return value
            wanted -= 1
    return 0
