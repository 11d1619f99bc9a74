"""Context pruning (Section 3): which tokens are still stored at each query.

Each query adds itself to what is stored. If that is more than the budget, the token with the largest penalty goes: the
oldest of equals, never a protected one, never the query itself. What has gone does not return.

Shapes: B batch, N queries, M keys, of which the last N are those of the queries.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .config import check_budget
from .layout import Layout, causal

__all__ = ["kept", "prune_mask", "survivors"]


def prune_mask(penalty: Tensor, budget: int, protect: int = 1) -> Tensor:
    """Which keys are there for each query when at most ``budget`` are kept from one query to the next.

    ``penalty`` [B, N, N] is F of unpadded sequences. Returns a boolean [B, N, N]: query i sees at most ``budget``
    stored keys and itself. Raises ValueError for a budget below ``protect`` + 2.
    """
    check_budget(budget, protect)
    length = penalty.shape[-1]
    layout = causal(length, length, device=penalty.device, protect=protect)
    alive, _ = survivors(penalty, penalty[:, -1], layout, budget)
    return alive


def survivors(penalty: Tensor, after: Tensor, layout: Layout, budget: int | None) -> tuple[Tensor, Tensor]:
    """Which keys each query finds stored, itself included, and which are left for the next query.

    ``penalty`` [B, N, M] is F at each query and ``after`` [B, M] what follows the last one. Keys before those of the
    queries are stored unless they are padding; with a window, a key that no later query can see is let go first.
    Returns booleans [B, N, M] and [B, M].
    """
    batch, queries, keys = penalty.shape
    next_penalty = torch.cat([penalty[:, 1:], after[:, None]], dim=1).detach()
    stored = (layout.key_pos >= 0).expand(batch, keys).clone()
    stored[:, keys - queries :] = False
    alive = torch.zeros_like(penalty, dtype=torch.bool)
    for query in range(queries):
        own = keys - queries + query
        stored[:, own] = layout.key_pos[:, own] >= 0
        alive[:, query] = stored
        stored = kept(stored, next_penalty[:, query], layout, budget, query)
    return alive, stored


def kept(stored: Tensor, after: Tensor, layout: Layout, budget: int | None, query: int) -> Tensor:
    """What of ``stored`` [B, M] is left after ``query`` has voted; ``after`` [B, M] is the penalty that follows.

    ``stored`` holds the query's own key and at most ``budget`` others.
    """
    position = layout.query_pos[:, query, None]
    if layout.window is not None:
        stored = stored & ((layout.key_pos > position + 1 - layout.window) | (position < 0))
    if budget is None:
        return stored
    loose = stored & (layout.key_pos >= layout.protect) & (layout.key_pos < position)
    worst = after.masked_fill(~loose, -1.0).argmax(-1, keepdim=True)  # of equals the first, which is the oldest
    over = stored.sum(-1, keepdim=True) > budget
    return stored & ~torch.zeros_like(stored).scatter(1, worst, over & loose.gather(1, worst))
