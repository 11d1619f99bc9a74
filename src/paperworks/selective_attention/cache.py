"""A key-value cache that drops, for good, what a layer's tokens have voted out (Section 3).

Each layer keeps, beside its keys and values, the position of every stored token and the penalty on it, row by row: rows
evict different tokens. Positions are those of the rotary embedding, so a key needs no change when others go, and the
length that transformers sees is the number of tokens *seen*, not stored.

A row that stores less than another is filled up at its end with keys of position -1, which nobody sees.

Shapes: B batch, H_kv key/value heads, K stored tokens, D head width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicLayer

from .config import Budgets
from .layout import PADDING
from .models import settings_of

__all__ = ["SelectiveCache", "SelectiveLayer"]

LAYER = "_selective_layer"  # on the keys that go to the attention function, which is not told of the cache


class SelectiveLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """One layer's keys and values [B, H_kv, K, D], positions and penalties [B, K].

    ``budget`` is how many tokens are kept from one step to the next, None for all; ``window`` W lets go besides what
    the next query is W or more positions ahead of.
    """

    keys: Tensor  # absent until the first update, which transformers tells by is_initialized
    values: Tensor

    def __init__(self, budget: int | None = None, window: int | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.budget, self.window = budget, window
        self.record_past = False
        self.reset()

    def reset(self) -> None:
        """Forget everything; the budget stays."""
        super().reset()
        self.seen, self.evicted = 0, False
        self._rows: list[Tensor] = []

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Start with nothing stored for the rows of ``key_states`` [B, H_kv, N, D]."""
        super().lazy_initialization(key_states, value_states)
        rows, device = key_states.shape[0], key_states.device
        wide = torch.promote_types(key_states.dtype, torch.float32)
        self.positions = torch.empty(rows, 0, dtype=torch.long, device=device)
        self.penalty = torch.empty(rows, 0, dtype=wide, device=device)
        self.count = torch.zeros(rows, dtype=torch.long, device=device)

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append [B, H_kv, N, D] and return all that is stored [B, H_kv, K + N, D]; the attention function evicts.

        Raises RuntimeError where the model's attention is not selective.
        """
        if self.is_initialized and self.positions.shape[1] != self.keys.shape[2]:
            raise RuntimeError("a SelectiveCache needs a model with selective attention: enable(model) first")
        keys, values = super().update(key_states, value_states, *args, **kwargs)
        self.seen += key_states.shape[2]
        view = keys.view_as(keys)  # of its own, so that what the layer stores does not refer to the layer
        setattr(view, LAYER, self)
        return view, values

    def place(self, new: int, present: Tensor | None) -> Tensor:
        """The positions [B, K + N] of all keys, given which of the ``new`` last ones are there (boolean [B, N])."""
        if present is None:
            present = self.count.new_ones(len(self.count), new, dtype=torch.bool)
        places = torch.where(present, self.count[:, None] + present.cumsum(-1) - 1, PADDING)
        self.positions = torch.cat([self.positions, places], dim=1)
        self.penalty = torch.cat([self.penalty, self.penalty.new_zeros(places.shape)], dim=1)
        self.count = self.count + present.sum(-1)
        return self.positions

    def settle(self, penalty: Tensor, stored: Tensor, history: Tensor | None) -> None:
        """Take over the penalty [B, K] after a call and let go of what is not ``stored`` (boolean [B, K]).

        ``history`` [B, N, K] is the penalty at each of the call's queries, which `crop` goes back to.
        """
        self.penalty = penalty
        if self.record_past and history is not None:
            self._rows.extend(history.unbind(1))
        elif self.window is not None or (self.budget is not None and stored.shape[1] > self.budget):
            self._keep(stored)

    def _keep(self, stored: Tensor) -> None:
        most = int(stored.sum(-1).max())
        if most == stored.shape[1]:
            return
        order = stored.logical_not().to(torch.uint8).argsort(dim=-1, stable=True)[:, :most]
        self.positions = self.positions.gather(1, order).masked_fill(~stored.gather(1, order), PADDING)
        self.penalty = self.penalty.gather(1, order)
        of_keys = order[:, None, :, None]
        self.keys = self.keys.gather(2, of_keys.expand(-1, self.keys.shape[1], -1, self.keys.shape[3]))
        self.values = self.values.gather(2, of_keys.expand(-1, self.values.shape[1], -1, self.values.shape[3]))
        self.evicted = True

    def get_seq_length(self) -> int:
        """How many tokens the layer has seen."""
        return self.seen

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """The mask is over all tokens seen: it says which were padding, and positions say the rest."""
        return self.seen + query_length, 0

    @property
    def nbytes(self) -> int:
        """The bytes that this layer occupies, counted by its tensors' storage."""
        if not self.is_initialized:
            return 0
        parts = (self.keys, self.values, self.positions, self.penalty, self.count)
        return sum(int(part.untyped_storage().nbytes()) for part in parts)

    @property
    def is_croppable(self) -> bool:  # type: ignore[override]
        """Whether `crop` can go back, after `activate_past_recording`."""
        return self.budget is None

    def activate_past_recording(self) -> None:
        """Keep what `crop` needs: votes cannot be taken back, so the penalty of every query from here on."""
        self.record_past = self.is_croppable

    def crop(self, tokens_to_remove: int) -> None:
        """Go back by ``-tokens_to_remove`` tokens, each seen since `activate_past_recording` or the last crop.

        Raises ValueError for what is not recorded: tokens seen before, or any with a budget.
        """
        remove = -tokens_to_remove
        if remove < 0:
            raise ValueError(f"crop takes the tokens to remove as a negative number, not {tokens_to_remove}")
        if remove > len(self._rows):
            why = "is not possible with a budget" if self.budget else "needs activate_past_recording() before them"
            raise ValueError(f"{remove} tokens cannot be cropped: taking back their votes {why}")
        if remove:
            left = self.positions.shape[1] - remove
            self.penalty = self._rows[-remove][:, :left]
            self.count = self.count - (self.positions[:, left:] >= 0).sum(-1)
            self.positions, self.seen = self.positions[:, :left], self.seen - remove
            self.keys, self.values = self.keys[:, :, :left], self.values[:, :, :left]
        self._rows.clear()
        if self.window is not None and self.is_initialized:
            self._keep(self.positions > (self.count - self.window)[:, None])

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Row b becomes what row ``beam_idx[b]`` was."""
        self.batch_select_indices(beam_idx)

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep the rows ``indices``, or those where it is true."""
        if self.is_initialized:
            indices = torch.as_tensor(indices, device=self.keys.device)
            self._map_rows(lambda rows: rows[indices])

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeat each row."""
        if self.is_initialized:
            self._map_rows(lambda rows: rows.repeat_interleave(repeats, dim=0))

    def _map_rows(self, change: Any) -> None:
        self.keys, self.values = change(self.keys), change(self.values)
        self.positions, self.penalty, self.count = change(self.positions), change(self.penalty), change(self.count)
        self._rows = [change(row) for row in self._rows]


class SelectiveCache(Cache):
    """A `SelectiveLayer` for each layer of a model: ``model.generate(ids, past_key_values=SelectiveCache(model))``.

    ``model`` is a model with selective attention, or its config. ``budgets`` is one number for every layer that
    selects, or one a layer (None: no limit); None takes those of the model's settings. A layer stores between steps at
    most its budget of tokens, protected ones included, and the sequence goes on for as long as one likes.

    Raises ValueError for budgets that do not fit and for layers that keep no keys of their own.
    """

    def __init__(self, model: Any, budgets: Budgets = None) -> None:
        config = getattr(model, "config", model).get_text_config(decoder=True)
        windows = _windows(config)
        limits = settings_of(config).budgets_of(len(windows), budgets)
        super().__init__([SelectiveLayer(*limit) for limit in zip(limits, windows, strict=True)])

    @property
    def nbytes(self) -> int:
        """The bytes that all layers occupy."""
        return sum(layer.nbytes for layer in self.layers if isinstance(layer, SelectiveLayer))


def _windows(config: Any) -> list[int | None]:
    """The sliding window of each layer, None for one that sees everything."""
    window = getattr(config, "sliding_window", None)
    usual = "sliding_attention" if window is not None else "full_attention"
    kinds = getattr(config, "layer_types", None) or [usual] * config.num_hidden_layers
    shared = getattr(config, "num_kv_shared_layers", None) or getattr(config, "kv_sharing_modes", None)
    if shared or not set(kinds) <= {"full_attention", "sliding_attention"}:
        raise ValueError(
            "a SelectiveCache is for layers with keys of their own, of full or sliding attention, not those of "
            f"{config.model_type} ({', '.join(sorted(set(kinds)))})"
        )
    return [window if kind == "sliding_attention" else None for kind in kinds]
