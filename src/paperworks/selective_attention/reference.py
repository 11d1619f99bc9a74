"""Selective attention as the paper's Section 2 and its sketch define it: every matrix whole, nothing clever.

The fast paths are tested against `attention`, and that against `sketch`, which follows the figure word by word.
Shapes: B batch, H query heads, H_kv key/value heads, N queries, M keys, D head width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from paperworks.lab.attention import repeat_kv

from .layout import Layout


def sketch(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The paper's sketch for one unpadded sequence: query, key, value [B, H, N, D]; returns [B, H, N, D]."""
    length = query.shape[-2]
    logits = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
    causal = torch.ones(length, length, dtype=torch.bool, device=query.device).tril()
    logits = logits.masked_fill(~causal, float("-inf"))
    selection = torch.relu(logits[:, 0])  # head 0
    selection = selection * (torch.arange(length, device=query.device) > 0)  # never the first token
    selection = selection * (1 - torch.eye(length, dtype=selection.dtype, device=query.device))  # never oneself
    selection = torch.roll(selection, 1, dims=-2)  # a vote counts from the next query on
    selection = selection * (torch.arange(length, device=query.device) > 0)[:, None]
    penalty = torch.cumsum(selection, dim=-2)  # over the queries that have voted
    return torch.softmax(logits - penalty[:, None], dim=-1) @ value


def selection(logits: Tensor, layout: Layout, before: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The penalty on every key at every query, and after the last one (Section 2, steps 2 to 5).

    ``logits`` [B, N, M] are those of the selector head, scaled, without any penalty. ``before`` [B, M] is the penalty
    that earlier queries have brought about. Returns F [B, N, M] and F_next [B, M], in float32 or wider; F_i is what
    acts at query i, so it holds the votes of queries before i alone.
    """
    wide = torch.promote_types(logits.dtype, torch.float32)
    votes = torch.where(layout.votes(), torch.relu(logits.to(wide)), 0.0)
    after = votes.cumsum(dim=-2)
    if before is not None:
        after = after + before.to(wide)[:, None]
    first = torch.zeros_like(after[:, :1]) if before is None else before.to(wide)[:, None].expand_as(after[:, :1])
    return torch.cat([first, after[:, :-1]], dim=-2), after[:, -1]


def penalties(
    query: Tensor,
    key: Tensor,
    layout: Layout,
    *,
    scale: float,
    selector_head: int = 0,
    before: Tensor | None = None,
    softcap: float | None = None,
) -> tuple[Tensor, Tensor]:
    """F [B, N, M] and F_next [B, M] alone: the logits of one head are enough."""
    wide = torch.promote_types(query.dtype, torch.float32)
    shared = selector_head * key.shape[1] // query.shape[1]
    logits = query[:, selector_head].to(wide) @ key[:, shared].to(wide).transpose(-2, -1) * scale
    if softcap is not None:
        logits = softcap * torch.tanh(logits / softcap)
    return selection(logits, layout, before)


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    layout: Layout,
    *,
    scale: float | None = None,
    selector_head: int = 0,
    before: Tensor | None = None,
    softcap: float | None = None,
    alive: Tensor | None = None,
    dropout_p: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Selective attention (Section 2, steps 1 to 6): query [B, H, N, D], key and value [B, H_kv, M, D].

    ``alive`` [B, N, M] takes further keys out of sight (what pruning has dropped), ``dropout_p`` of the weights are
    dropped at random, as in training. Returns the output [B, H, N, D],
    F [B, N, M] and F_next [B, M]. A query that sees no key (padding) gets zeros.
    """
    groups = query.shape[1] // key.shape[1]
    wide = torch.promote_types(query.dtype, torch.float32)
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    logits = query.to(wide) @ repeat_kv(key, groups).to(wide).transpose(-2, -1) * scale
    if softcap is not None:
        logits = softcap * torch.tanh(logits / softcap)
    penalty, after = selection(logits[:, selector_head], layout, before)
    seen = layout.visible() if alive is None else layout.visible() & alive
    blind = ~seen.any(-1, keepdim=True)
    scores = (logits - penalty[:, None]).masked_fill(~(seen | blind)[:, None], float("-inf"))
    weights = torch.softmax(scores, dim=-1).masked_fill(blind[:, None], 0.0)
    weights = torch.nn.functional.dropout(weights, dropout_p)
    return (weights @ repeat_kv(value, groups).to(wide)).to(query.dtype), penalty, after


def prune_mask(penalty: Tensor, budget: int, protect: int = 1) -> Tensor:
    """Which keys are still there for each query when at most ``budget`` are kept between steps (Section 3).

    ``penalty`` [B, N, N] is F of an unpadded sequence. Returns a boolean [B, N, N]: query i sees at most ``budget``
    stored keys, and itself. After query i, if too many are stored, the unprotected one with the largest F_{i+1} goes,
    the oldest of equals, never the newest; it does not return.

    Raises ValueError for a budget that leaves no room beside the protected tokens and the newest.
    """
    if budget < protect + 1:
        raise ValueError(f"a budget of {budget} cannot hold {protect} protected tokens and the newest one")
    batch, length, _ = penalty.shape
    stored = [list[int]() for _ in range(batch)]
    alive = torch.zeros(batch, length, length, dtype=torch.bool)
    for row, kept in enumerate(stored):
        for query in range(length):
            kept.append(query)
            alive[row, query, kept] = True
            if len(kept) > budget and query + 1 < length:
                loose = [key for key in kept if protect <= key < query]
                kept.remove(max(loose, key=lambda key: (float(penalty[row, query + 1, key]), -key)))
    return alive.to(penalty.device)
