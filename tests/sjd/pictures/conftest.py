"""A tiny image model with random weights: 4 x 4 codes out of 8, five real names and one for patterns."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from paperworks.sjd import GridSpec, drawing
from paperworks.sjd.codec import PictureCodec
from paperworks.sjd.image_model import PATTERNS, ImageModel, settle

CODES = 8
PROMPTS = ("bird", "boat", "house", "moon", "tree", PATTERNS)


@pytest.fixture(scope="session")
def image():
    torch.manual_seed(2)
    config = LlamaConfig(
        vocab_size=CODES + len(PROMPTS),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=32,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
    )
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(12)
    settle(model, CODES, 16)
    codec = PictureCodec(CODES, 8, 1).eval()
    codec.codebook.copy_(torch.rand(codec.codebook.shape))
    return ImageModel(model=model, codec=codec, grid=GridSpec(height=4, width=4), prompts=PROMPTS)


@pytest.fixture
def tiny_shipped(image, monkeypatch):
    """The tiny model in the place of the shipped one, for `drawing`."""
    monkeypatch.setattr(drawing, "shipped", lambda device="cpu": image)
    return image
