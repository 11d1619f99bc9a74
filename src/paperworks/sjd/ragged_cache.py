"""A cache of transformers in which each row keeps its own number of entries."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer, StaticLayer

__all__ = ["RaggedCache"]


class RaggedCache:
    """Lengths of rows over a `DynamicCache` or `StaticCache`, which themselves know one length only.

    A window is written behind the longest row. Rows that are shorter then move their part down to their own end, so
    that row b's entries are always slots ``pads[b]`` to ``lengths[b]``; what lies between its end and the window is
    masked. Nothing is moved where all rows are of one length.

    ``prompt`` [B, P] is the prompts' mask, 1 for a token: padding is on the left. Raises ValueError for a cache that
    holds something already, and for layers that cannot be rolled back.
    """

    def __init__(self, cache: Cache, prompt: Tensor) -> None:
        if int(cache.get_seq_length()) > 0:
            raise ValueError("past_key_values holds tokens already: speculative decoding begins with an empty cache")
        self.cache = cache
        self.check()
        self.pads = prompt.shape[1] - prompt.sum(1)
        self.lengths = torch.full_like(self.pads, prompt.shape[1])

    @property
    def _layers(self) -> list[Any]:
        return list(self.cache.layers)

    @property
    def end(self) -> int:
        """The slot that the next window begins at."""
        return int(self.lengths.max())

    @property
    def room(self) -> int | None:
        """How many entries a window may have; None where the cache grows."""
        sizes = [layer.max_cache_len for layer in self._layers if isinstance(layer, StaticLayer)]
        return min(sizes) - self.end if sizes else None

    def check(self) -> None:
        """Refuse layers that lose what a rejected draft overwrote; a cache may make its layers in the first pass."""
        for layer in self._layers:
            if type(layer) not in (DynamicLayer, StaticLayer):
                raise ValueError(
                    f"{type(layer).__name__} cannot be rolled back when drafts are rejected: speculative decoding "
                    "needs full attention with a DynamicCache or a StaticCache"
                )

    def mask(self, width: int, dtype: torch.dtype) -> Tensor | None:
        """The additive mask [B, 1, width, slots] for a window's pass; None where the model's own causal one will do."""
        if not self.pads.any() and (self.lengths == self.end).all():
            return None
        room = self.room
        slots = torch.arange(self.end + width if room is None else self.end + room, device=self.pads.device)
        held = (slots >= self.pads[:, None]) & (slots < self.lengths[:, None])
        rows = torch.arange(width, device=slots.device)
        window = (slots >= self.end) & (slots <= self.end + rows[:, None])
        seen = held[:, None] | window
        nothing = torch.zeros(seen.shape, dtype=dtype, device=seen.device)
        return nothing.masked_fill_(~seen, torch.finfo(dtype).min)[:, None]

    def keep(self, kept: Tensor, width: int, ended: Tensor) -> None:
        """After a pass that wrote ``width`` entries, keep each row's first ``kept[b]``; rows that ``ended`` none."""
        start = self.end
        self._move_down(start, width)
        self.lengths = torch.where(ended, self.pads * 0, self.lengths + kept)
        for layer in self._layers:
            if isinstance(layer, StaticLayer):
                layer.cumulative_length.fill_(self.end)
            else:
                layer.crop(self.end - (start + width))

    def _move_down(self, start: int, width: int) -> None:
        if (self.lengths == start).all():
            return
        slots = self.lengths[:, None] + torch.arange(width, device=self.lengths.device)
        for layer in self._layers:
            for held in (layer.keys, layer.values):
                window = held[:, :, start : start + width].clone()
                held.scatter_(2, slots[:, None, :, None].expand_as(window), window)
