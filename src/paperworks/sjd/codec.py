"""Pictures as a grid of codes and back: nearest patches of a codebook, and a small network that paints them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

__all__ = ["PATCH", "PictureCodec", "patches"]

PATCH = 4
"""Pixels of a patch's side; each patch of a picture is one code."""


class PictureCodec(nn.Module):
    """A vector quantiser [K codes of 3 x 4 x 4 numbers] with a decoder that looks at neighbouring codes.

    The decoder starts from the codebook's patches side by side and adds what a few convolutions over the grid make of
    them, so the borders of patches vanish.
    """

    def __init__(self, codes: int, width: int, blocks: int) -> None:
        super().__init__()
        numbers = 3 * PATCH**2
        self.codebook: Tensor
        self.register_buffer("codebook", torch.zeros(codes, numbers))
        self.inwards = nn.Conv2d(numbers, width, 3, padding=1)
        self.blocks = nn.ModuleList(_block(width) for _ in range(blocks))
        self.outwards = nn.Conv2d(width, numbers, 3, padding=1)

    def encode(self, pictures: Tensor) -> Tensor:
        """The codes [N, H/4, W/4] of ``pictures`` [N, 3, H, W] with numbers in 0 .. 1: each patch's nearest."""
        grid = patches(pictures)
        flat = grid.movedim(1, -1).flatten(0, 2)
        return torch.cdist(flat, self.codebook).argmin(-1).view(len(grid), *grid.shape[2:])

    def decode(self, codes: Tensor) -> Tensor:
        """Pictures [N, 3, 4 H, 4 W], numbers in 0 .. 1, from ``codes`` [N, H, W]."""
        return self.forward(codes).clamp(0, 1)

    def forward(self, codes: Tensor) -> Tensor:
        """`decode` without its last cut to 0 .. 1, through which no gradient would go."""
        plain = self.codebook[codes].movedim(-1, 1)
        hidden = self.inwards(plain)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        return pixel_shuffle(plain + self.outwards(hidden), PATCH)


def patches(pictures: Tensor) -> Tensor:
    """The patches [N, 48, H/4, W/4] of ``pictures`` [N, 3, H, W]."""
    return pixel_unshuffle(pictures, PATCH)


def _block(width: int) -> nn.Module:
    return nn.Sequential(
        nn.GroupNorm(8, width),
        nn.SiLU(),
        nn.Conv2d(width, width, 3, padding=1),
        nn.SiLU(),
        nn.Conv2d(width, width, 3, padding=1),
    )
