"""Attention of our own inside transformers models: registration, and the parts that attention functions share.

transformers looks an attention function up by the name in ``config._attn_implementation``, and its mask by the same
name in a second registry. A name that is missing from the second one gets ``attention_mask=None``: padding and
causality vanish without a word. :func:`register` therefore fills both.

Shapes: B batch, H query heads, H_kv key/value heads (H is a multiple of it), N queries, M keys, D head width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

MaskFunction = Callable[..., Tensor | None]


class AttentionForward(Protocol):
    """What transformers calls: query [B, H, N, D], key and value [B, H_kv, M, D] in; output [B, N, H, D] out."""

    def __call__(
        self,
        module: nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        scaling: float | None = None,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the output and, where they exist, the attention weights [B, H, N, M]."""
        ...


def register(name: str, forward: AttentionForward, *, mask: str | MaskFunction = "eager") -> None:
    """Register ``forward`` under ``name`` for every transformers model, together with the mask that it receives.

    Afterwards ``model.set_attn_implementation(name)`` and ``from_pretrained(..., attn_implementation=name)`` work.
    Registering a name of one's own again replaces it.

    ``mask`` names a mask that transformers knows (``"eager"``: additive, 0 or the dtype's minimum, [B, 1, N, M];
    ``"sdpa"``: boolean, True where a key may be seen, and None where causality alone would say the same), or is a
    function with the signature of ``transformers.masking_utils.eager_mask``.

    Raises ValueError for a name that transformers could not dispatch or already uses, and for an unknown mask.
    """
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS as MASKS
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS as ATTENTIONS

    _check_name(name, ATTENTIONS)
    mask_function = MASKS.get(mask) if isinstance(mask, str) else mask
    if mask_function is None:
        raise ValueError(f"unknown mask {mask!r}: choose one of {', '.join(sorted(MASKS))}, or pass a function")
    ATTENTIONS.register(name, forward)
    MASKS.register(name, mask_function)


def _check_name(name: str, known: Mapping[str, Any]) -> None:
    """Refuse a name that transformers reads in another way ('/' and '|' lead to the hub) or has taken itself."""
    if not name.isidentifier() or "flash" in name:
        raise ValueError(f"{name!r} cannot name an attention function: use letters, digits and '_', and not 'flash'")
    owner = getattr(known[name], "__module__", "") if name in known else ""
    if name == "eager" or owner.startswith("transformers."):
        raise ValueError(f"{name!r} is transformers' own attention: choose a name of your own")


def repeat_kv(states: Tensor, groups: int) -> Tensor:
    """Repeat every key/value head ``groups`` times: [B, H_kv, M, D] to [B, H_kv * groups, M, D].

    Query head h reads key head h // groups. The copy is made only for more than one group.
    """
    return states if groups == 1 else states.repeat_interleave(groups, dim=1)


def grouped(product: Callable[[Tensor, Tensor], Tensor], rows: Tensor, columns: Tensor) -> Tensor:
    """``product`` of [B, H, N, K] and [B, H_kv, K, M] for grouped heads, without copying keys or values.

    The query heads of a group become more rows of one product, which is the same as repeating ``columns`` with
    :func:`repeat_kv` and cheaper. ``product`` is batched like ``torch.matmul``. Returns [B, H, N, M].

    Raises ValueError where H is no multiple of H_kv.
    """
    batch, heads, length, width = rows.shape
    kv_heads = columns.shape[1]
    if heads % kv_heads:
        raise ValueError(f"{heads} query heads cannot share {kv_heads} key/value heads: one must divide the other")
    if heads == kv_heads:
        return product(rows, columns)
    stacked = rows.reshape(batch, kv_heads, heads // kv_heads * length, width)
    return product(stacked, columns).reshape(batch, heads, length, columns.shape[-1])


def attention_weights(
    scores: Tensor,
    attention_mask: Tensor | None,
    *,
    softcap: float | None = None,
    position_bias: Tensor | None = None,
    sinks: Tensor | None = None,
) -> Tensor:
    """Softmax over the keys in float32, in transformers' order: soft cap, position bias, mask, sinks, softmax.

    ``scores`` [B, H, N, M] are already scaled. ``attention_mask`` is additive or boolean (True: may be seen) and
    broadcasts against them; a key that is masked gets a weight of exactly 0, except in a row that is masked whole
    (the query is padding), which stays finite as in transformers' eager attention: nothing reads it.
    ``softcap`` c replaces s by c tanh(s / c) (Gemma 2); ``position_bias`` is added (T5); ``sinks`` [H] are one
    learned logit a head that takes part in the softmax and is then dropped (GPT-OSS).
    """
    scores = scores.float()
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    if position_bias is not None:
        scores = scores + position_bias
    if attention_mask is not None:
        scores = _masked(scores, attention_mask)
    if sinks is None:
        return torch.softmax(scores, dim=-1)
    column = sinks.float().reshape(1, -1, 1, 1).expand(*scores.shape[:-1], 1)
    return torch.softmax(torch.cat([scores, column], dim=-1), dim=-1)[..., :-1]


def _masked(scores: Tensor, mask: Tensor) -> Tensor:
    if mask.dtype == torch.bool:
        return scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return scores + mask
