"""The passes of the model: the prompt's, and those of windows, with or without guidance."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor

from .ragged_cache import RaggedCache

__all__ = ["Passes"]

_MASKED = ("eager", "sdpa")  # attention implementations that take a mask of their caller


class Passes:
    """``model``'s logits after a batch of prompts [B, P] and windows, its entries kept in ``cache``.

    ``mask`` [B, P] is 1 for a token, 0 for padding on the left. With ``guidance`` there are as many negative prompts
    behind the prompts, so 2 B rows go through the model, which combine to l_u + g (l_c - l_u).

    Raises ValueError for a model that takes no ``position_ids`` where rows need their own.
    """

    def __init__(self, model: Any, cache: Any, mask: Tensor, guidance: float | None) -> None:
        self.model, self.guidance = model, guidance
        self.cache = RaggedCache(cache, mask)
        self._mask = mask
        self._next = mask.sum(1)
        takes = inspect.signature(model.forward).parameters
        self._takes_positions, self._keeps_logits = "position_ids" in takes, "logits_to_keep" in takes
        if not self._takes_positions and len(mask) > 1:
            raise ValueError(
                f"{type(model).__name__} takes no position_ids, without which rows cannot differ in length"
            )

    def prompts(self, ids: Tensor) -> Tensor:
        """Logits [B, 1, V] after the prompts (and negative prompts)."""
        positions = (self._mask.cumsum(1) - 1).clamp_min(0)
        padded = None if self._mask.all() else self._mask
        logits = self._forward(ids, padded, positions, 1)
        self.cache.check()
        return logits

    def window(self, tokens: Tensor, counts: Tensor) -> Tensor:
        """Logits [B, R, V] after each of ``tokens`` [B, R]: the newest taken token and ``counts`` [B] drafts.

        Behind its drafts a row's tokens are anything, and so are its logits; their position is that of the last draft,
        since a model may know no further ones.
        """
        width = tokens.shape[1]
        if self.guidance is not None:
            tokens, counts = tokens.repeat(2, 1), counts.repeat(2)
        mask = self.cache.mask(width, self.model.dtype)
        if mask is not None and self.model.config._attn_implementation not in _MASKED:
            raise ValueError(
                f"attention {self.model.config._attn_implementation!r} takes no mask for rows of different lengths: "
                f"use one of {', '.join(_MASKED)}, or decode one prompt at a time"
            )
        place = torch.arange(width, device=tokens.device)
        positions = self._next[:, None] + torch.minimum(place, counts[:, None])
        return self._forward(tokens, mask, positions, width)

    def keep(self, taken: Tensor, width: int, ended: Tensor) -> None:
        """Keep the entries of each row's first ``taken`` [B] inputs of the window: what its new tokens followed."""
        if self.guidance is not None:
            taken, ended = taken.repeat(2), ended.repeat(2)
        self.cache.keep(taken, width, ended)
        self._next = self._next + torch.where(ended, 0, taken)

    def _forward(self, ids: Tensor, mask: Tensor | None, positions: Tensor, kept: int) -> Tensor:
        more: dict[str, Any] = {"position_ids": positions} if self._takes_positions else {}
        if self._keeps_logits:
            more["logits_to_keep"] = kept
        answer = self.model(
            input_ids=ids,
            attention_mask=mask,
            past_key_values=self.cache.cache,
            use_cache=True,
            return_dict=True,
            **more,
        )
        logits: Tensor = answer.logits[:, -kept:]
        if self.guidance is None:
            return logits
        conditional, negative = logits.to(torch.promote_types(logits.dtype, torch.float32)).chunk(2)
        return negative + self.guidance * (conditional - negative)
