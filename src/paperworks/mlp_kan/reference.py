"""The plain version, number by number, that the fast code is tested against."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["bspline", "switch", "top_k_weights"]


def bspline(x: float, knots: Sequence[float], index: int, order: int) -> float:
    """Basis function ``index`` at ``x`` by the Cox-de Boor recursion, with 0/0 = 0."""
    if order == 0:
        return float(knots[index] <= x < knots[index + 1])
    left = knots[index + order] - knots[index]
    right = knots[index + order + 1] - knots[index + 1]
    value = 0.0
    if left:
        value += (x - knots[index]) / left * bspline(x, knots, index, order - 1)
    if right:
        value += (knots[index + order + 1] - x) / right * bspline(x, knots, index + 1, order - 1)
    return value


def switch(x: float, centre: float, width: float = 0.33) -> float:
    """The reflectional switch function of FasterKAN, 1 - tanh²((x - centre) / width)."""
    return 1 - math.tanh((x - centre) / width) ** 2


def top_k_weights(logits: Sequence[float], k: int) -> list[float]:
    """The router's weights of one token: softmax, the k largest kept and scaled to the sum 1 (Appendix A)."""
    exponentials = [math.exp(logit - max(logits)) for logit in logits]
    kept = sorted(range(len(logits)), key=lambda expert: -logits[expert])[:k]
    total = sum(exponentials[expert] for expert in kept)
    return [exponentials[expert] / total if expert in kept else 0.0 for expert in range(len(logits))]
