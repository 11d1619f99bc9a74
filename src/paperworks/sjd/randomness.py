"""Random numbers that are a function of (seed, turn, position, token): neither batch nor window changes them."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad

from .mixing import mixed, unit
from .noise import noise, race, winners

__all__ = ["CounterSource", "Source", "inverse", "noise", "race"]

_BLOCK = 128

_ACCEPT, _DRAW = 1, 2  # what a number is for: streams that never meet, nor that of `noise`


class Source(Protocol):
    """Where a decoding step takes its randomness from.

    Every method is asked for [B, R] outcomes: of row b at the absolute ``positions`` [B, R], and only those where
    ``where`` [B, R] is true count; the others may be anything that is a token.
    """

    def bernoulli(self, above: Tensor, below: Tensor, positions: Tensor, where: Tensor) -> Tensor:
        """True with probability min(1, above / below); ``above`` and ``below`` [B, R] are not negative."""
        ...

    def categorical(self, laws: Tensor, positions: Tensor, where: Tensor) -> Tensor:
        """A token from each of ``laws`` [B, R, V], weights that need not sum to 1; independent of all else."""
        ...

    def shared(self, laws: Tensor, positions: Tensor, where: Tensor) -> Tensor:
        """A token from each of ``laws`` [B, R, V] by noise that a position keeps for as long as decoding lasts."""
        ...


@dataclass(frozen=True, slots=True)
class CounterSource:
    """Numbers for rows with ``seeds`` [B]; those of ``bernoulli`` and ``categorical`` are new at every ``turn``.

    A turn asks for at most one of each kind at a position. So what a row draws depends on its own seed, turn and
    position, not on the rows beside it.
    """

    seeds: Tensor
    turn: int = 0
    _keys: Tensor = field(init=False)

    def __post_init__(self) -> None:
        kinds = torch.arange(_DRAW + 1, device=self.seeds.device)[:, None]
        object.__setattr__(self, "_keys", mixed(mixed(self.seeds) + kinds))

    def at(self, turn: int) -> CounterSource:
        """The same source at another turn."""
        other = copy(self)
        object.__setattr__(other, "turn", turn)
        return other

    def bernoulli(self, above: Tensor, below: Tensor, positions: Tensor, where: Tensor) -> Tensor:
        """See `Source`; multiplies rather than divides, since ``below`` may be 0."""
        return self._uniform(_ACCEPT, positions) * below < above

    def categorical(self, laws: Tensor, positions: Tensor, where: Tensor) -> Tensor:
        """See `Source`; the inverse of the distribution function, whatever ``where`` says, which would only cost."""
        return inverse(laws, self._uniform(_DRAW, positions))

    def shared(self, laws: Tensor, positions: Tensor, where: Tensor) -> Tensor:
        """See `Source`: Gumbel's argmax, as the race that it is equivalent to."""
        rows = self.seeds[:, None].expand_as(positions)
        if where.all():  # nothing to copy
            return winners(laws.flatten(0, 1), rows.flatten(), positions.flatten()).view_as(positions)
        tokens = torch.zeros_like(positions)
        tokens[where] = winners(laws[where], rows[where], positions[where])
        return tokens

    def _uniform(self, kind: int, positions: Tensor) -> Tensor:
        return unit(mixed(mixed(self._keys[kind] + self.turn)[:, None] + positions))


def inverse(laws: Tensor, level: Tensor) -> Tensor:
    """The first token [...] at which the sums of ``laws`` [..., V] exceed ``level`` [...] of their total.

    First the block of tokens is found and then the token in it, so that the laws are read once and their sums never
    written down. A block is summed in the laws' own precision, everything else in float64.
    """
    vocabulary = laws.shape[-1]
    blocks = laws if vocabulary % _BLOCK == 0 else pad(laws, (0, -vocabulary % _BLOCK))
    blocks = blocks.reshape(*blocks.shape[:-1], blocks.shape[-1] // _BLOCK, _BLOCK)
    block, level = _crossing(blocks.sum(-1).double(), level, relative=True)
    inside = blocks.gather(-2, block[..., None, None].expand(*block.shape, 1, _BLOCK))[..., 0, :].double()
    token, _ = _crossing(inside, level, relative=False)
    return block * _BLOCK + token


def _crossing(weights: Tensor, level: Tensor, *, relative: bool) -> tuple[Tensor, Tensor]:
    """Where the sums of ``weights`` [..., M] first exceed ``level``, and what of the level is left there."""
    sums = weights.cumsum(-1)
    total = sums[..., -1]
    level = level * total if relative else level
    level = torch.minimum(level, torch.nextafter(total, torch.zeros_like(total)))
    index = torch.searchsorted(sums, level[..., None], right=True)
    before = (sums - weights).gather(-1, index)
    return index[..., 0], (level[..., None] - before)[..., 0].clamp_min(0)
