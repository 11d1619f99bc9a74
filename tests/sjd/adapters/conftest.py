"""The image models of transformers, tiny and with random weights, and their own sampling by the noise of positions."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    ChameleonConfig,
    ChameleonForConditionalGeneration,
    Emu3Config,
    Emu3ForConditionalGeneration,
    GlmImageConfig,
    GlmImageForConditionalGeneration,
    JanusConfig,
    JanusForConditionalGeneration,
)

from paperworks.sjd.randomness import noise, race

_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
_CODES = 16
_VQ = {"num_embeddings": _CODES, "base_channels": 32, "channel_multiplier": [1], "num_res_blocks": 1}


def _sharpened(model):
    """In float64, with weights large enough for laws that are neither flat nor certain."""
    model = model.double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(9)
    return model


@pytest.fixture(scope="session")
def chameleon():
    letters = ["ABCDEFGHIJ"[i // 10] + "ABCDEFGHIJ"[i % 10] for i in range(_CODES)]
    words = {"<image>": 3, **{f"IMGIMG{name}Z": 4 + i for i, name in enumerate(letters)}}
    torch.manual_seed(2)
    config = ChameleonConfig(
        vocab_size=30,
        vocabulary_map=words,
        vq_config={**_VQ, "embed_dim": 8, "latent_channels": 8, "resolution": 16},
        pad_token_id=0,
        eos_token_id=None,
        max_position_embeddings=128,
        **_TEXT,
    )
    return _sharpened(ChameleonForConditionalGeneration(config))


@pytest.fixture(scope="session")
def emu3():
    words = {f"<|visual token {i:06d}|>": 4 + i for i in range(_CODES)} | {"<image>": 3, "<|extra_200|>": 22}
    torch.manual_seed(2)
    config = Emu3Config(
        text_config={
            "vocab_size": 30,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": None,
            "max_position_embeddings": 128,
            **_TEXT,
        },
        vq_config={
            "codebook_size": _CODES,
            "embed_dim": 4,
            "latent_channels": 4,
            "base_channels": 32,
            "channel_multiplier": [1, 1],
            "num_res_blocks": 1,
            "hidden_size": 32,
        },
        vocabulary_map=words,
    )
    return _sharpened(Emu3ForConditionalGeneration(config))


@pytest.fixture(scope="session")
def janus():
    torch.manual_seed(2)
    config = JanusConfig(
        text_config={"model_type": "llama", "vocab_size": 30, "pad_token_id": 0, **_TEXT},
        vision_config={
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 8,
            "patch_size": 4,
            "projection_dim": _TEXT["hidden_size"],
            "num_image_tokens": 20,
        },
        vq_config={
            **_VQ,
            "embed_dim": 8,
            "latent_channels": 32,
            "num_patches": 4,
            "projection_dim": _TEXT["hidden_size"],
            "image_token_embed_dim": _TEXT["hidden_size"],
        },
    )
    model = _sharpened(JanusForConditionalGeneration(config))
    settings = model.generation_config
    settings.bos_token_id, settings.pad_token_id, settings.generation_kwargs = 1, 0, {"boi_token_id": 2}
    return model


@pytest.fixture(scope="session")
def glm_image():
    torch.manual_seed(2)
    config = GlmImageConfig(
        text_config={
            "vocab_size": 40,
            "vision_vocab_size": _CODES + 2,
            "pad_token_id": 39,
            "eos_token_id": None,
            "max_position_embeddings": 128,
            "rope_parameters": {"rope_type": "default", "rope_theta": 100.0, "mrope_section": [1, 1, 2]},
            **_TEXT,
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "num_heads": 2,
            "image_size": 16,
            "patch_size": 4,
            "intermediate_size": 16,
        },
        vq_config={"num_embeddings": _CODES, "embed_dim": 8, "latent_channels": 16},
        image_token_id=38,
        image_start_token_id=_CODES,
        image_end_token_id=_CODES + 1,
    )
    return _sharpened(GlmImageForConditionalGeneration(config))


class _SharedNoise:
    """Stands in for ``torch.multinomial``: the n-th call draws row b's n-th token by the noise of seed + b."""

    def __init__(self, seed):
        self.seed, self.position = seed, 0

    def __call__(self, probabilities, num_samples):
        assert num_samples == 1
        rows = torch.arange(len(probabilities))
        drawn = noise(self.seed + rows, torch.full_like(rows, self.position), probabilities.shape[-1])
        self.position += 1
        return race(probabilities, drawn)[:, None]


@pytest.fixture
def by_noise(monkeypatch):
    """What a call of a model's own sampling gives, if row b's tokens are drawn by the noise of ``seed`` + b."""

    def run(sample, seed):
        with monkeypatch.context() as patch:
            patch.setattr(torch, "multinomial", _SharedNoise(seed))
            return sample()

    return run
