"""A cache of transformers in which each row keeps its own number of entries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer, StaticLayer

__all__ = ["RaggedCache", "check_layers", "check_room"]


def _size(cache: Cache) -> int | None:
    """How many entries a row of ``cache`` may have; None where it grows."""
    sizes = [layer.max_cache_len for layer in cache.layers if isinstance(layer, StaticLayer)]
    return min(sizes, default=None)


def check_layers(cache: Cache) -> None:
    """Raise ValueError for layers that lose what a rejected draft overwrote; some are only made in the first pass."""
    for layer in cache.layers:
        if type(layer) not in (DynamicLayer, StaticLayer):
            raise ValueError(
                f"{type(layer).__name__} cannot be rolled back when drafts are rejected: speculative decoding "
                "needs full attention with a DynamicCache or a StaticCache"
            )


def check_room(cache: Cache, prompt: int, length: int) -> None:
    """Raise ValueError for a static ``cache`` too small for a ``prompt`` and ``length`` tokens after it."""
    check_layers(cache)
    size = _size(cache)
    if size is not None and size - prompt < length - 1:  # the last token is never in the cache
        raise ValueError(
            f"the static cache has room for {size - prompt} tokens after the prompts, but {length - 1} are needed"
        )


class RaggedCache:
    """Lengths of rows over a `DynamicCache` or `StaticCache`, which themselves know one length only.

    A window is written behind the longest row. Rows that are shorter then move their part down to their own end, so
    that row b's entries are always slots ``pads[b]`` to ``lengths[b]``; what lies between its end and the window is
    masked. Nothing is moved where all rows are of one length.

    ``prompt`` [B, P] is the prompts' mask, 1 for a token: padding is on the left. ``positions`` gives the model's
    position ids from how many tokens of its row precede each. Raises ValueError for a cache that holds something
    already, and for layers that cannot be rolled back.
    """

    def __init__(
        self, cache: Cache, prompt: Tensor, positions: Callable[[Tensor], Tensor | None] = lambda precede: precede
    ) -> None:
        if int(cache.get_seq_length()) > 0:
            raise ValueError("past_key_values holds tokens already: speculative decoding begins with an empty cache")
        self.cache = cache
        check_layers(cache)
        self.pads = prompt.shape[1] - prompt.sum(1)
        self.lengths = torch.full_like(self.pads, prompt.shape[1])
        self.positions = positions
        self._width = 0

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
        size = _size(self.cache)
        return None if size is None else size - self.end

    def window_mask(self, width: int, dtype: torch.dtype) -> Tensor | None:
        """Begin a pass of ``width`` tokens a row: its additive mask [B, 1, width, slots], or None.

        It is None where the model's own causal mask will do.
        """
        self._width = width
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

    def keep(self, kept: Tensor) -> None:
        """After a pass, keep each row's first ``kept[b]`` entries of the window; nothing of rows with 0, ever again."""
        start = self.end
        self._move_down(start, self._width)
        self.lengths = torch.where(kept > 0, self.lengths + kept, self.pads)
        for layer in self._layers:
            if isinstance(layer, StaticLayer):
                layer.cumulative_length.fill_(self.end)
            else:
                layer.crop(self.end - (start + self._width))

    def _move_down(self, start: int, width: int) -> None:
        if (self.lengths == start).all():
            return
        slots = self.lengths[:, None] + torch.arange(width, device=self.lengths.device)
        for layer in self._layers:
            for held in (layer.keys, layer.values):
                window = held[:, :, start : start + width].clone()
                held.scatter_(2, slots[:, None, :, None].expand_as(window), window)
