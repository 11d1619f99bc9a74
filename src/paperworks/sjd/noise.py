"""The noise that belongs to a position for as long as decoding lasts, and the race that draws a token by it."""

from __future__ import annotations

import torch
from torch import Tensor

from .mixing import mixed, stream

__all__ = ["NoiseWindow", "noise", "race"]

_NOISE = 3  # what a number is for, as in `randomness`
_BLOCK = 128
_CACHED = 2**18  # numbers that a core's cache holds


def noise(seeds: Tensor, positions: Tensor, vocabulary: int) -> Tensor:
    """The exponential noise of absolute ``positions`` [...] in rows with ``seeds`` [...]: [..., V], float32.

    Minus its logarithm is Gumbel noise, so ``race(law, noise)`` is the argmax of log law + Gumbel.
    """
    keys = mixed(mixed(mixed(seeds) + _NOISE) + positions)
    return stream(keys.flatten(), vocabulary).neg_().log1p_().neg_().view(*keys.shape, vocabulary)


def race(laws: Tensor, exponential: Tensor) -> Tensor:
    """The token [...] that arrives first, token v at time exponential[v] / law[v]: distributed as ``laws`` [..., V]."""
    return _argmax(laws / exponential)


def _argmax(x: Tensor) -> Tensor:
    """The first index [...] of the largest of ``x`` [..., V].

    The best block comes first, since a maximum without its index is found many times faster than one with it.
    """
    if x.shape[-1] % _BLOCK:
        return x.argmax(-1)
    blocks = x.reshape(*x.shape[:-1], x.shape[-1] // _BLOCK, _BLOCK)
    block = blocks.amax(-1).argmax(-1)
    inside = blocks.gather(-2, block[..., None, None].expand(*block.shape, 1, _BLOCK))[..., 0, :]
    return block * _BLOCK + inside.argmax(-1)


class NoiseWindow:
    """The noise of the positions that windows are over, made once for each: most of a window was in the one before.

    It takes as much memory as the laws of a window. Position t is in slot t modulo S, where S is the widest window so
    far.
    """

    def __init__(self, seeds: Tensor) -> None:
        self._seeds = seeds
        self._held = torch.full((len(seeds), 0), -1, device=seeds.device)
        self._noise = torch.empty(len(seeds), 0, 0, device=seeds.device)

    def winners(self, laws: Tensor, positions: Tensor, where: Tensor) -> Tensor:
        """The tokens [B, R] that the noise of ``positions`` [B, R], which rise by one, draws from ``laws`` [B, R, V].

        Any token where ``where`` [B, R] is False. On a CPU a few places are raced at a time, which stay in its cache.
        """
        rows, places, vocabulary = laws.shape
        slots = self._made(positions, where, vocabulary)
        part = max(1, _CACHED // (rows * vocabulary)) if laws.device.type == "cpu" else places
        flat = self._noise.flatten(0, 1)
        tokens = torch.empty_like(positions)
        for start in range(0, places, part):
            here = slice(start, start + part)
            exponential = flat.index_select(0, slots[:, here].flatten()).view(rows, -1, vocabulary)
            tokens[:, here] = race(laws[:, here], exponential)
        return tokens

    def _made(self, positions: Tensor, where: Tensor, vocabulary: int) -> Tensor:
        """Make what noise of ``positions`` is not there yet; where all of it is in the flattened slots [B, R]."""
        if positions.shape[1] > self._held.shape[1]:
            self._held = torch.full_like(positions, -1)
            self._noise = torch.ones(*positions.shape, vocabulary, device=positions.device)
        slots = positions % self._held.shape[1]
        row, i = (where & (self._held.gather(1, slots) != positions)).nonzero(as_tuple=True)
        if len(row):
            new, slot = positions[row, i], slots[row, i]
            self._held[row, slot] = new
            self._noise[row, slot] = noise(self._seeds[row], new, vocabulary)
        return slots + torch.arange(len(slots), device=slots.device)[:, None] * self._held.shape[1]
