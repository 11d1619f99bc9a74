"""The amortised sample of the model: rejection keeps most of it, Gibbs sampling replaces the rest (section 2.4)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled
from .initial import Initial
from .streams import stream, uniform
from .tree import Tree

__all__ = ["accepted", "first_pool"]

_BLOCK = 1 << 14


def accepted(tree: Tree, leaves: NDArray[np.int32], share: float, key: Any, first: int = 0) -> NDArray[np.bool_]:
    """Which rows stay, [S]: row i in leaf l with probability ``share * exp(v_l - max v)``, by stream ``first + i``.

    Those that stay of rows from q_t are rows from q_{t+1}, exactly: q_{t+1} / q_t is proportional to exp v.
    """
    chances = share * np.exp(tree.value - tree.value.max())
    out = np.empty(len(leaves), np.bool_)
    _accept(chances, leaves, key, first, out)
    return out


def first_pool(initial: Initial, tree: Tree, size: int, keys: tuple[Any, Any]) -> NDArray[np.uint8]:
    """``size`` exact draws from f_0 and one tree: draws from f_0, of which `accepted` ones stay."""
    parts: list[NDArray[np.uint8]] = []
    have = drawn = 0
    while have < size:
        rows = initial.sample(_BLOCK, keys[0], drawn)
        parts.append(rows[accepted(tree, tree.leaves(rows), 1.0, keys[1], drawn)])
        have += len(parts[-1])
        drawn += _BLOCK
    return np.concatenate(parts)[:size]


@compiled
def _accept(chances: Any, leaves: Any, key: Any, first: Any, out: Any) -> None:
    for i in range(leaves.shape[0]):
        out[i] = uniform(stream(key, first + i)) < chances[leaves[i]]
