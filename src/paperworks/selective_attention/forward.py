"""The attention function and the mask that transformers calls in a model with selective attention.

The mask is not a matrix. It says which tokens of a row are there (boolean [B, T], for padding), or which document each
belongs to (integer [B, T], negative for padding), or is None where every row is one whole sequence; causality and the
rest follow from positions (`layout`). A mask of columns could not say who sees whom once a cache has evicted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from paperworks.lab.attention import attention_weights, grouped

from .attention import attend
from .cache import LAYER, SelectiveLayer
from .config import SelectiveConfig
from .layout import Layout, causal, packed, padded
from .models import LIMIT, NAME, OBSERVER, Limit, Selection, settings_of
from .pruning import kept, survivors

__all__ = ["attention_forward", "tokens_mask"]

WINDOW = "_selective_window"  # on a mask: the model's sliding window


def attention_forward(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    *,
    softcap: float | None = None,
    is_causal: bool | None = None,
    position_bias: Tensor | None = None,
    s_aux: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Selective attention for transformers (registered as ``"selective"`` by ``paperworks.selective_attention.hf``).

    ``query`` [B, H, N, D], ``key`` and ``value`` [B, H_kv, M, D], ``attention_mask`` as `tokens_mask` makes it.
    Returns the output [B, N, H, D]; there are no weights to return. The settings are those of the module's config.

    Raises ValueError for attention that is not causal, a mask of another form, a head that does not exist, and biases
    or sinks, which selective attention is not defined with; RuntimeError where keys come from a cache that does not
    carry the penalty.
    """
    if not (getattr(module, "is_causal", True) if is_causal is None else is_causal):
        raise ValueError("selective attention is causal: it is not defined for encoders and cross-attention")
    if position_bias is not None or s_aux is not None:
        raise ValueError("selective attention takes no position bias and no attention sinks")
    config: Any = module.config
    settings = settings_of(config)
    config.attn_implementation = NAME  # a loaded config has lost it, and would be saved without
    if settings.selector_head >= query.shape[1]:
        raise ValueError(f"selector_head={settings.selector_head} does not exist: heads are 0 to {query.shape[1] - 1}")
    layer, limit = getattr(key, LAYER, None), getattr(module, LIMIT, None) or Limit()
    layout = _layout(attention_mask, query, key, layer, settings)
    if limit.window is not None:
        layout = replace(layout, window=min(limit.window, layout.window or limit.window))
    selection = Selection(
        layer=int(module.layer_idx),  # type: ignore[arg-type]
        query=query,
        key=key,
        layout=layout,
        scale=query.shape[-1] ** -0.5 if scaling is None else scaling,
        selector_head=settings.selector_head,
        softcap=softcap,
        before=None if layer is None else layer.penalty,
    )
    if not settings.selects(selection.layer):
        return _ordinary(selection, value, dropout, layer).transpose(1, 2).contiguous(), None
    if (observer := getattr(module, OBSERVER, None)) is not None:
        observer(selection)
    output = _selective(selection, value, dropout, layer, limit.budget if layer is None else layer.budget)
    return output.transpose(1, 2).contiguous(), None


def tokens_mask(
    batch_size: int,
    q_length: int,
    kv_length: int,
    q_offset: int = 0,
    kv_offset: int = 0,
    mask_function: Callable[..., Tensor] | None = None,
    attention_mask: Tensor | None = None,
    local_size: int | None = None,
    use_vmap: bool = False,
    device: torch.device | str = "cpu",
    **kwargs: Any,
) -> Tensor | None:
    """What `attention_forward` takes as its mask, called by transformers like ``masking_utils.sdpa_mask``.

    Returns which of the T = ``q_offset`` + ``q_length`` tokens are there (boolean [B, T]), their documents where
    ``mask_function`` parts some (integer [B, T], negative for padding), or None for one whole sequence a row.

    Raises ValueError for masks that are not causal or that a caller has composed, and for documents with a cache.
    """
    if use_vmap:
        raise ValueError("selective attention takes no mask function of your own: give a 2-D attention_mask")
    length = q_offset + q_length
    present = None if attention_mask is None else attention_mask[:, :length].bool()
    if mask_function is None or length == 1:
        return _with_window(present, batch_size, length, local_size, device)
    index = torch.arange(length, device=device)
    row = torch.arange(batch_size, device=device)[:, None]
    head = index.new_zeros(())
    if mask_function(row, head, index[None, :1], index[None, 1:2]).any():
        raise ValueError("selective attention is causal: it is not defined for encoders and prefixes seen both ways")
    together = mask_function(row, head, index[None, 1:], index[None, :-1]).expand(batch_size, length - 1)
    if bool(together.all()):
        return _with_window(present, batch_size, length, local_size, device)
    if q_offset:
        raise ValueError("selective attention with a cache takes one sequence a row: no documents, no chunks")
    documents = torch.nn.functional.pad((~together).long().cumsum(-1), (1, 0))
    documents = documents if present is None else documents.masked_fill(~present, -1)
    return _with_window(documents, batch_size, length, local_size, device)


def _with_window(
    mask: Tensor | None, batch: int, length: int, window: int | None, device: torch.device | str
) -> Tensor | None:
    """The mask with the model's sliding window on it: not every model names the window to its attention function."""
    if window is None:
        return mask
    mask = torch.ones(batch, length, dtype=torch.bool, device=device) if mask is None else mask.clone()
    setattr(mask, WINDOW, window)
    return mask


def _layout(
    mask: Tensor | None, query: Tensor, key: Tensor, layer: SelectiveLayer | None, settings: SelectiveConfig
) -> Layout:
    if mask is not None and mask.ndim != 2:
        raise ValueError(f"selective attention takes a 2-D attention_mask, not one of shape {list(mask.shape)}")
    queries, keys = query.shape[2], key.shape[2]
    more: dict[str, Any] = {"protect": settings.protect, "window": getattr(mask, WINDOW, None)}
    if layer is not None:
        if mask is not None and mask.dtype != torch.bool:
            raise ValueError("selective attention with a cache takes one sequence a row: no documents, no chunks")
        positions = layer.place(queries, None if mask is None else mask[:, -queries:])
        return Layout(query_pos=positions[:, keys - queries :], key_pos=positions, **more)
    if queries != keys:
        raise RuntimeError(
            "this cache does not carry what selective attention needs from step to step: pass "
            "past_key_values=SelectiveCache(model)"
        )
    if mask is None:
        return causal(queries, keys, device=query.device, **more)
    return (padded if mask.dtype == torch.bool else packed)(mask, queries, **more)


def _selective(
    selection: Selection, value: Tensor, dropout: float, layer: SelectiveLayer | None, budget: int | None
) -> Tensor:
    """The output [B, H, N, D]; ``layer`` lets go what is over the budget."""
    layout, (queries, keys) = selection.layout, (selection.query.shape[2], selection.key.shape[2])
    if budget is not None and layout.query_doc is not None:
        raise ValueError("pruning takes one sequence a row: no documents, no chunks")
    within = budget is not None and queries > 1 and keys > budget + 1  # then some query finds less than is here
    if not within:
        output, after = attend(
            selection.query,
            selection.key,
            value,
            layout,
            scale=selection.scale,
            selector_head=selection.selector_head,
            before=selection.before,
            softcap=selection.softcap,
            dropout_p=dropout,
        )
        if layer is not None:
            stored = kept(layout.key_pos >= 0, after, layout, budget, queries - 1)
            layer.settle(after, stored, selection.penalties()[0] if layer.record_past else None)
        return output
    penalty, after = selection.penalties()
    alive, stored = survivors(penalty, after, layout, budget)
    if layer is not None:
        layer.settle(after, stored, None)  # a layer with a budget does not record: it cannot go back
    return _biased(selection, value, -penalty, layout.visible() & alive, dropout)


def _ordinary(selection: Selection, value: Tensor, dropout: float, layer: SelectiveLayer | None) -> Tensor:
    """Plain attention [B, H, N, D] over what the layout lets a query see, for a layer that does not select."""
    layout, queries = selection.layout, selection.query.shape[2]
    if layer is not None:
        stored = kept(layout.key_pos >= 0, layer.penalty, layout, None, queries - 1)
        layer.settle(layer.penalty, stored, layer.penalty[:, None].expand(-1, queries, -1))
    seen = layout.visible()
    return _biased(selection, value, torch.zeros_like(seen, dtype=torch.float32), seen, dropout)


def _biased(selection: Selection, value: Tensor, bias: Tensor, seen: Tensor, dropout: float) -> Tensor:
    """Attention [B, H, N, D] on the logits with ``bias`` [B, N, M] added, over what is ``seen`` (boolean [B, N, M]).

    What a query that sees nothing gives is of no use to anybody, but finite.
    """
    query, key, scale = selection.query, selection.key, selection.scale
    mask = bias.masked_fill(~(seen | ~seen.any(-1, keepdim=True)), float("-inf"))[:, None].to(query.dtype)
    if selection.softcap is None:
        shared = query.shape[1] != key.shape[1]
        return scaled_dot_product_attention(query, key, value, mask, dropout, scale=scale, enable_gqa=shared)
    scores = grouped(torch.matmul, query, key.transpose(2, 3)) * scale
    weights = attention_weights(scores, mask, softcap=selection.softcap).to(value.dtype)
    return grouped(torch.matmul, torch.nn.functional.dropout(weights, dropout), value)
