"""The best admissible split of a node, from its two histograms (sections 2.1 and 2.2)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .compiled import compiled, inner

__all__ = ["SET_WORDS", "Rules", "in_set", "search_column"]

SET_WORDS = 4
"""64-bit words of a set of categories."""

_NO_MASS = 1e-12  # of the node's mass


class Rules(NamedTuple):
    """What makes a split good and admissible; plain numbers, since kernels receive it.

    A child needs Q > 0, P <= ``max_ratio`` * Q and P >= ``min_samples``. The gain is that of sum P^2 / Q, or with
    ``likelihood`` that of sum P log(P / Q). ``one_against_all``: a categorical split takes one category out.
    Q is a sum of model masses times ``scale``, so that histograms of a pool can be whole numbers.
    """

    scale: float
    max_ratio: float
    min_samples: float
    one_against_all: bool
    likelihood: bool


@inner
def in_set(members: Any, value: Any) -> Any:
    """Whether ``value`` (0..255) is in the set of `SET_WORDS` words."""
    return (members[value >> 6] >> np.uint64(value & 63)) & np.uint64(1) != 0


@inner
def _score(p: Any, q: Any, likelihood: Any) -> Any:
    if likelihood:
        return p * np.log(p / q) if p > 0 else 0.0
    return p * p / q


@inner
def _admissible(p: Any, q: Any, rules: Any) -> Any:
    return p <= rules.max_ratio * q and p >= rules.min_samples


@inner
def _gain(p_left: Any, mass_left: Any, p: Any, mass: Any, rules: Any) -> Any:
    """G of splitting off (p_left, mass_left) from (p, mass); -1 where a child is not admissible.

    A difference of sums that ought to be 0 may have been rounded to something tiny: a mass of that size is none, and
    a gain below 0 is 0 (it is never negative, by Cauchy and Schwarz).
    """
    p_right, mass_right = max(p - p_left, 0.0), mass - mass_left
    if min(mass_left, mass_right) <= _NO_MASS * mass:
        return -1.0
    q_left, q_right, q = mass_left * rules.scale, mass_right * rules.scale, mass * rules.scale
    if not (_admissible(p_left, q_left, rules) and _admissible(p_right, q_right, rules)):
        return -1.0
    parts = _score(p_left, q_left, rules.likelihood) + _score(p_right, q_right, rules.likelihood)
    return max(parts - _score(p, q, rules.likelihood), 0.0)


@compiled
def search_column(counts: Any, masses: Any, low: Any, high: Any, members: Any, ordered: Any, rules: Any) -> Any:
    """(gain, threshold) of the best split on one column; gain -1 where none is admissible.

    ``counts`` and ``masses``, [card], are the node's data and model histograms. An ordered column's node spans the
    bins ``low`` to ``high`` (exclusive), and x >= threshold goes right. A categorical column's node has the categories
    ``members``, which becomes the set that goes right. Of equal gains the first is taken.
    """
    if ordered:
        return _search_thresholds(counts, masses, low, high, rules)
    if rules.one_against_all:
        return _search_single(counts, masses, members, rules)
    return _search_prefixes(counts, masses, members, rules)


@inner
def _search_thresholds(counts: Any, masses: Any, low: Any, high: Any, rules: Any) -> Any:
    p = mass = 0.0
    for value in range(low, high):
        p += counts[value]
        mass += masses[value]
    best, threshold = -1.0, -1
    p_left = mass_left = 0.0
    for value in range(low, high - 1):
        if counts[value] == 0 and masses[value] == 0:
            continue  # the same split as the one before
        p_left += counts[value]
        mass_left += masses[value]
        gain = _gain(p_left, mass_left, p, mass, rules)
        if gain > best:
            best, threshold = gain, value + 1
    return best, threshold


@inner
def _search_single(counts: Any, masses: Any, members: Any, rules: Any) -> Any:
    p, mass = _totals(counts, masses, members)
    best, chosen = -1.0, -1
    for value in range(counts.shape[0]):
        if in_set(members, value):
            gain = _gain(counts[value], masses[value], p, mass, rules)
            if gain > best:
                best, chosen = gain, value
    if chosen >= 0:
        members[:] = np.uint64(0)
        members[chosen >> 6] |= np.uint64(1) << np.uint64(chosen & 63)
    return best, -1


@inner
def _search_prefixes(counts: Any, masses: Any, members: Any, rules: Any) -> Any:
    """Categories by P / Q; a prefix, the lowest ratios, goes right. Optimal, since G is convex in (P, Q)."""
    p, mass = _totals(counts, masses, members)
    order = _by_ratio(counts, masses, members)
    best, chosen = -1.0, -1
    p_part = mass_part = 0.0
    for place in range(order.shape[0] - 1):
        p_part += counts[order[place]]
        mass_part += masses[order[place]]
        gain = _gain(p_part, mass_part, p, mass, rules)
        if gain > best:
            best, chosen = gain, place
    if chosen >= 0:
        members[:] = np.uint64(0)
        for place in range(chosen + 1):
            value = order[place]
            members[value >> 6] |= np.uint64(1) << np.uint64(value & 63)
    return best, -1


@inner
def _totals(counts: Any, masses: Any, members: Any) -> Any:
    p = mass = 0.0
    for value in range(counts.shape[0]):
        if in_set(members, value):
            p += counts[value]
            mass += masses[value]
    return p, mass


@inner
def _by_ratio(counts: Any, masses: Any, members: Any) -> Any:
    """The set's categories by P / Q, lower code first where equal; those without model mass last."""
    order = np.empty(counts.shape[0], np.int64)
    ratios = np.empty(counts.shape[0], np.float64)
    size = 0
    for value in range(counts.shape[0]):
        if not in_set(members, value):
            continue
        ratio = counts[value] / masses[value] if masses[value] > 0 else np.inf
        place = size
        while place > 0 and ratios[place - 1] > ratio:
            ratios[place], order[place] = ratios[place - 1], order[place - 1]
            place -= 1
        ratios[place], order[place] = ratio, value
        size += 1
    return order[:size]
