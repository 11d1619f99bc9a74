"""Selective attention as a function of queries, keys and values; how it is computed is the ``backend``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from paperworks.core import MissingExtra

from . import reference
from .block import BLOCK, BlockAttention, Shape
from .config import check_budget
from .layout import Layout, causal, packed, padded
from .pruning import survivors
from .reference import penalties

__all__ = ["BACKENDS", "attend", "penalties", "selection", "selective_attention"]


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

    ``backend``: ``"auto"`` takes Triton's kernels on a GPU and ``"block"`` elsewhere, and ``"eager"`` for dropout and
    a budget, which need every weight; ``"flex"`` is torch's FlexAttention.

    Returns the output [B, H, N, D], zero for padding; with ``return_F`` also F [B, N, M], the penalty that acted at
    each query, and F_next [B, M], what a continuation passes as ``F0``; both in float32 or wider.

    Raises ValueError for shapes that do not fit, a number out of range, a budget below ``protect`` + 2, and a backend
    that does not exist or cannot do what is asked; TypeError for integers and for mixed types; MissingExtra where
    ``backend="triton"`` finds no triton.
    """
    _check_tensors(query, key, value)
    _check_numbers(query.shape[1], selector_head, protect, window, softcap, dropout_p)
    _check_rows((key.shape[0], key.shape[2]), {"attn_mask": attn_mask, "segment_ids": segment_ids, "F0": F0})
    size = query.shape[2], key.shape[2], query.device
    layout = _layout(*size, attn_mask, segment_ids, protect=protect, window=window)
    how: dict[str, Any] = {
        "scale": query.shape[-1] ** -0.5 if scale is None else scale,
        "selector_head": selector_head,
        "before": F0,
        "softcap": softcap,
    }
    penalty, alive = None, None
    if budget is not None:
        _check_budget(budget, protect, query, key, segment_ids)
    if return_F or budget is not None:
        penalty, after = penalties(query, key, layout, **how)
        if budget is not None:
            alive, _ = survivors(penalty, after, layout, budget)
    output, after = attend(query, key, value, layout, alive=alive, dropout_p=dropout_p, backend=backend, **how)
    return (output, penalty, after) if return_F and penalty is not None else output


def selection(
    l0: Tensor,
    *,
    query_pos: Tensor | None = None,
    key_pos: Tensor | None = None,
    F0: Tensor | None = None,
    protect: int = 1,
    segment_ids: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The penalty alone, from logits of one's own (Section 2, steps 2 to 5): plain, and differentiable.

    ``l0`` [B, N, M] are the selector head's scaled logits, before any penalty, of the last N of M tokens; what a query
    does not see is ignored. ``query_pos`` [B, N] and ``key_pos`` [B, M] are positions in the sequence, -1 for padding,
    where places do not say them; B may be 1. ``F0``, ``protect`` and ``segment_ids`` are as `selective_attention` has
    them; with ``segment_ids`` positions count from the first token of each document.

    Returns F [B, N, M], what acts at each query, and F_next [B, M], what acts after the last one; both in float32 or
    wider. Raises ValueError for shapes that do not fit and for positions of queries or of keys alone, TypeError for
    integers.
    """
    if not l0.is_floating_point():
        raise TypeError("l0 must be a floating-point tensor")
    if l0.ndim != 3 or not 1 <= l0.shape[1] <= l0.shape[2]:
        raise ValueError(f"l0 is [B, N, M], of the last N of M tokens: {list(l0.shape)} does not fit")
    batch, queries, keys = l0.shape
    _check_rows((batch, keys), {"F0": F0, "segment_ids": segment_ids})
    _check_protect(protect)
    if query_pos is None and key_pos is None:
        layout = _layout(queries, keys, l0.device, None, segment_ids, protect=protect)
    elif query_pos is None or key_pos is None:
        raise ValueError("give query_pos and key_pos, or neither: a vote is of one position on another")
    else:
        _check_positions({"query_pos": (query_pos, queries), "key_pos": (key_pos, keys)}, batch)
        documents = {} if segment_ids is None else {"query_doc": segment_ids[:, -queries:], "key_doc": segment_ids}
        layout = Layout(query_pos=query_pos, key_pos=key_pos, protect=protect, **documents)
    return reference.selection(l0, layout, F0)


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

    ``before`` [B, M] is the penalty that acts at the first query; ``alive`` [B, N, M] takes keys out of sight. Query n
    has its own key at place M - N + n and sees none behind it; where keys do not stand so, it takes
    ``backend="eager"``.
    """
    whole = alive is not None or dropout_p > 0
    chosen = _choose(query, whole) if backend == "auto" else backend
    _check_backend(chosen, query, key, value, whole)
    wide = torch.promote_types(query.dtype, torch.float32)
    before = key.new_zeros(key.shape[0], key.shape[2], dtype=wide) if before is None else before.to(wide)
    how: dict[str, Any] = {"scale": scale, "selector_head": selector_head, "softcap": softcap}
    if chosen == "eager":
        how |= {"alive": alive, "dropout_p": dropout_p}
    return BACKENDS[chosen](query, key, value, layout, before, **how)


def _eager(
    query: Tensor, key: Tensor, value: Tensor, layout: Layout, before: Tensor, **how: Any
) -> tuple[Tensor, Tensor]:
    output, _, after = reference.attention(query, key, value, layout, before=before, **how)
    return output, after


def _block(
    query: Tensor, key: Tensor, value: Tensor, layout: Layout, before: Tensor, **how: Any
) -> tuple[Tensor, Tensor]:
    output, after = BlockAttention.apply(query, key, value, before, Shape(layout=layout, block=BLOCK, **how))
    return output if layout.unbroken else output.masked_fill(layout.query_pos[:, None, :, None] < 0, 0.0), after


def _flex(query: Tensor, key: Tensor, value: Tensor, layout: Layout, before: Tensor, **how: Any) -> Any:
    from . import flex  # torch's compiler, only where it is used

    return flex.attend(query, key, value, layout, before, **how)


def _triton(query: Tensor, key: Tensor, value: Tensor, layout: Layout, before: Tensor, **how: Any) -> Any:
    from . import triton_backend

    return triton_backend.attend(query, key, value, layout, before, **how)


BACKENDS: Mapping[str, Callable[..., tuple[Tensor, Tensor]]] = {
    "eager": _eager,
    "block": _block,
    "triton": _triton,
    "flex": _flex,
}
"""How attention is computed: ``eager`` with every matrix whole, ``block`` a block of queries at a time, ``triton`` the
same on a GPU, ``flex`` by torch's FlexAttention, with F whole."""

_TRITON_DTYPES = (torch.float32, torch.bfloat16, torch.float16)
_TRITON_DEVICES = ("cuda", "cpu") if os.environ.get("TRITON_INTERPRET") == "1" else ("cuda",)


def _choose(query: Tensor, whole: bool) -> str:
    if whole:
        return "eager"
    return "triton" if query.is_cuda and query.dtype in _TRITON_DTYPES and _has_triton() else "block"


@cache
def _has_triton() -> bool:
    return find_spec("triton") is not None


def _check_backend(name: str, query: Tensor, key: Tensor, value: Tensor, whole: bool) -> None:
    if name not in BACKENDS:
        raise ValueError(f"unknown backend {name!r}: choose one of auto, {', '.join(BACKENDS)}")
    if name != "eager" and whole:
        raise ValueError(f"the {name} backend has neither dropout nor pruning: use backend='eager'")
    if name == "triton" and query.dtype not in _TRITON_DTYPES:
        raise ValueError(f"the triton backend does not compute in {query.dtype}: use backend='block'")
    if name == "triton" and query.device.type not in _TRITON_DEVICES:
        raise ValueError(f"the triton backend computes on a GPU, not on {query.device.type}: use backend='block'")
    if name == "triton" and not _has_triton():
        raise MissingExtra("selective_attention's backend 'triton'", "triton", "gpu")
    learns = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (query, key, value))
    if name == "flex" and learns and not query.is_cuda:
        raise ValueError("torch's FlexAttention has no gradients on a CPU: use backend='block', or torch.no_grad()")


def _layout(
    queries: int,
    keys: int,
    device: torch.device,
    present: Tensor | None,
    documents: Tensor | None,
    **more: int | None,
) -> Layout:
    if present is not None and documents is not None:
        raise ValueError("give attn_mask or segment_ids, not both: padding has a negative segment id")
    if present is not None:
        return padded(present, queries, **more)
    if documents is not None:
        return packed(documents, queries, **more)
    return causal(queries, keys, device=device, **more)


def _check_tensors(query: Tensor, key: Tensor, value: Tensor) -> None:
    if not all(tensor.is_floating_point() for tensor in (query, key, value)):
        raise TypeError("query, key and value must be floating-point tensors")
    if not query.dtype == key.dtype == value.dtype:
        raise TypeError(f"query, key and value must have one type, not {query.dtype}, {key.dtype} and {value.dtype}")
    if (
        not query.ndim == key.ndim == value.ndim == 4
        or key.shape[:3] != value.shape[:3]
        or query.shape[-1] != key.shape[-1]
    ):
        raise ValueError(
            "query is [B, H, N, D], key and value [B, H_kv, M, D]; "
            f"not {list(query.shape)}, {list(key.shape)}, {list(value.shape)}"
        )
    if query.shape[0] != key.shape[0] or query.shape[1] % key.shape[1]:
        raise ValueError(f"{list(query.shape[:2])} batch and query heads do not fit {list(key.shape[:2])} of the keys")
    if not 1 <= query.shape[2] <= key.shape[2]:
        raise ValueError(
            f"queries are the last of the tokens, at least one: {query.shape[2]} cannot be of {key.shape[2]} tokens"
        )


def _check_numbers(
    heads: int, selector_head: int, protect: int, window: int | None, softcap: float | None, dropout_p: float
) -> None:
    if not 0 <= selector_head < heads:
        raise ValueError(f"selector_head={selector_head} does not exist: heads are 0 to {heads - 1}")
    _check_protect(protect)
    if window is not None and window < 1:
        raise ValueError(f"a window of {window} hides a query from itself: give 1 or more, or None")
    if softcap is not None and softcap <= 0:
        raise ValueError(f"softcap={softcap} leaves no logits: give a number above 0, or None")
    if not 0 <= dropout_p < 1:
        raise ValueError(f"dropout_p={dropout_p} is no share of weights to drop: give 0 or more, and less than 1")


def _check_protect(protect: int) -> None:
    if protect < 0:
        raise ValueError(f"protect={protect} is not a number of tokens: give 0 or more")


def _check_positions(given: Mapping[str, tuple[Tensor, int]], batch: int) -> None:
    for name, (positions, length) in given.items():
        if positions.shape not in ((batch, length), (1, length)):
            raise ValueError(f"{name} must be {[batch, length]} or {[1, length]}, not {list(positions.shape)}")


def _check_rows(wanted: tuple[int, int], given: Mapping[str, Tensor | None]) -> None:
    for name, tensor in given.items():
        if tensor is not None and tensor.shape != wanted:
            raise ValueError(
                f"{name} must be [B, M] = {list(wanted)}, not {list(tensor.shape)}: a number a token; who sees whom "
                "follows from it, since this attention is causal by definition"
            )


def _check_budget(budget: int, protect: int, query: Tensor, key: Tensor, documents: Tensor | None) -> None:
    check_budget(budget, protect)
    if query.shape[2] != key.shape[2]:
        raise ValueError(
            f"a budget needs all queries from the first on, not {query.shape[2]} of {key.shape[2]}: what was dropped "
            "before is not known here"
        )
    if documents is not None:
        raise ValueError("a budget is for one sequence a row: give packed documents rows of their own")
