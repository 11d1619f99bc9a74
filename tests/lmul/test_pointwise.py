"""Elementwise products by L-Mul: their gradients, and gates, rotary embeddings and norms inside models."""

import copy
import pickle

import pytest
import torch
from torch import nn
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from paperworks import lmul
from paperworks.lmul import LMulConfig, pointwise_layers
from paperworks.lmul.config import ELEMENTWISE
from paperworks.lmul.pointwise import Pointwise

SIZES = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "pad_token_id": 0}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64}
MODELS = {
    "llama": (LlamaForCausalLM, LlamaConfig),
    "mistral": (MistralForCausalLM, MistralConfig),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config),
    "gemma2": (Gemma2ForCausalLM, Gemma2Config),
}
IDS = torch.randint(3, 64, (2, 7), generator=torch.Generator().manual_seed(1))


def build(family):
    torch.manual_seed(0)
    kind, config = MODELS[family]
    return kind(config(**SIZES, **HEADS)).eval()


def only(*kinds, **settings):
    """Nothing but elementwise products of these kinds."""
    return LMulConfig(targets="linear", skip=("*_proj", "lm_head"), elementwise=kinds, **settings)


@torch.no_grad()
def logits(model):
    return model(input_ids=IDS).logits


@pytest.fixture(params=sorted(MODELS))
def family(request):
    return request.param


@pytest.mark.parametrize("variant", ["carry", "formula"])
@pytest.mark.parametrize("types", [(torch.float32, torch.float32), (torch.bfloat16, torch.float32)])
def test_the_product_is_muls(variant, types):
    x, y = torch.randn(3, 1, 5).to(types[0]), torch.randn(4, 1).to(types[1])
    product = Pointwise(LMulConfig(mantissa_bits=4, variant=variant))
    assert torch.equal(product(x, y), lmul.mul(x, y, 4, variant))


def test_straight_through_gradients_are_the_ordinary_ones_over_what_was_broadcast():
    x, y = torch.randn(3, 5, requires_grad=True), torch.randn(5, requires_grad=True)
    up = torch.randn(3, 5)
    ours = torch.autograd.grad((Pointwise(LMulConfig())(x, y) * up).sum(), (x, y))
    theirs = torch.autograd.grad((x * y * up).sum(), (x, y))
    torch.testing.assert_close(ours, theirs)


def test_lmul_gradients_are_lmuls_products():
    x, y = torch.randn(3, 5, requires_grad=True), torch.randn(3, 5, requires_grad=True)
    up = torch.randn(3, 5)
    (ours,) = torch.autograd.grad(Pointwise(LMulConfig(grad="lmul"))(x, y), x, up)
    assert torch.equal(ours, lmul.mul(up, y.detach(), 4))


@pytest.mark.parametrize("variant", ["carry", "formula"])
def test_exact_gradients_equal_finite_differences(variant):
    """In float64 with every mantissa bit the product is piecewise linear: a small step within a piece is exact."""
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(400, generator=generator, dtype=torch.float64) for _ in range(2))
    product = Pointwise(LMulConfig(mantissa_bits=None, variant=variant, grad="exact"))
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(product(x, y).sum(), x)
    step = 1e-7 * x.detach().abs()
    difference = (product(x.detach() + step, y) - product(x.detach() - step, y)) / (2 * step)
    close = torch.isclose(gradient, difference, rtol=1e-5)
    assert close.double().mean() > 0.99  # a few lie within a step of a breakpoint


def test_the_operator_passes_torchs_own_checks():
    x, y = torch.randn(2, 3, requires_grad=True), torch.randn(3, requires_grad=True)
    settings = (23, "carry", "truncate", 2.0**-4, "ste", 0, "", 0)
    torch.library.opcheck(torch.ops.paperworks.lmul_pointwise, (x, y, *settings))


@pytest.mark.parametrize("kind", ELEMENTWISE)
def test_each_kind_changes_a_model_a_little_and_comes_back_to_the_bit(family, kind):
    model = build(family)
    exact, classes = logits(model), {name: type(module) for name, module in model.named_modules()}
    lmul.convert(model, only(kind))
    changed = {name for name, module in model.named_modules() if type(module) is not classes[name]}
    assert {name.rpartition(".")[2] for name in changed} <= {
        "gate": {"mlp"},
        "rope": {"rotary_emb"},
        "norm": {
            "input_layernorm",
            "post_attention_layernorm",
            "pre_feedforward_layernorm",
            "post_feedforward_layernorm",
            "norm",
        },
    }[kind]
    assert 0 < (logits(model) - exact).abs().max() < 0.5 * exact.abs().max()
    lmul.revert(model)
    assert {name: type(module) for name, module in model.named_modules()} == classes
    assert not any("pointwise" in module.__dict__ for module in model.modules())
    assert torch.equal(logits(model), exact)


def test_with_ordinary_products_nothing_changes(family, monkeypatch):
    """Everything around the products is as transformers has it."""
    monkeypatch.setattr(Pointwise, "__call__", lambda self, x, y: x * y)
    model = build(family)
    exact = logits(model)
    with lmul.simulate(model, only(*ELEMENTWISE)):
        torch.testing.assert_close(logits(model), exact, rtol=0, atol=1e-6)


def test_every_kind_goes_through_lmul_as_often_as_the_model_multiplies(monkeypatch):
    calls = []
    monkeypatch.setattr(Pointwise, "__call__", lambda self, x, y: calls.append(x.shape) or x * y)
    for kinds, wanted in ((("gate",), 2), (("rope",), 2 * 4), (("norm",), 2 * (2 * 2 + 1))):
        calls.clear()
        with lmul.simulate(build("llama"), only(*kinds)) as model:
            logits(model)
        assert len(calls) == wanted


def test_everything_at_once_trains_copies_and_is_pickled():
    model = build("llama").train()
    lmul.convert(model, LMulConfig(targets="all", elementwise=ELEMENTWISE))
    model(input_ids=IDS, labels=IDS).loss.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())
    model.eval()
    wanted = logits(model)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(logits(twin), wanted)
        assert type(lmul.revert(twin).model.norm).__name__ == "LlamaRMSNorm"


def test_half_types_autocast_and_cached_generation():
    model = lmul.convert(build("llama"), LMulConfig(elementwise=ELEMENTWISE))
    exact = logits(model)
    with torch.autocast("cpu", torch.bfloat16):
        assert (logits(model).float() - exact).std() < 0.3 * exact.std()
    settings = {"max_new_tokens": 5, "do_sample": False, "pad_token_id": 0}
    cached, uncached = (model.generate(IDS, use_cache=use, **settings) for use in (True, False))
    assert torch.equal(cached, uncached)
    assert logits(model.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize(("kinds", "whole"), [(("gate", "norm"), True), (("rope",), False)])
def test_torch_compile_agrees(kinds, whole):
    """Rotary embeddings are multiplied outside any module, which breaks the graph there."""
    model = lmul.convert(build("llama"), LMulConfig(elementwise=kinds))
    compiled = torch.compile(model, backend="aot_eager", fullgraph=whole)
    torch.testing.assert_close(logits(compiled), logits(model))


def test_saved_models_come_back_with_their_elementwise_products(tmp_path):
    model = lmul.convert(build("mistral"), LMulConfig(targets="all", elementwise=("gate", "rope")))
    model.save_pretrained(tmp_path)
    reloaded = MistralForCausalLM.from_pretrained(tmp_path)
    assert reloaded.config.quantization_config.elementwise == ("gate", "rope")
    assert torch.equal(logits(reloaded), logits(model))


def test_what_has_no_twin_is_named_and_can_be_skipped():
    torch.manual_seed(0)
    gpt2 = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=32, n_layer=1, n_head=4, n_positions=64))
    with pytest.raises(ValueError, match=r"ln_1 cannot be converted \(there is no LayerNorm with elementwise norm"):
        lmul.convert(gpt2, LMulConfig(elementwise=("norm",)))
    with pytest.raises(ValueError, match="GPT2LMHeadModel has no elementwise gate, rope to convert"):
        lmul.convert(gpt2, LMulConfig(elementwise=("gate", "rope")))
    assert not any(name.startswith("_lmul") for module in gpt2.modules() for name in module.__dict__)
    qwen3 = Qwen3ForCausalLM(Qwen3Config(**SIZES, **HEADS)).eval()
    with pytest.raises(ValueError, match=r"mlp cannot be converted \(there is no Qwen3MLP with elementwise gate"):
        lmul.convert(qwen3, LMulConfig(elementwise=("gate",)))
    mixed = nn.ModuleDict({"one": build("llama"), "two": nn.LayerNorm(4)})
    with pytest.raises(ValueError, match="two cannot be converted"):
        lmul.convert(mixed, only("norm"))
    lmul.convert(mixed, LMulConfig(targets="linear", skip=("*_proj", "lm_head", "two"), elementwise=("norm",)))
    assert type(mixed["one"].model.norm).__name__ == "LMulLlamaRMSNorm"


def test_unknown_kinds_and_names_are_refused():
    with pytest.raises(ValueError, match="unknown elementwise 'gates': choose 'gate', 'rope', 'norm'"):
        LMulConfig(elementwise=("gates",))
    with pytest.raises(AttributeError, match="has no attribute 'LMulGPT2MLP'"):
        _ = pointwise_layers.LMulGPT2MLP
