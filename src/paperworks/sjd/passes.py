"""The passes of the model: the prompt's, and those of windows, with or without guidance."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .adapters import ARAdapter

__all__ = ["Passes"]


class Passes:
    """A model's logits for a batch of B sequences, and what of each pass is kept.

    With ``guidance`` there are as many negative prompts behind the prompts, so 2 B rows go through the model, which
    combine to l_u + g (l_c - l_u).
    """

    def __init__(self, adapter: ARAdapter, guidance: float | None = None) -> None:
        self._adapter, self._guidance = adapter, guidance
        self._cache: Any = None

    @property
    def room(self) -> int | None:
        """How many tokens the next window may have; None where the cache grows."""
        return self._adapter.room(self._cache)

    def prompts(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Logits [B, 1, V] after the prompts and negative prompts [B or 2 B, P]; ``mask`` is 0 for padding."""
        logits, self._cache = self._adapter.prefill(ids, mask)
        return self._combined(logits)

    def window(self, tokens: Tensor, counts: Tensor) -> Tensor:
        """Logits [B, R, V] after each of ``tokens`` [B, R]: the newest taken token and ``counts`` [B] drafts.

        Behind its drafts a row's tokens are anything, and so are its logits.
        """
        if self._guidance is not None:
            tokens, counts = tokens.repeat(2, 1), counts.repeat(2)
        return self._combined(self._adapter.window_logits(tokens, counts, self._cache))

    def keep(self, taken: Tensor) -> None:
        """Keep the entries of each row's first ``taken`` [B] inputs of the window; 0 where a row has ended."""
        self._adapter.rollback(self._cache, taken if self._guidance is None else taken.repeat(2))

    def _combined(self, logits: Tensor) -> Tensor:
        if self._guidance is None:
            return logits
        conditional, negative = logits.to(torch.promote_types(logits.dtype, torch.float32)).chunk(2)
        return negative + self._guidance * (conditional - negative)
