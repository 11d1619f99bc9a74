"""Where a sequence ends inside the tokens that a pass took."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from transformers.generation.stopping_criteria import EosTokenCriteria, MaxLengthCriteria

__all__ = ["Stops"]


class Stops:
    """The caller's stopping criteria, each asked about every length that a sequence had, as in ``generate``.

    ``limit`` is the largest number of ids that they allow, None without one.
    """

    def __init__(self, criteria: Iterable[Any]) -> None:
        criteria = list(criteria)
        lengths = [one.max_length for one in criteria if type(one) is MaxLengthCriteria]
        self.limit: int | None = min(lengths, default=None)
        self._ends = [one.eos_token_id for one in criteria if type(one) is EosTokenCriteria]
        self._others = [one for one in criteria if type(one) not in (MaxLengthCriteria, EosTokenCriteria)]

    def cut(self, ids: Tensor, lengths: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Of the ``counts`` [B] tokens after the first ``lengths`` [B] ids, how many stay, and which rows end there.

        ``ids`` [B, S] holds the tokens taken already.
        """
        most = int(counts.max())
        place = torch.arange(most, device=ids.device)
        taken = place < counts[:, None]
        index = (lengths[:, None] + place).clamp_max(ids.shape[1] - 1)
        stops = self._at(ids, index, taken)
        reached = stops.any(1)
        kept = torch.where(reached, stops.long().argmax(1) + 1, counts)
        full = torch.zeros_like(reached) if self.limit is None else lengths + kept >= self.limit
        return kept, reached | full

    def _at(self, ids: Tensor, index: Tensor, taken: Tensor) -> Tensor:
        tokens = ids.gather(1, index)
        stops = torch.zeros_like(taken)
        for ends in self._ends:
            stops |= torch.isin(tokens, ends.to(ids.device))
        stops &= taken
        if self._others and taken.any():
            for length in torch.unique((index + 1)[taken]).tolist():
                here = taken & (index + 1 == length)
                for criterion in self._others:
                    stops |= here & _answer(criterion, ids[:, :length])[:, None]
        return stops


def _answer(criterion: Any, ids: Tensor) -> Tensor:
    """Whether ``criterion`` ends each sequence [B]; criteria may answer for all at once."""
    answer = torch.as_tensor(criterion(ids, None), device=ids.device, dtype=torch.bool)
    return answer.expand(len(ids))
