"""What the tests of selective attention share: small models of six architectures."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
    Qwen3Config,
)

from paperworks.selective_attention import hf

VOCABULARY, WINDOW = 64, 5
SIZES = {"vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64}
SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
ALTERNATING = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": WINDOW}
CONFIGS = {
    "llama": lambda: LlamaConfig(**SIZES, **HEADS, **SPECIAL),
    "gpt2": lambda: GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64, **SPECIAL),
    "mistral": lambda: MistralConfig(**SIZES, **HEADS, **SPECIAL, sliding_window=WINDOW),
    "qwen2": lambda: Qwen2Config(**SIZES, **HEADS, **SPECIAL, use_sliding_window=True, **ALTERNATING),
    "qwen3": lambda: Qwen3Config(**SIZES, **HEADS, **SPECIAL, head_dim=8),
    "gemma2": lambda: Gemma2Config(
        **SIZES, **HEADS, **SPECIAL, **ALTERNATING, head_dim=8, attn_logit_softcapping=3.0, query_pre_attn_scalar=8
    ),
}


@pytest.fixture(params=sorted(CONFIGS))
def family(request):
    return request.param


@pytest.fixture
def build():
    """A model with random weights, loud enough that attention matters, with selective attention."""

    def make(family="llama", **settings):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(CONFIGS[family](), attn_implementation="eager")
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if parameter.ndim == 2 and "embed" not in name and "wte" not in name:
                    parameter.mul_(6)
        return hf.enable(model.eval(), **settings)

    return make


@pytest.fixture
def tokens():
    def make(*shape, seed=1):
        return torch.randint(3, VOCABULARY, shape, generator=torch.Generator().manual_seed(seed))

    return make
