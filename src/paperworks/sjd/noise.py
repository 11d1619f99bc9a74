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

from .mixing import GAMMA, mixed

__all__ = ["noise", "race", "winners"]

_NOISE, _LEAST, _OTHERS = 3, 4, 5  # what a number is for, as in `randomness`
_BLOCK = 32
_MIDDLE = 2**63 - 2**12
_PROMISING = 8  # blocks that are raced first
_ROUNDING = 1 - 2**-20  # a margin, so that no rounding leaves the fastest token out
_SMALL = 2048  # a vocabulary whose noise costs a window less than sparing it does


def noise(seeds: Tensor, positions: Tensor, vocabulary: int) -> Tensor:
    """The exponential noise of absolute ``positions`` [...] in rows with ``seeds`` [...]: [..., V], float32."""
    keys = _keys(seeds, positions)
    if vocabulary < _SMALL:
        return _log(_stream(keys, _OTHERS, vocabulary)).neg_()
    bits = _stream(keys, _LEAST, -(-vocabulary // _BLOCK))
    every = torch.arange(bits.shape[-1], device=keys.device).expand_as(bits)
    others = _stream_key(keys, _OTHERS)[..., None]
    return _block(others, every, _least(bits), _who(bits)).flatten(-2)[..., :vocabulary]


def race(laws: Tensor, exponential: Tensor) -> Tensor:
    """The token [...] that arrives first, at time exponential / law: distributed as ``laws`` [..., V]."""
    return (laws / exponential).argmax(-1)


def winners(laws: Tensor, seeds: Tensor, positions: Tensor) -> Tensor:
    """``race(laws, noise(seeds, positions, V))`` [N] of ``laws`` [N, V], without making all of the noise.

    No token is faster than it would be with its block's least noise. So a few promising blocks are raced first, and
    then those tokens only that may be as fast as the fastest of them. Each law has a positive weight.
    """
    vocabulary = laws.shape[-1]
    if vocabulary < _SMALL or not len(laws):
        return race(laws, noise(seeds, positions, vocabulary))
    track = _Track.lay(laws, _keys(seeds, positions))
    bounds = track.laws.amax(-1).div_(track.least).view(len(laws), -1)
    top = bounds.topk(_PROMISING, sorted=False).indices
    promising = (torch.arange(len(laws), device=laws.device)[:, None] * track.each + top).flatten()
    best = track.speeds(promising).view(len(laws), -1).amax(-1)
    blocks = (bounds >= best[:, None]).flatten().nonzero()[:, 0]
    blocks, place = track.perhaps_as_fast(blocks, best)
    speed = track.laws[blocks, place] / track.noise(blocks, place)
    row = blocks // track.each
    first = speed == best.scatter_reduce(0, row, speed, "amax")[row]
    return torch.zeros_like(positions).index_put((row[first],), (blocks % track.each * _BLOCK + place)[first])


@dataclass(frozen=True, slots=True)
class _Track:
    """N laws cut into ``each`` blocks, numbered through: [N each, 32], and the ``least`` noise of each block.

    ``bits`` say which token has it, and ``keys`` [N] make the noise of the others.
    """

    laws: Tensor
    least: Tensor
    bits: Tensor
    keys: Tensor
    each: int

    @classmethod
    def lay(cls, laws: Tensor, keys: Tensor) -> _Track:
        whole = pad(laws, (0, -laws.shape[-1] % _BLOCK)) if laws.shape[-1] % _BLOCK else laws
        each = whole.shape[-1] // _BLOCK
        bits = _stream(keys, _LEAST, each).flatten()
        return cls(whole.reshape(-1, _BLOCK), _least(bits), bits, _stream_key(keys, _OTHERS), each)

    def perhaps_as_fast(self, blocks: Tensor, best: Tensor) -> tuple[Tensor, Tensor]:
        """Blocks [T], of ``blocks`` [M], and places in them of tokens that may be as fast as ``best`` [N] of their law.

        Most tokens are not likely enough for that even with their block's least noise.
        """
        row = blocks // self.each
        needed = best.index_select(0, row) * self.least.index_select(0, blocks) * _ROUNDING
        which, place = (self.laws.index_select(0, blocks) >= needed[:, None]).nonzero(as_tuple=True)
        return blocks.index_select(0, which), place

    def speeds(self, blocks: Tensor) -> Tensor:
        """How fast all tokens of ``blocks`` [M] are: [M, 32]."""
        place = torch.arange(_BLOCK, device=blocks.device).expand(len(blocks), -1)
        noise = self.noise(blocks[:, None].expand_as(place).flatten(), place.flatten())
        return self.laws.index_select(0, blocks) / noise.view_as(place)

    def noise(self, blocks: Tensor, place: Tensor) -> Tensor:
        """The noise [T] of the tokens at ``place`` [T] of ``blocks`` [T]."""
        keys, least = self.keys.index_select(0, blocks // self.each), self.least.index_select(0, blocks)
        others = _others(keys + _step(blocks % self.each * _BLOCK + place), least)
        return torch.where(place == _who(self.bits.index_select(0, blocks)), least, others)


def _block(keys: Tensor, block: Tensor, least: Tensor, who: Tensor) -> Tensor:
    """The noise [..., 32] of a position's ``block`` [...], whose ``least`` number token ``who`` of it has."""
    steps = _step(block * _BLOCK)[..., None] + torch.arange(_BLOCK, device=block.device) * GAMMA
    return _others(keys[..., None] + steps, least[..., None]).scatter_(-1, who[..., None], least[..., None])


def _others(keys: Tensor, least: Tensor) -> Tensor:
    """The noise of tokens with these ``keys`` in blocks whose ``least`` number another token has."""
    return torch.sub(least, _log(mixed(keys)))


def _least(bits: Tensor) -> Tensor:
    """The least of 32 exponential numbers, by the middle of ``bits``."""
    return _log(bits).mul_(-1 / _BLOCK)


def _who(bits: Tensor) -> Tensor:
    """Which of the 32 has it, by the lowest of ``bits``."""
    return bits & (_BLOCK - 1)


def _log(bits: Tensor) -> Tensor:
    """The logarithm of a uniform number by the middle 51 of ``bits``, float32: minus an exponential number.

    It is precise where that is small, down to 2^-52: there are the winners.
    """
    return (bits & _MIDDLE).float().add_(2.0**11).mul_(-(2.0**-63)).log1p_()


def _step(token: Tensor) -> Tensor:
    return (token + 1) * GAMMA


def _keys(seeds: Tensor, positions: Tensor) -> Tensor:
    return mixed(mixed(mixed(seeds) + _NOISE) + positions)


def _stream_key(keys: Tensor, kind: int) -> Tensor:
    return mixed(keys + kind)


def _stream(keys: Tensor, kind: int, length: int) -> Tensor:
    """So many random integers [..., length] for each of ``keys`` [...]."""
    return mixed(_stream_key(keys, kind)[..., None] + _step(torch.arange(length, device=keys.device)))
