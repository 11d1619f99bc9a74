"""From logits to laws: the caller's own logits processors, each row of a window seeing its own prefix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessorList
from transformers.generation import logits_process

__all__ = ["Laws"]

_POSITION_FREE = (
    logits_process.TemperatureLogitsWarper,
    logits_process.TopKLogitsWarper,
    logits_process.TopPLogitsWarper,
    logits_process.TopHLogitsWarper,
    logits_process.MinPLogitsWarper,
    logits_process.TypicalLogitsWarper,
    logits_process.EpsilonLogitsWarper,
    logits_process.EtaLogitsWarper,
    logits_process.SuppressTokensLogitsProcessor,
    logits_process.LogitNormalization,
)
"""Processors that look at the scores of a row and at nothing else, so that all rows may go through them at once."""


@dataclass(frozen=True, slots=True)
class Laws:
    """Turns the logits of a window into laws: ``processors``, then softmax, or a point mass where not ``sampled``."""

    processors: LogitsProcessorList
    sampled: bool

    @property
    def position_free(self) -> bool:
        """Whether no processor asks for the prefix. Only exact types are known not to: a subclass may."""
        return all(type(processor) in _POSITION_FREE for processor in self.processors)

    def __call__(self, logits: Tensor, ids: Tensor, lengths: Tensor) -> Tensor:
        """Laws [B, R, V] of ``logits`` [B, R, V], in float32 at least.

        ``ids`` [B, S] holds prompts, taken tokens and drafts; row i of sequence b follows its first
        ``lengths[b] + i`` ids. Raises ValueError where logits or processed scores are no numbers, or leave no token.
        """
        scores = logits.to(torch.promote_types(logits.dtype, torch.float32))
        if self.processors:
            scores = self._at_once(scores) if self.position_free else self._by_length(scores, ids, lengths)
        if self.sampled:
            laws = scores.softmax(-1)
        else:
            laws = torch.zeros_like(scores).scatter_(-1, scores.argmax(-1, keepdim=True), 1)
        if not torch.isfinite(laws.sum()) or torch.isnan(logits).any():
            raise ValueError(
                "the model's logits are not numbers, or the processors leave no token: no law can be made of them"
            )
        return laws

    def _at_once(self, scores: Tensor) -> Tensor:
        rows = scores.flatten(0, 1)
        unread: Any = torch.empty(len(rows), 0, dtype=torch.long, device=rows.device)
        return self.processors(unread, rows).view_as(scores)

    def _by_length(self, scores: Tensor, ids: Tensor, lengths: Tensor) -> Tensor:
        """One call for each length of prefix, with all sequences at their own index of the batch.

        So processors that count tokens, or treat sequences by their index, see what they see in ``generate``. A
        sequence without a row of that length takes part with the ids it has, and its answer is not used.
        """
        processed = scores.clone()
        places = scores.shape[1]
        first, last = int(lengths.min()), int(lengths.max()) + places - 1
        for length in range(first, min(last, ids.shape[1]) + 1):
            row = length - lengths
            has = (row >= 0) & (row < places)
            index = torch.arange(len(row), device=row.device), row.clamp(0, places - 1)
            answer: Tensor = self.processors(ids[:, :length], scores[index])  # type: ignore[arg-type]
            processed[index[0][has], index[1][has]] = answer[has]
        return processed
