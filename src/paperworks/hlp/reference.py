"""Fill-in-the-middle and the horizon loss in plain words.

Slow, and what the fast paths are tested against.
"""

from __future__ import annotations

from collections.abc import Sequence

from .documents import TextEncoder
from .schemes import FIMScheme, Mode

__all__ = ["horizon_loss", "sequence"]


def sequence(
    encoder: TextEncoder, scheme: FIMScheme, text: str, cut: tuple[int, int], mode: Mode
) -> tuple[list[int], list[float]]:
    """The ids and horizon targets of ``text`` with ``text[start:end]`` for a middle; every part is encoded whole."""
    start, end = cut
    suffix = list(encoder.encode(text[end:]))
    if mode == "spmv2":
        ids, _, ends, _ = encoder.spans(text[:end])
        prefix = [token for token, stop in zip(ids, ends, strict=True) if stop <= start]
        middle = list(ids[len(prefix) :])
    else:
        prefix, middle = list(encoder.encode(text[:start])), list(encoder.encode(text[start:end]))
    mark = [] if scheme.middle is None else [scheme.middle]
    before = {
        "psm": [scheme.prefix, *prefix, scheme.suffix, *suffix, *mark],
        "spm": [scheme.suffix, *suffix, scheme.prefix, *prefix, *mark],
        "spmv2": [scheme.prefix, scheme.suffix, *suffix, *mark, *prefix],
    }[mode]
    if scheme.bos is not None:
        before = [scheme.bos, *before]
    count = len(middle)
    targets = [(count - t) / count for t in range(1, count + 1)]
    return [*before, *middle, scheme.end], [-1.0] * len(before) + targets + [-1.0]


def horizon_loss(predictions: Sequence[float], targets: Sequence[float]) -> float:
    """The mean of |prediction - target| over the tokens of the middle."""
    errors = [abs(p - y) for p, y in zip(predictions, targets, strict=True) if y >= 0]
    return sum(errors) / len(errors)
