"""Registration with transformers, and the shared parts against transformers' own eager attention."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, eager_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.gemma2 import modeling_gemma2
from transformers.models.gpt_oss import modeling_gpt_oss
from transformers.models.t5 import modeling_t5

from paperworks.lab.attention import attention_weights, grouped, register, repeat_kv

NAME = "paperworks_test"


@pytest.fixture(autouse=True)
def unregister():
    yield
    for registry in (ALL_ATTENTION_FUNCTIONS, ALL_MASK_ATTENTION_FUNCTIONS):
        type(registry)._global_mapping.pop(NAME, None)


def plain(module, query, key, value, attention_mask, scaling=None, dropout=0.0, **kwargs):
    """Ordinary attention out of this module's parts."""
    scores = grouped(torch.matmul, query, key.transpose(-1, -2)) * scaling
    weights = attention_weights(scores, attention_mask).to(value.dtype)
    weights = nn.functional.dropout(weights, dropout, module.training)
    return grouped(torch.matmul, weights, value).transpose(1, 2).contiguous(), weights


def llama(**changes):
    torch.manual_seed(0)
    sizes = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64}
    return LlamaForCausalLM(LlamaConfig(**{**sizes, **heads, **changes})).eval()


def gpt2():
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=64)).eval()


def masks_seen(model, mask="eager", **inputs):
    """The mask of every attention call in one forward pass."""
    seen = []

    def spy(module, query, key, value, attention_mask, **kwargs):
        seen.append(attention_mask)
        return plain(module, query, key, value, attention_mask, **kwargs)

    register(NAME, spy, mask=mask)
    model.set_attn_implementation(NAME)
    with torch.no_grad():
        model(**inputs)
    return seen


@pytest.mark.parametrize("build", [llama, gpt2])
def test_a_registered_attention_gets_causality_and_padding(build):
    ids = torch.arange(10).reshape(2, 5)
    seen = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]])
    masks = masks_seen(build(), input_ids=ids, attention_mask=seen)
    assert len(masks) == 2
    causal = torch.ones(5, 5, dtype=torch.bool).tril()
    for mask in masks:
        visible = mask[:, 0] == 0
        assert torch.equal(visible[1], causal)
        assert torch.equal(visible[0, 2:], causal[2:] & seen[0].bool())


def test_the_mask_can_be_boolean_or_a_function_of_ones_own():
    ids = torch.arange(5)[None]
    padded = torch.tensor([[0, 1, 1, 1, 1]])
    assert masks_seen(llama(), mask="sdpa", input_ids=ids, attention_mask=padded)[0].dtype == torch.bool
    calls = []

    def own(*args, **kwargs):
        calls.append(kwargs["kv_length"])
        return eager_mask(*args, **kwargs)

    masks_seen(llama(), mask=own, input_ids=ids)
    assert calls == [5]


def test_registering_again_replaces():
    register(NAME, plain)
    register(NAME, plain, mask="sdpa")
    assert ALL_MASK_ATTENTION_FUNCTIONS[NAME] is ALL_MASK_ATTENTION_FUNCTIONS["sdpa"]


@pytest.mark.parametrize("name", ["eager", "sdpa", "flex_attention", "org/kernel", "a|b", "", "my_flash"])
def test_names_that_transformers_reads_otherwise_are_refused(name):
    with pytest.raises(ValueError, match=r"name"):
        register(name, plain)


def test_an_unknown_mask_names_the_choices_and_registers_nothing():
    with pytest.raises(ValueError, match=r"unknown mask 'causal'.*eager.*sdpa"):
        register(NAME, plain, mask="causal")
    assert NAME not in ALL_ATTENTION_FUNCTIONS


@pytest.mark.parametrize("build", [llama, gpt2])
def test_a_model_with_attention_of_the_parts_equals_eager(build):
    ids = torch.randint(1, 64, (2, 9), generator=torch.Generator().manual_seed(1))
    padded = torch.ones_like(ids)
    padded[0, :3] = 0
    model = build()
    register(NAME, plain)
    logits = {}
    for name in ("eager", NAME):
        model.set_attn_implementation(name)
        with torch.no_grad():
            logits[name] = model(input_ids=ids, attention_mask=padded).logits
    torch.testing.assert_close(logits[NAME], logits["eager"], rtol=0, atol=1e-6)


def test_grouped_is_repeated_keys_without_the_copy():
    q, k = torch.randn(2, 6, 5, 8), torch.randn(2, 3, 7, 8)
    wanted = q @ repeat_kv(k, 2).transpose(-1, -2)
    assert torch.equal(repeat_kv(k, 2), modeling_gemma2.repeat_kv(k, 2))
    assert repeat_kv(k, 1) is k
    torch.testing.assert_close(grouped(torch.matmul, q, k.transpose(-1, -2)), wanted)
    one = grouped(torch.matmul, q, k[:, :1].transpose(-1, -2))
    torch.testing.assert_close(one, q @ k[:, :1].transpose(-1, -2))


def test_grouped_needs_heads_that_divide():
    with pytest.raises(ValueError, match="5 query heads cannot share 2 key/value heads"):
        grouped(torch.matmul, torch.ones(1, 5, 3, 4), torch.ones(1, 2, 4, 3))


def scores_and_mask(heads=4):
    generator = torch.Generator().manual_seed(2)
    q = torch.randn(2, heads, 6, 8, generator=generator) * 3
    k = torch.randn(2, heads, 6, 8, generator=generator)
    visible = torch.ones(6, 6, dtype=torch.bool).tril().repeat(2, 1, 1, 1)
    visible[0, ..., :2] = False
    visible[0, 0, :2, 0] = True
    return q, k, visible


def additive(visible, dtype=torch.float32):
    return torch.zeros(visible.shape, dtype=dtype).masked_fill(~visible, torch.finfo(dtype).min)


@pytest.mark.parametrize(
    ("theirs", "extra", "module"),
    [
        (modeling_gemma2.eager_attention_forward, {"softcap": 2.0}, {"num_key_value_groups": 1}),
        (modeling_t5.eager_attention_forward, {"position_bias": torch.randn(1, 4, 6, 6)}, {}),
        (modeling_gpt_oss.eager_attention_forward, {}, {"num_key_value_groups": 1, "sinks": torch.randn(4)}),
    ],
    ids=["gemma2-softcap", "t5-bias", "gpt-oss-sinks"],
)
def test_weights_equal_those_of_transformers(theirs, extra, module):
    q, k, visible = scores_and_mask()
    owner = SimpleNamespace(training=False, **module)
    wanted = theirs(owner, q, k, k, additive(visible), scaling=0.5, **extra)[1]
    sinks = {"sinks": module["sinks"]} if "sinks" in module else {}
    ours = attention_weights(q @ k.transpose(-1, -2) * 0.5, additive(visible), **extra, **sinks)
    torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_masked_keys_weigh_exactly_nothing_and_rows_masked_whole_stay_finite(dtype):
    q, k, visible = scores_and_mask()
    scores = (q @ k.transpose(-1, -2)).to(dtype)
    weights = attention_weights(scores, additive(visible, dtype))
    assert weights.dtype == torch.float32
    assert (weights[~visible.expand_as(weights)] == 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, 6))
    torch.testing.assert_close(attention_weights(scores, visible), weights)
    assert attention_weights(scores, torch.zeros_like(visible)).isfinite().all()
    assert attention_weights(scores, additive(torch.zeros_like(visible), dtype)).isfinite().all()
