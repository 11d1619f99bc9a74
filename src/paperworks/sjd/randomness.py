"""Random numbers that are a function of (seed, turn, position, token), so that neither batch nor window changes them.

SplitMix64 (Steele, Lea and Flood 2014) in 64-bit integers of torch: the same numbers on every device.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad

__all__ = ["CounterSource", "Source", "inverse", "noise", "race"]

_BLOCK = 128

_GAMMA = -7046029254386353131  # 0x9E3779B97F4A7C15, the odd step of SplitMix64, as a signed integer
_MIX = (-4658895280553007687, -7723592293110705685)  # 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_ACCEPT, _DRAW, _NOISE = 1, 2, 3  # what a number is for: streams that never meet


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

    def at(self, turn: int) -> CounterSource:
        """The same source at another turn."""
        return replace(self, turn=turn)

    def bernoulli(self, above: Tensor, below: Tensor, positions: Tensor, where: Tensor) -> Tensor:
        """See `Source`; multiplies rather than divides, since ``below`` may be 0."""
        return self._uniform(_ACCEPT, positions) * below < above

    def categorical(self, laws: Tensor, positions: Tensor, where: Tensor) -> Tensor:
        """See `Source`; the inverse of the distribution function, whatever ``where`` says, which would only cost."""
        return inverse(laws, self._uniform(_DRAW, positions))

    def shared(self, laws: Tensor, positions: Tensor, where: Tensor) -> Tensor:
        """See `Source`: Gumbel's argmax, as the race that it is equivalent to."""
        tokens = torch.zeros_like(positions)
        rows = self.seeds[:, None].expand_as(positions)
        tokens[where] = race(laws[where], noise(rows[where], positions[where], laws.shape[-1]))
        return tokens

    def _uniform(self, kind: int, positions: Tensor) -> Tensor:
        key = _mixed(_mixed(_mixed(_mixed(self.seeds) + kind) + self.turn)[:, None] + positions)
        return _unit(key)


def noise(seeds: Tensor, positions: Tensor, vocabulary: int) -> Tensor:
    """The exponential noise of absolute ``positions`` [...] in rows with ``seeds`` [...]: [..., V], float64.

    Minus its logarithm is Gumbel noise, so ``race(law, noise)`` is the argmax of log law + Gumbel.
    """
    keys = _mixed(_mixed(_mixed(seeds) + _NOISE) + positions)
    steps = torch.arange(1, vocabulary + 1, device=keys.device) * _GAMMA
    return -torch.log1p(-_unit(_mixed(keys[..., None] + steps)))


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


def race(laws: Tensor, exponential: Tensor) -> Tensor:
    """The token [...] that arrives first, token v at time exponential[v] / law[v]: distributed as ``laws`` [..., V]."""
    return (laws / exponential).argmax(-1)


def _mixed(x: Tensor) -> Tensor:
    """SplitMix64's output function after one step: every bit of the result depends on every bit of ``x``."""
    x = x + _GAMMA
    x = (x ^ _shifted(x, 30)) * _MIX[0]
    x = (x ^ _shifted(x, 27)) * _MIX[1]
    return x ^ _shifted(x, 31)


def _shifted(x: Tensor, bits: int) -> Tensor:
    """A logical shift to the right, which torch's arithmetic one is after the sign's copies are masked off."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _unit(x: Tensor) -> Tensor:
    """The upper 52 bits as a number strictly between 0 and 1, float64."""
    return (_shifted(x, 12).double() + 0.5) * 2.0**-52
