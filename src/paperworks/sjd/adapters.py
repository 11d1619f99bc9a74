"""Models as decoding sees them: the protocol that any model can follow, and the one class for those of transformers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from .families import Family, family_of
from .ragged_cache import RaggedCache, check_layers

__all__ = ["ARAdapter", "TransformersAdapter", "adapter_for"]

_MASKED = ("eager", "sdpa")  # attention implementations that take a mask of their caller


class ARAdapter(Protocol):
    """What decoding asks of an auto-regressive model, for R rows at once and a cache of the model's own kind.

    R is the batch, or twice the batch where it is guided: the negative prompts are the second half.
    """

    @property
    def vocabulary(self) -> int:
        """How many tokens V a law is over."""
        ...

    @property
    def image_vocab(self) -> Tensor | None:
        """The ids [M] of image tokens, which first drafts of a picture are taken from; None for all."""
        ...

    def prefill(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Any]:
        """Logits [R, 1, V] after prompts [R, P], whose ``mask`` is 0 for padding on the left; and the cache."""
        ...

    def window_logits(self, tokens: Tensor, counts: Tensor, cache: Any) -> Tensor:
        """Logits [R, w, V] after each of ``tokens`` [R, w]: a row's newest token and its ``counts`` [R] drafts.

        What stands behind a row's drafts is padding, and its logits are not read.
        """
        ...

    def rollback(self, cache: Any, n_keep: Tensor) -> None:
        """Keep the entries of each row's first ``n_keep`` [R] tokens of the latest window; 0 where a row has ended."""
        ...

    def room(self, cache: Any) -> int | None:
        """How many tokens the next window may have; None where the cache grows."""
        ...


class TransformersAdapter:
    """`ARAdapter` of a ``model`` of transformers and an empty ``cache`` for it, a `DynamicCache` or `StaticCache`.

    ``inputs`` are what the prompt's pass gets besides tokens, such as encoded pictures.
    """

    def __init__(self, model: Any, cache: Any, family: Family, inputs: Mapping[str, Any] | None = None) -> None:
        self.model, self._cache, self._family, self.inputs = model, cache, family, dict(inputs or {})

    @property
    def vocabulary(self) -> int:
        """See `ARAdapter`."""
        return self._family.vocabulary(self.model)

    @property
    def image_vocab(self) -> Tensor | None:
        """See `ARAdapter`."""
        return self._family.image_vocab(self.model)

    def prefill(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, RaggedCache]:
        """See `ARAdapter`. Raises ValueError for a cache in use, and for one that cannot be rolled back."""
        positions, later = self._family.positions(self.model, ids, mask, self.inputs)
        cache = RaggedCache(self._cache, mask, later)
        inputs = {**self._family.prompt(self.model, ids), **self.inputs}
        logits = self._logits(inputs, None if mask.all() else mask, positions, cache, 1)
        check_layers(cache.cache)
        return logits, cache

    def window_logits(self, tokens: Tensor, counts: Tensor, cache: RaggedCache) -> Tensor:
        """See `ARAdapter`. Padding has the position of the last draft, since a model may know no further ones."""
        width = tokens.shape[1]
        mask = cache.window_mask(width, self.model.dtype)
        attention = self.model.config.get_text_config()._attn_implementation
        if mask is not None and attention not in _MASKED:
            raise ValueError(
                f"attention {attention!r} takes no mask for rows of different lengths: use one of "
                f"{', '.join(_MASKED)}, or decode one prompt at a time"
            )
        place = torch.arange(width, device=tokens.device)
        positions = cache.positions((cache.lengths - cache.pads)[:, None] + torch.minimum(place, counts[:, None]))
        return self._logits(self._family.window(self.model, tokens), mask, positions, cache, width)

    def rollback(self, cache: RaggedCache, n_keep: Tensor) -> None:
        """See `ARAdapter`."""
        cache.keep(n_keep)

    def room(self, cache: RaggedCache) -> int | None:
        """See `ARAdapter`."""
        return cache.room

    def _logits(
        self, inputs: dict[str, Any], mask: Tensor | None, positions: Tensor | None, cache: RaggedCache, kept: int
    ) -> Tensor:
        inputs |= {"attention_mask": mask, "past_key_values": cache.cache, "use_cache": True, "return_dict": True}
        if positions is not None:
            inputs["position_ids"] = positions
        return self._family.logits(self.model, inputs, kept)


def adapter_for(
    model: Any, cache: Any, inputs: Mapping[str, Any] | None = None, *, picture: bool = False
) -> TransformersAdapter:
    """The adapter of ``model``'s class; ``picture`` asks for image tokens of a model that draws and writes.

    ``inputs`` are what `generate` has prepared besides tokens. Raises ValueError for some that the class's prompt does
    not take.
    """
    family = family_of(model, picture=picture)
    given = {name: value for name, value in (inputs or {}).items() if not _nothing(value)}
    if unknown := sorted(given.keys() - family.takes):
        raise ValueError(f"speculative Jacobi decoding does not know how to pass {', '.join(unknown)} on to windows")
    return TransformersAdapter(model, cache, family, given)


def _nothing(value: Any) -> bool:
    return value is None or (isinstance(value, Mapping) and not value)
