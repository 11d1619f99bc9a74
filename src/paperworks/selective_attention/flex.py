"""Selective attention by torch's FlexAttention, whose score function reads the penalty F from memory.

That needs F whole, [B, N, M] in float32, where ``block.py`` and Triton's kernels keep a row a block: it is here as the
way that takes no kernel of one's own, to compare with.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from .layout import Layout
from .reference import penalties

__all__ = ["attend"]

_TILE = 128  # of FlexAttention's block masks


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    layout: Layout,
    before: Tensor,
    *,
    scale: float,
    selector_head: int,
    softcap: float | None,
) -> tuple[Tensor, Tensor]:
    """Output [B, H, N, V] and F_next [B, M]; see ``attention.attend``. On a CPU torch has no gradients of it."""
    penalty, after = penalties(
        query, key, layout, scale=scale, selector_head=selector_head, before=before, softcap=softcap
    )
    blind = layout.query_pos < 0  # padding sees nothing; its rows are left open, so that no softmax is over nothing
    seen = (layout.visible() | blind[:, :, None]).expand_as(penalty)
    bias = (-penalty).masked_fill(~seen, float("-inf"))

    def score_mod(score: Tensor, batch: Tensor, head: Tensor, row: Tensor, column: Tensor) -> Tensor:
        capped = score if softcap is None else softcap * torch.tanh(score / softcap)
        return capped + bias[batch, row, column]

    if not query.is_cuda:  # torch refuses tensors that record a gradient, even where none is asked for
        query, key, value = query.detach(), key.detach(), value.detach()
    flex = _compiled() if query.is_cuda else flex_attention
    shared = query.shape[1] != key.shape[1]
    output = flex(query, key, value, score_mod=score_mod, block_mask=_block_mask(seen), scale=scale, enable_gqa=shared)
    return output.masked_fill(blind[:, None, :, None], 0.0), after


@cache
def _compiled() -> Any:
    return torch.compile(flex_attention)


def _block_mask(seen: Tensor) -> BlockMask | None:
    """Which tiles of ``seen`` [B, N, M] to leave out; none where a length is no multiple of the tile.

    With a ragged last tile, a block mask and a score function together give gradients that are not numbers (torch
    issue 153799).
    """
    batch, queries, keys = seen.shape
    if queries % _TILE or keys % _TILE:
        return None

    def mask_mod(batch: Tensor, head: Tensor, row: Tensor, column: Tensor) -> Tensor:
        return seen[batch, row, column]

    return create_block_mask(mask_mod, batch, None, queries, keys, device=seen.device)
