"""Selective attention as a function of queries, keys and values; how it is computed is the ``backend``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from . import reference
from .block import BLOCK, BlockAttention, Shape
from .layout import Layout, causal, packed, padded

__all__ = ["BACKENDS", "attend", "penalties", "selective_attention"]


def selective_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    scale: float | None = None,
    selector_head: int = 0,
    protect: int = 1,
    attn_mask: Tensor | None = None,
    segment_ids: Tensor | None = None,
    F0: Tensor | None = None,
    dropout_p: float = 0.0,
    window: int | None = None,
    softcap: float | None = None,
    budget: int | None = None,
    return_F: bool = False,
    backend: str = "auto",
) -> Tensor | tuple[Tensor, Tensor, Tensor]:
    """Causal attention in which the votes of one head's logits are taken off the logits of all (Section 2).

    ``query`` [B, H, N, D] are the last N of the M tokens of ``key`` and ``value`` [B, H_kv, M, D]; H is a multiple of
    H_kv. ``scale`` is 1/sqrt(D) unless given, ``softcap`` c makes logits c tanh(l / c) before they vote, ``window``
    W lets a query see itself and the W - 1 tokens before it.

    ``attn_mask`` [B, M] is true for tokens and false for padding; ``segment_ids`` [B, M] numbers packed documents, and
    padding by a negative number. Give at most one. ``protect`` tokens at the beginning of each sequence or document are
    never voted on. ``F0`` [B, M] is the penalty that earlier queries brought about, zero unless given. With ``budget``
    K at most K keys are kept from one query to the next (Section 3).

    Returns the output [B, H, N, D], zero for padding; with ``return_F`` also F [B, N, M], the penalty that acted at
    each query, and F_next [B, M], what a continuation passes as ``F0``; both in float32 or wider.

    Raises ValueError for shapes that do not fit, a head that does not exist, a budget below ``protect`` + 2, and an
    unknown backend; TypeError for integers.
    """
    _check(query, key, value, selector_head, budget, protect)
    layout = _layout(query, key, attn_mask, segment_ids, protect=protect, window=window)
    how = {
        "scale": query.shape[-1] ** -0.5 if scale is None else scale,
        "selector_head": selector_head,
        "before": F0,
        "softcap": softcap,
    }
    penalty, alive = None, None
    if return_F or budget is not None:
        penalty, _ = penalties(query, key, layout, **how)
    if budget is not None:
        assert penalty is not None
        alive = reference.prune_mask(penalty.detach(), budget, protect)
    output, after = attend(query, key, value, layout, alive=alive, dropout_p=dropout_p, backend=backend, **how)
    return (output, penalty, after) if return_F and penalty is not None else output


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    layout: Layout,
    *,
    scale: float,
    selector_head: int = 0,
    before: Tensor | None = None,
    softcap: float | None = None,
    alive: Tensor | None = None,
    dropout_p: float = 0.0,
    backend: str = "auto",
) -> tuple[Tensor, Tensor]:
    """`selective_attention` for a layout of one's own: the output [B, H, N, D] and F_next [B, M].

    ``before`` [B, M] is the penalty that acts at the first query; ``alive`` [B, N, M] takes keys out of sight. Keys
    that do not stand in the order of their tokens, as in a cache that has evicted, need ``backend="eager"``.
    """
    if backend == "auto":
        backend = "eager" if alive is not None or dropout_p else "block"
    if backend not in BACKENDS:
        raise ValueError(f"unknown backend {backend!r}: choose one of auto, {', '.join(BACKENDS)}")
    wide = torch.promote_types(query.dtype, torch.float32)
    before = key.new_zeros(key.shape[0], key.shape[2], dtype=wide) if before is None else before.to(wide)
    more = {"scale": scale, "selector_head": selector_head, "softcap": softcap}
    if backend != "eager" and (alive is not None or dropout_p):
        raise ValueError(f"the {backend} backend has neither dropout nor pruning: use backend='eager'")
    if backend == "eager":
        more |= {"alive": alive, "dropout_p": dropout_p}
    return BACKENDS[backend](query, key, value, layout, before, **more)


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
    return reference.selection(logits, layout, before)


def _eager(
    query: Tensor, key: Tensor, value: Tensor, layout: Layout, before: Tensor, **more: Any
) -> tuple[Tensor, Tensor]:
    output, _, after = reference.attention(query, key, value, layout, before=before, **more)
    return output, after


def _block(
    query: Tensor, key: Tensor, value: Tensor, layout: Layout, before: Tensor, *, block: int = BLOCK, **more: Any
) -> tuple[Tensor, Tensor]:
    output, after = BlockAttention.apply(query, key, value, before, Shape(layout=layout, block=block, **more))
    return output.masked_fill(layout.query_pos[:, None, :, None] < 0, 0.0), after


BACKENDS: Mapping[str, Callable[..., tuple[Tensor, Tensor]]] = {"eager": _eager, "block": _block}
"""How attention is computed: ``eager`` with every matrix whole, ``block`` a block of queries at a time."""


def _layout(query: Tensor, key: Tensor, present: Tensor | None, documents: Tensor | None, **more: int | None) -> Layout:
    queries, keys = query.shape[2], key.shape[2]
    if present is not None and documents is not None:
        raise ValueError("give attn_mask or segment_ids, not both: padding has a negative segment id")
    for name, given in (("attn_mask", present), ("segment_ids", documents)):
        if given is not None and given.shape != (key.shape[0], keys):
            raise ValueError(f"{name} must be [B, M] = {[key.shape[0], keys]}, not {list(given.shape)}")
    if present is not None:
        return padded(present, queries, **more)
    if documents is not None:
        return packed(documents, queries, **more)
    return causal(queries, keys, device=query.device, **more)


def _check(query: Tensor, key: Tensor, value: Tensor, selector_head: int, budget: int | None, protect: int) -> None:
    if not all(tensor.is_floating_point() for tensor in (query, key, value)):
        raise TypeError("query, key and value must be floating-point tensors")
    if query.ndim != 4 or key.ndim != 4 or key.shape[:3] != value.shape[:3] or query.shape[-1] != key.shape[-1]:
        raise ValueError(
            "query is [B, H, N, D], key and value [B, H_kv, M, D]; "
            f"not {list(query.shape)}, {list(key.shape)}, {list(value.shape)}"
        )
    if query.shape[0] != key.shape[0] or query.shape[1] % key.shape[1]:
        raise ValueError(f"{list(query.shape[:2])} batch and query heads do not fit {list(key.shape[:2])} of the keys")
    if query.shape[2] > key.shape[2]:
        raise ValueError(f"{query.shape[2]} queries are more than the {key.shape[2]} tokens they are the last of")
    if not 0 <= selector_head < query.shape[1]:
        raise ValueError(f"selector_head={selector_head} does not exist: heads are 0 to {query.shape[1] - 1}")
    if protect < 0:
        raise ValueError(f"protect={protect} is not a number of tokens: give 0 or more")
    if budget is not None and (budget < protect + 2 or query.shape[2] != key.shape[2]):
        raise ValueError(
            f"a budget must hold {protect} protected tokens and two more, and needs all queries from the first on; "
            f"not {budget} for {query.shape[2]} queries of {key.shape[2]} tokens"
        )
