"""The layout of a fill-in-the-middle sequence, and the fraction of the middle still to come at each of its tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .schemes import FIMScheme, Mode

__all__ = ["OUTSIDE", "Ids", "Parts", "before_middle", "fim_transform", "horizon_targets", "outer_trimmed"]

Ids = np.ndarray[tuple[int], np.dtype[np.int64]]
Targets = np.ndarray[tuple[int], np.dtype[np.float32]]

OUTSIDE = -1.0
"""The target of a token that is not of the middle."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The ids of a document's three parts."""

    prefix: Ids
    middle: Ids
    suffix: Ids


def horizon_targets(middle: int) -> Targets:
    """y_t = (M - t) / M for t = 1..M [M]: 0 at the last token."""
    return (np.arange(middle - 1, -1, -1) / max(middle, 1)).astype(np.float32)


def fim_transform(prefix: Any, middle: Any, suffix: Any, scheme: FIMScheme, mode: Mode) -> tuple[Ids, Targets]:
    """Lay out three parts (sequences of ids) as ``mode`` has them: ids [N] and horizon targets [N], -1 off the middle.

    Mode ``spmv2`` reads prefix and middle as one text: give it the tokens of that text, parted at the first that
    is not wholly of the prefix. Raises ValueError for an order that the scheme's models do not know.
    """
    scheme.require(mode)
    middle = np.asarray(middle, dtype=np.int64)
    before = [np.asarray(part, dtype=np.int64) for part in before_middle(prefix, suffix, scheme, mode)]
    ids = np.concatenate([*before, middle, [scheme.end]])
    targets = np.full(len(ids), OUTSIDE, dtype=np.float32)
    targets[len(ids) - 1 - len(middle) : len(ids) - 1] = horizon_targets(len(middle))
    return ids, targets


def before_middle(prefix: Any, suffix: Any, scheme: FIMScheme, mode: Mode) -> list[Any]:
    """The runs of ids before the first token of the middle: a prompt, once they are joined."""
    start = [] if scheme.bos is None else [scheme.bos]
    mark = [] if scheme.middle is None else [scheme.middle]
    if mode == "psm":
        return [[*start, scheme.prefix], prefix, [scheme.suffix], suffix, mark]
    if mode == "spm":
        return [[*start, scheme.suffix], suffix, [scheme.prefix], prefix, mark]
    return [[*start, scheme.prefix, scheme.suffix], suffix, mark, prefix]


def outer_trimmed(prefix: Ids, suffix: Ids, room: int) -> tuple[Ids, Ids]:
    """Prefix and suffix without the outer ends that do not fit into ``room`` tokens; half for each, if both need it."""
    if len(prefix) + len(suffix) <= room:
        return prefix, suffix
    kept = max(room - len(suffix), min(len(prefix), room // 2))
    return prefix[len(prefix) - kept :], suffix[: room - kept]
