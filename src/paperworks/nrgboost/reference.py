"""Section 2, line by line and as slow as it comes: what the fast versions are held against in tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .domain import Domain
from .growth import GrowthConfig
from .initial import Initial
from .model import EnergyModel
from .tree import Tree

__all__ = [
    "Leaf",
    "best_split",
    "cells",
    "conditional_logits",
    "energy",
    "grid_step",
    "grow",
    "prefixes",
    "probabilities",
    "split_gain",
    "subsets",
    "thresholds",
    "walked_logits",
]


def cells(domain: Domain) -> NDArray[np.uint8]:
    """Every row of the domain, [product of the cards, D], the last column running fastest."""
    places = np.unravel_index(np.arange(int(np.prod(domain.cards))), domain.cards)
    return np.stack(places, -1).astype(np.uint8)


def energy(model: EnergyModel, rows: NDArray[np.uint8]) -> NDArray[np.float64]:
    """f(x) = f_0(x) + sum_t tree_t(x) (2.1), by walking every tree from its root."""
    out = [
        sum(np.log(model.initial.of(column)[value]) for column, value in enumerate(row))
        + sum(tree.value[_walk(tree, row)] for tree in model.trees)
        for row in rows
    ]
    return np.array(out, np.float64)


def probabilities(model: EnergyModel) -> NDArray[np.float64]:
    """q_f(x) = exp f(x) / Z of every cell of the domain (2.1), in the order of `cells`."""
    weights = np.exp(energy(model, cells(model.domain)))
    return np.asarray(weights / weights.sum())


def conditional_logits(model: EnergyModel, row: NDArray[np.uint8], column: int) -> NDArray[np.float64]:
    """The energies of ``row`` with its cell replaced by each value of ``column`` (2.5), [card]."""
    replaced = np.tile(row, (model.domain.cards[column], 1))
    replaced[:, column] = np.arange(len(replaced))
    return energy(model, replaced)


def walked_logits(model: EnergyModel, row: NDArray[np.uint8], column: int) -> NDArray[np.float64]:
    """As `conditional_logits`, without the part of f_0 that the other cells have: each tree is walked once, both ways
    where it splits on ``column`` (the official method)."""
    out = np.log(model.initial.of(column))
    for tree in model.trees:
        for leaf, values in _reached(tree, row, column, np.arange(len(out)), 0 if len(tree.column) else -1):
            out[values] += tree.value[leaf]
    return out


def best_split(
    counts: NDArray[np.float64],
    masses: NDArray[np.float64],
    available: NDArray[np.int64],
    candidates: Iterable[NDArray[np.int64]],
    config: GrowthConfig,
) -> tuple[float, frozenset[int]]:
    """(gain, values that go right) of the best admissible one of ``candidates``, each the values that would go right.

    ``counts`` and ``masses`` [card] are P and Q of each value, ``available`` the node's own values. A gain of -1 and no
    values where none is admissible. Of equal gains the first.
    """
    best, chosen = -1.0, frozenset[int]()
    for right in candidates:
        gain = split_gain(counts, masses, np.setdiff1d(available, right), right, config)
        if gain > best:
            best, chosen = gain, frozenset(map(int, right))
    return best, chosen


def thresholds(available: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Right sides of an ordered column: x >= v for every v (2.2)."""
    return [available[i:] for i in range(1, len(available))]


def prefixes(counts: Any, masses: Any, available: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Right sides of a categorical column: its categories by P / Q, the lowest ones (2.2)."""
    ratios = [counts[value] / masses[value] if masses[value] > 0 else np.inf for value in available]
    order = available[np.argsort(ratios, kind="stable")]
    return [order[:i] for i in range(1, len(order))]


def subsets(available: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Every right side that leaves something for the left one."""
    return [np.array(right) for size in range(1, len(available)) for right in combinations(available, size)]


def split_gain(counts: Any, masses: Any, left: Any, right: Any, config: GrowthConfig) -> float:
    """G of a split (2.1), never below 0; -1 where a side is not admissible (2.2)."""
    sides = [(float(counts[side].sum()), float(masses[side].sum())) for side in (left, right)]
    for p, q in sides:
        if q <= 0 or p > config.max_ratio * q or p < config.min_samples:
            return -1.0
    whole = sides[0][0] + sides[1][0], sides[0][1] + sides[1][1]
    return max(sum(_score(p, q, config) for p, q in sides) - _score(*whole, config), 0.0)


def grid_step(p: NDArray[np.float64], q: NDArray[np.float64], value: NDArray[np.float64]) -> float:
    """The official line search (2.2): the best of 101 steps from 0.001 to 10."""
    steps = np.logspace(-3, 1, 101)
    return float(steps[np.argmax([step * (p @ value) - np.log(q @ np.exp(step * value)) for step in steps])])


@dataclass(slots=True)
class Leaf:
    """A box of the domain, as the values that each column may take there, and its P and Q."""

    box: list[NDArray[np.int64]]
    p: float
    q: float
    depth: int = 0
    gain: float = -1.0
    split: tuple[int, frozenset[int]] = (-1, frozenset())


def grow(
    rows: NDArray[np.uint8],
    weights: NDArray[np.float64],
    pool: NDArray[np.uint8] | None,
    initial: Initial,
    config: GrowthConfig,
) -> list[Leaf]:
    """The leaves of one tree (2.2): repeatedly the leaf with the largest gain is split, the shallower of equal ones.

    Without ``pool``, Q is the exact mass of ``initial``. The leaf's value is P / Q - 1.
    """
    total = float(weights.sum())
    data = (rows, weights)
    model = None if pool is None else (pool, np.full(len(pool), total / len(pool)))
    leaves = [_leaf([np.arange(card) for card in initial.domain.cards], 0, data, model, initial, total, config)]
    while len(leaves) < config.max_leaves:
        order = sorted(range(len(leaves)), key=lambda i: _urgency(leaves[i], i, config))
        chosen = next((i for i in order if leaves[i].gain >= 0), None)
        if chosen is None:
            break
        parent = leaves.pop(chosen)
        column, right = parent.split
        for goes_right in (False, True):
            box = list(parent.box)
            box[column] = np.array([value for value in box[column] if (value in right) == goes_right])
            leaves.append(_leaf(box, parent.depth + 1, data, model, initial, total, config))
    return leaves


def _urgency(leaf: Leaf, arrival: int, config: GrowthConfig) -> Any:
    return (leaf.depth, arrival) if config.breadth_first else (-leaf.gain, leaf.depth, arrival)


def _leaf(
    box: list[NDArray[np.int64]],
    depth: int,
    data: Any,
    model: Any,
    initial: Initial,
    total: float,
    config: GrowthConfig,
) -> Leaf:
    counts = _histograms(box, *data)
    masses = _exact_histograms(box, initial, total) if model is None else _histograms(box, *model)
    leaf = Leaf(box, float(counts[0].sum()), float(masses[0].sum()), depth)
    if leaf.p <= 0:
        return leaf
    for column, ordered in enumerate(not kind for kind in initial.domain.categorical):
        candidates = _candidates(counts[column], masses[column], box[column], ordered, config)
        gain, right = best_split(counts[column], masses[column], box[column], candidates, config)
        if gain > leaf.gain:
            leaf.gain, leaf.split = gain, (column, right)
    return leaf


def _histograms(
    box: list[NDArray[np.int64]], rows: NDArray[np.uint8], weights: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    inside = np.all([np.isin(rows[:, column], values) for column, values in enumerate(box)], axis=0)
    return [np.bincount(rows[inside, d], weights[inside], minlength=256).astype(float) for d in range(len(box))]


def _exact_histograms(box: list[NDArray[np.int64]], initial: Initial, total: float) -> list[NDArray[np.float64]]:
    inside = [initial.of(column)[values].sum() for column, values in enumerate(box)]
    out = []
    for column, values in enumerate(box):
        histogram = np.zeros(256)
        others = np.prod([mass for other, mass in enumerate(inside) if other != column])
        histogram[values] = total * others * initial.of(column)[values]
        out.append(histogram)
    return out


def _candidates(
    counts: Any, masses: Any, available: NDArray[np.int64], ordered: bool, config: GrowthConfig
) -> list[NDArray[np.int64]]:
    if ordered:
        return thresholds(available)
    return list(available[:, None]) if config.one_against_all else prefixes(counts, masses, available)


def _score(p: float, q: float, config: GrowthConfig) -> float:
    if config.likelihood:
        return p * np.log(p / q) if p > 0 else 0.0
    return p * p / q


def _goes_right(tree: Tree, node: int, value: int) -> bool:
    if tree.threshold[node] >= 0:
        return bool(value >= tree.threshold[node])
    return bool(int(tree.right_set[node, value // 64]) >> (value % 64) & 1)


def _walk(tree: Tree, row: NDArray[np.uint8]) -> int:
    node = 0 if len(tree.column) else -1
    while node >= 0:
        side = tree.right if _goes_right(tree, node, int(row[tree.column[node]])) else tree.left
        node = int(side[node])
    return ~node


def _reached(
    tree: Tree, row: NDArray[np.uint8], column: int, values: NDArray[np.int64], node: int
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """The leaves reached from ``node`` when ``column`` takes each of ``values``, with those values."""
    if node < 0:
        yield ~node, values
        return
    if tree.column[node] != column:
        side = tree.right if _goes_right(tree, node, int(row[tree.column[node]])) else tree.left
        yield from _reached(tree, row, column, values, int(side[node]))
        return
    right = np.array([_goes_right(tree, node, int(value)) for value in values], bool)
    yield from _reached(tree, row, column, values[~right], int(tree.left[node]))
    yield from _reached(tree, row, column, values[right], int(tree.right[node]))
