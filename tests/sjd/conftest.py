"""Small models with random weights whose laws are neither flat nor certain, and plain sampling by the same noise."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    LogitsProcessorList,
)

from paperworks.sjd import SJDConfig, speculative_jacobi
from paperworks.sjd.randomness import noise, race

VOCABULARY = 23


def _llama():
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=24,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=64,
            bos_token_id=1,
            eos_token_id=None,
            pad_token_id=0,
        )
    )


def _gpt2():
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=VOCABULARY,
            n_embd=24,
            n_layer=2,
            n_head=3,
            n_positions=40,
            bos_token_id=1,
            eos_token_id=None,
            pad_token_id=0,
        )
    )


def _made(kind):
    torch.manual_seed(5)
    model = {"llama": _llama, "gpt2": _gpt2}[kind]().double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(7)
    return model


@pytest.fixture(scope="session")
def llama():
    return _made("llama")


@pytest.fixture(scope="session", params=["llama", "gpt2"])
def model(request):
    return _made(request.param)


@pytest.fixture
def prompts():
    def make(*shape, seed=1):
        return torch.randint(3, VOCABULARY, shape, generator=torch.Generator().manual_seed(seed))

    return make


@pytest.fixture
def speculate():
    """``generate`` with `speculative_jacobi` and these settings of `SJDConfig`; everything else is generate's."""

    def run(model, ids, tokens=20, *, config=None, sjd=None, **settings):
        config = config or SJDConfig(**({"seed": 3} | (sjd or {})))
        given = {"do_sample": True, "top_k": 0, "max_new_tokens": tokens} | settings
        out = model.generate(ids, custom_generate=speculative_jacobi, sjd_config=config, **given)
        return out, config.last_stats

    return run


@pytest.fixture
def sample_by_noise():
    """Plain sampling of one prompt [1, P], without cache or window: what the position's noise draws each time."""

    def run(model, ids, tokens, *, seed, processors=(), negative=None, guidance=1.0):
        start = ids.shape[1]
        for position in range(tokens):
            logits = model(ids).logits[:, -1]
            if negative is not None:
                uncond = model(torch.cat([negative, ids[:, start:]], dim=1)).logits[:, -1]
                logits = uncond + guidance * (logits - uncond)
            law = LogitsProcessorList(processors)(ids, logits).softmax(-1)
            drawn = race(law, noise(torch.tensor([seed]), torch.tensor([position]), law.shape[-1]))
            ids = torch.cat([ids, drawn[:, None]], dim=1)
        return ids

    with torch.no_grad():
        yield run
