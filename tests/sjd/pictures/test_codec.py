"""Codes of pictures: each patch's nearest, and the decoder's start from the codebook."""

from __future__ import annotations

import torch

from paperworks.sjd.codec import PATCH, PictureCodec, patches


def made(codes=5):
    torch.manual_seed(0)
    codec = PictureCodec(codes, 8, 1).eval()
    codec.codebook.copy_(torch.rand(codes, 3 * PATCH**2))
    return codec


def test_a_patch_has_its_pixels_and_stands_in_its_place():
    pictures = torch.rand(2, 3, 8, 12)
    found = patches(pictures)
    assert found.shape == (2, 48, 2, 3)
    corner = pictures[1, :, 4:8, 8:12]
    assert torch.equal(found[1, :, 1, 2], corner.flatten())


def test_every_patch_gets_its_nearest_code():
    codec = made()
    pictures = torch.rand(2, 3, 8, 8)
    codes = codec.encode(pictures)
    for n, line, column in ((0, 0, 0), (1, 0, 1), (1, 1, 0)):
        patch = pictures[n, :, 4 * line : 4 * line + 4, 4 * column : 4 * column + 4].flatten()
        assert codes[n, line, column] == (codec.codebook - patch).square().sum(1).argmin()


def test_a_decoder_that_adds_nothing_paints_the_codebook():
    codec = made()
    torch.nn.init.zeros_(codec.outwards.weight)
    torch.nn.init.zeros_(codec.outwards.bias)
    codes = torch.tensor([[[0, 3], [4, 1]]])
    painted = codec.decode(codes)
    assert painted.shape == (1, 3, 8, 8)
    assert torch.allclose(painted[0, :, 0:4, 4:8].flatten(), codec.codebook[3])
    assert torch.equal(codec.encode(painted), codes)


def test_painted_numbers_are_colours_and_the_trained_ones_may_exceed_them():
    codec = made()
    torch.nn.init.constant_(codec.outwards.bias, 9.0)
    codes = torch.zeros(1, 2, 2, dtype=torch.long)
    assert codec.decode(codes).max() == 1
    assert codec(codes).max() > 1
