"""The noise that belongs to a position for as long as decoding lasts, and the race that draws a token by it.

Token v of a law arrives at time E_v / law_v, where E are exponential numbers, and the first one is drawn. It is the
argmax of log law + Gumbel, said without logarithms.

A large vocabulary's noise is made from the top down: for each block of tokens the least number and which token has it,
then, only for blocks that may have the winner, the others. For n exponential numbers that is the same law: the least
one is exponential too, n times faster, and equally likely to be anybody's; what the others have more than it is again
exponential. So hardly any noise is ever made, and none is kept.

A block has 16 tokens, as far apart as there are blocks: the likeliest tokens of all blocks are then found by 16
comparisons of whole rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from .mixing import GAMMA, mixed

__all__ = ["noise", "race", "winners"]

_NOISE, _LEAST, _OTHERS = 3, 4, 5  # what a number is for, as in `randomness`
_BLOCK = 16
_MIDDLE = 2**63 - 2**12
_PROMISING = 8  # blocks that are raced first
_ROUNDING = 1 - 2**-20  # a margin, so that no rounding leaves the fastest token out
_SMALL = 2048  # a vocabulary whose noise costs a window less than sparing it does


def noise(seeds: Tensor, positions: Tensor, vocabulary: int) -> Tensor:
    """The exponential noise of absolute ``positions`` [...] in rows with ``seeds`` [...]: [..., V], float32."""
    keys = _keys(seeds, positions)
    if vocabulary < _SMALL:
        return _exponential(_stream(keys, _OTHERS, vocabulary))
    blocks = -(-vocabulary // _BLOCK)
    bits = _stream(keys, _LEAST, blocks)
    least = _least(bits)[..., None, :]
    others = _exponential(_stream(keys, _OTHERS, _BLOCK * blocks)).view(*keys.shape, _BLOCK, blocks).add_(least)
    return others.scatter_(-2, _who(bits)[..., None, :], least).flatten(-2)[..., :vocabulary]


def race(laws: Tensor, exponential: Tensor) -> Tensor:
    """The token [...] that arrives first, at time exponential / law: distributed as ``laws`` [..., V]."""
    return (laws / exponential).argmax(-1)


def winners(laws: Tensor, seeds: Tensor, positions: Tensor) -> Tensor:
    """``race(laws, noise(seeds, positions, V))`` [N] of ``laws`` [N, V], without making all of the noise.

    No token is faster than it would be with its block's least noise. So a few promising blocks are raced first, and
    then those tokens only that may be as fast as the fastest of them. Each law has a positive weight. On a CPU it is
    compiled, and the noise the same to the rounding of a logarithm.
    """
    keys = _keys(seeds, positions)
    if laws.device.type == "cpu":
        return _compiled(laws, keys)
    if laws.shape[-1] < _SMALL or not len(laws):
        return race(laws, noise(seeds, positions, laws.shape[-1]))
    return _by_blocks(laws, keys)


def _compiled(laws: Tensor, keys: Tensor) -> Tensor:
    from . import noise_kernels

    won = np.empty(len(laws), np.int64)
    others = _unsigned(_stream_key(keys, _OTHERS))
    if laws.shape[-1] < _SMALL:
        noise_kernels.race_of_all(laws.contiguous().numpy(), others, won)
    else:
        least = _unsigned(_stream_key(keys, _LEAST))
        noise_kernels.race_by_blocks(laws.contiguous().numpy(), least, others, _BLOCK, won)
    return torch.from_numpy(won)


def _by_blocks(laws: Tensor, keys: Tensor) -> Tensor:
    """`winners` in operations of torch."""
    track = _Track.lay(laws, keys)
    bounds = track.laws.amax(1).div_(track.least)
    top = bounds.topk(_PROMISING, sorted=False).indices
    row = torch.arange(len(laws), device=laws.device)[:, None].expand_as(top)
    best = track.speeds(row.flatten(), top.flatten()).view(len(laws), -1).amax(-1)
    row, block = (bounds >= best[:, None]).nonzero(as_tuple=True)
    row, block, place = track.perhaps_as_fast(row, block, best)
    speed = track.laws[row, place, block] / track.noise(row, place, block)
    first = speed == best.scatter_reduce(0, row, speed, "amax")[row]
    return torch.zeros_like(keys).index_put((row[first],), (place * bounds.shape[1] + block)[first])


@dataclass(frozen=True, slots=True)
class _Track:
    """N laws [N, 16, blocks], and the ``least`` noise of each block [N, blocks].

    ``bits`` say which token has it, and ``keys`` [N] make the noise of the others.
    """

    laws: Tensor
    least: Tensor
    bits: Tensor
    keys: Tensor

    @classmethod
    def lay(cls, laws: Tensor, keys: Tensor) -> _Track:
        whole = pad(laws, (0, -laws.shape[-1] % _BLOCK)).view(len(laws), _BLOCK, -1)
        bits = _stream(keys, _LEAST, whole.shape[-1])
        return cls(whole, _least(bits), bits, _stream_key(keys, _OTHERS))

    def perhaps_as_fast(self, row: Tensor, block: Tensor, best: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of blocks [M] in their rows, the rows, blocks and places of tokens that may be as fast as ``best`` [N].

        Most tokens are not likely enough for that even with their block's least noise.
        """
        needed = best[row] * self.least[row, block] * _ROUNDING
        which, place = (self.laws[row, :, block] >= needed[:, None]).nonzero(as_tuple=True)
        return row[which], block[which], place

    def speeds(self, row: Tensor, block: Tensor) -> Tensor:
        """How fast all tokens of blocks [M] are: [M, 16]."""
        place = torch.arange(_BLOCK, device=block.device)
        return self.laws[row, :, block] / self.noise(row[:, None], place, block[:, None])

    def noise(self, row: Tensor, place: Tensor, block: Tensor) -> Tensor:
        """The noise of tokens, all three of one shape or stretched to it."""
        least = self.least[row, block]
        tokens = place * self.least.shape[1] + block
        others = _exponential(mixed(self.keys[row] + _step(tokens))).add_(least)
        return torch.where(place == _who(self.bits[row, block]), least, others)


def _exponential(bits: Tensor) -> Tensor:
    """An exponential number by the middle 51 of ``bits``, float32: minus the logarithm of a uniform one.

    It is precise where it is small, down to 2^-52: there are the winners.
    """
    return (bits & _MIDDLE).float().add_(2.0**11).mul_(-(2.0**-63)).log1p_().neg_()


def _least(bits: Tensor) -> Tensor:
    """The least of a block's exponential numbers, by the middle of ``bits``."""
    return _exponential(bits).mul_(1 / _BLOCK)


def _who(bits: Tensor) -> Tensor:
    """Which token of the block has it, by the lowest of ``bits``."""
    return bits & (_BLOCK - 1)


def _step(token: Tensor) -> Tensor:
    return (token + 1) * GAMMA


def _keys(seeds: Tensor, positions: Tensor) -> Tensor:
    return mixed(mixed(mixed(seeds) + _NOISE) + positions)


def _stream_key(keys: Tensor, kind: int) -> Tensor:
    return mixed(keys + kind)


def _stream(keys: Tensor, kind: int, length: int) -> Tensor:
    """So many random integers [..., length] for each of ``keys`` [...]."""
    return mixed(_stream_key(keys, kind)[..., None] + _step(torch.arange(length, device=keys.device)))


def _unsigned(keys: Tensor) -> NDArray[np.uint64]:
    view: NDArray[np.uint64] = keys.numpy().view(np.uint64)
    return view
