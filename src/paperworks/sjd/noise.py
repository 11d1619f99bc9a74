"""The noise that belongs to a position for as long as decoding lasts, and the race that draws a token by it.

Token v of a law arrives at time E_v / law_v, where E are exponential numbers, and the first one is drawn. It is the
argmax of log law + Gumbel, said without logarithms.

A large vocabulary's noise is made from the top down: for each block of tokens the least number and which token has it,
then, only for blocks that may have the winner, the others. For n exponential numbers that is the same law: the least
one is exponential too, n times faster, and equally likely to be anybody's; what the others have more than it is again
exponential. So hardly any noise is ever made, and none is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from .mixing import GAMMA, fine_unit, mixed

__all__ = ["noise", "race", "winners"]

_NOISE, _LEAST, _OTHERS = 3, 4, 5  # what a number is for, as in `randomness`
_BLOCK = 32
_PROMISING = 8  # blocks that are raced first
_SMALL = 512  # a vocabulary whose noise costs less than sparing it


def noise(seeds: Tensor, positions: Tensor, vocabulary: int) -> Tensor:
    """The exponential noise of absolute ``positions`` [...] in rows with ``seeds`` [...]: [..., V], float32."""
    keys = _keys(seeds, positions)
    if vocabulary < _SMALL:
        return _exponential(_stream(keys, _OTHERS, vocabulary))
    blocks = -(-vocabulary // _BLOCK)
    least, who = _least(keys, blocks)
    every = torch.arange(blocks, device=keys.device).expand_as(least)
    return _block(_stream_key(keys, _OTHERS)[..., None], every, least, who).flatten(-2)[..., :vocabulary]


def race(laws: Tensor, exponential: Tensor) -> Tensor:
    """The token [...] that arrives first, at time exponential / law: distributed as ``laws`` [..., V]."""
    return (laws / exponential).argmax(-1)


def winners(laws: Tensor, seeds: Tensor, positions: Tensor) -> Tensor:
    """``race(laws, noise(seeds, positions, V))`` [N] of ``laws`` [N, V], without making all of the noise.

    No token of a block can be faster than its likeliest one would be with the block's least noise. So a few promising
    blocks are raced first, and then those only that may still have a faster token. Each law has a positive weight.
    """
    vocabulary = laws.shape[-1]
    if vocabulary < _SMALL:
        return race(laws, noise(seeds, positions, vocabulary))
    blocks = (pad(laws, (0, -vocabulary % _BLOCK)) if vocabulary % _BLOCK else laws).reshape(len(laws), -1, _BLOCK)
    keys, each = _keys(seeds, positions), blocks.shape[1]
    least, who = _least(keys, each)
    track = _Track(blocks.flatten(0, 1), _stream_key(keys, _OTHERS), least.flatten(), who.flatten(), each)
    bounds = blocks.amax(-1) / least
    top = bounds.topk(_PROMISING, sorted=False).indices
    start = torch.arange(len(laws), device=laws.device)[:, None] * each
    best, place = track.speeds((start + top).flatten()).view(len(laws), -1).max(-1)
    token = top.gather(1, place[:, None] // _BLOCK)[:, 0] * _BLOCK + place % _BLOCK
    index = (bounds.scatter_(1, top, 0) > best[:, None]).flatten().nonzero()[:, 0]
    fast, place = track.speeds(index).max(-1)
    row = index // each
    better = best.scatter_reduce(0, row, fast, "amax")
    first = (fast == better[row]) & (fast > best[row])
    return token.index_put((row[first],), (index % each * _BLOCK + place)[first])


@dataclass(frozen=True, slots=True)
class _Track:
    """Blocks of laws, N times ``each`` of them, numbered through: [N each, 32], their least noise and who has it."""

    laws: Tensor
    keys: Tensor
    least: Tensor
    who: Tensor
    each: int

    def speeds(self, index: Tensor) -> Tensor:
        """How fast the tokens of the blocks ``index`` [M] are: [M, 32]."""
        keys, block = self.keys.index_select(0, index // self.each), index % self.each
        least, who = self.least.index_select(0, index), self.who.index_select(0, index)
        return self.laws.index_select(0, index) / _block(keys, block, least, who)


def _block(keys: Tensor, block: Tensor, least: Tensor, who: Tensor) -> Tensor:
    """The noise [..., 32] of a position's ``block`` [...], whose ``least`` number token ``who`` of it has."""
    place = torch.arange(_BLOCK, device=block.device)
    steps = (block * _BLOCK * GAMMA)[..., None] + (place + 1) * GAMMA
    more = _exponential(mixed(keys[..., None] + steps))
    return torch.where(place == who[..., None], least[..., None], more.add_(least[..., None]))


def _least(keys: Tensor, blocks: int) -> tuple[Tensor, Tensor]:
    """The least noise [..., blocks] of each block of a position, and which of its 32 tokens has it."""
    bits = _stream(keys, _LEAST, blocks)
    return _exponential(bits).div_(_BLOCK), bits & (_BLOCK - 1)  # from the upper 52 bits, and from the lowest 5


def _exponential(bits: Tensor) -> Tensor:
    return fine_unit(bits).neg_().log1p_().neg_()


def _keys(seeds: Tensor, positions: Tensor) -> Tensor:
    return mixed(mixed(mixed(seeds) + _NOISE) + positions)


def _stream_key(keys: Tensor, kind: int) -> Tensor:
    return mixed(keys + kind)


def _stream(keys: Tensor, kind: int, length: int) -> Tensor:
    """So many random integers [..., length] for each of ``keys`` [...]."""
    return mixed(_stream_key(keys, kind)[..., None] + torch.arange(1, length + 1, device=keys.device) * GAMMA)
