"""convert, revert, simulate and sensitivity: in place, back to the bit, and honest about what they cannot reach."""

import copy
import pickle

import pytest
import torch
from torch import nn
from transformers import (
    BertConfig,
    BloomConfig,
    BloomForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    VisionTextDualEncoderConfig,
    VisionTextDualEncoderModel,
    ViTConfig,
    ViTForImageClassification,
)
from transformers.pytorch_utils import Conv1D

from paperworks import lmul
from paperworks.lmul import LMulConfig, LMulLinear
from paperworks.lmul.conv1d import LMulConv1D

LLAMA = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64}
IDS = torch.randint(3, 64, (2, 7), generator=torch.Generator().manual_seed(1))


def llama(**changes):
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**{**LLAMA, **HEADS, **changes})).eval()


def gpt2():
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=64)).eval()


def vit():
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    return ViTForImageClassification(ViTConfig(**sizes, image_size=8, patch_size=2, num_channels=1)).eval()


def mlp():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 4)).eval()


@torch.no_grad()
def output(model):
    if isinstance(model, nn.Sequential):
        return model(torch.linspace(-1, 1, 24).reshape(3, 8))
    if isinstance(model, ViTForImageClassification):
        return model(torch.linspace(-1, 1, 128).reshape(2, 1, 8, 8)).logits
    return model(input_ids=IDS).logits


def inventory(model):
    """Everything that a round trip must leave alone: classes, attributes, parameters' identity and bits."""
    modules = {name: (type(m), sorted(m.__dict__)) for name, m in model.named_modules()}
    parameters = {name: (id(p), p.detach().clone()) for name, p in model.named_parameters(remove_duplicate=False)}
    settings = getattr(model, "config", None) and (model.config.to_dict(), model.config._attn_implementation)
    return modules, parameters, settings


def assert_same(left, right):
    assert left[0] == right[0]
    assert left[1].keys() == right[1].keys()
    for name, (identity, values) in left[1].items():
        assert right[1][name][0] == identity
        assert torch.equal(right[1][name][1], values)
    assert left[2] == right[2]


@pytest.mark.parametrize("targets", ["attention", "linear", "all"])
@pytest.mark.parametrize("build", [llama, gpt2, vit])
def test_a_round_trip_changes_the_output_and_then_nothing(build, targets):
    model = build()
    before, exact = inventory(model), output(model)
    assert lmul.convert(model, LMulConfig(targets=targets)) is model
    converted = output(model)
    assert 0 < (converted - exact).abs().max() < 0.3 * exact.abs().max()
    assert lmul.revert(model) is model
    assert_same(inventory(model), before)
    assert torch.equal(output(model), exact)


def test_targets_and_skip_choose_the_layers():
    model = lmul.convert(llama(), LMulConfig(targets="linear", skip=("lm_head", "layers.0", "*.down_proj")))
    kinds = {name: type(m) for name, m in model.named_modules() if isinstance(m, nn.Linear)}
    swapped = {name for name, kind in kinds.items() if kind is LMulLinear}
    inner = (
        "self_attn.q_proj",
        "self_attn.k_proj",
        "self_attn.v_proj",
        "self_attn.o_proj",
        "mlp.gate_proj",
        "mlp.up_proj",
    )
    assert swapped == {f"model.layers.1.{name}" for name in inner}
    assert model.config._attn_implementation == "sdpa"

    model = lmul.convert(gpt2(), LMulConfig(targets="all"))
    assert {type(m) for m in model.modules() if isinstance(m, Conv1D)} == {LMulConv1D}
    assert type(model.lm_head) is nn.Linear
    assert model.config._attn_implementation == "lmul"


def test_a_converted_layer_computes_lmul_linear_and_says_so():
    x = torch.randn(3, 32)
    config = LMulConfig(targets="linear", mantissa_bits=3, variant="formula")
    block = lmul.convert(gpt2(), config).transformer.h[0]
    conv = block.mlp.c_fc
    wanted = lmul.linear(x, conv.weight.T, conv.bias, mantissa_bits=3, variant="formula")
    torch.testing.assert_close(conv(x), wanted)
    assert conv(x[:, None]).shape == (3, 1, 128)
    assert "mantissa_bits=3" in repr(conv)


def test_skip_leaves_attention_modules_exact():
    model = llama()
    exact = output(model)
    with lmul.simulate(model, LMulConfig(skip=("self_attn",))):
        torch.testing.assert_close(output(model), exact)
    with lmul.simulate(model, LMulConfig(skip=("layers.0",))):
        one = output(model)
    with lmul.simulate(model, LMulConfig(skip=())):
        both = output(model)
    assert not torch.allclose(one, exact, atol=1e-6)
    assert not torch.equal(one, both)


def test_ties_hooks_and_other_references_survive():
    model = llama(tie_word_embeddings=True)
    layer = model.model.layers[0].mlp.up_proj
    seen = []
    layer.register_forward_hook(lambda module, args, out: seen.append(type(module)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    lmul.convert(model, LMulConfig(targets="all", skip=()))
    assert type(model.lm_head) is LMulLinear
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert model.model.layers[0].mlp.up_proj is layer
    output(model)
    assert seen == [LMulLinear]
    model(input_ids=IDS, labels=IDS).loss.backward()
    before = layer.weight.detach().clone()
    optimizer.step()
    lmul.revert(model)
    assert type(layer) is nn.Linear
    assert not torch.equal(layer.weight, before)  # training reached the layer, and revert keeps what was learnt


def test_training_after_conversion_is_seen_at_once():
    """The weight that is prepared for inference follows every change of the parameter."""
    model = lmul.convert(mlp(), LMulConfig(targets="linear"))
    first = output(model)
    with torch.no_grad():
        model[0].weight.mul_(2)
    doubled = output(model)
    fresh = mlp()
    with torch.no_grad():
        fresh[0].weight.mul_(2)
    assert not torch.equal(first, doubled)
    assert torch.equal(doubled, output(lmul.convert(fresh, LMulConfig(targets="linear"))))


def test_copies_pickles_and_dtype_changes_work_and_can_be_reverted():
    model = lmul.convert(llama(), LMulConfig(targets="all"))
    wanted = output(model)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(output(twin), wanted)
        lmul.revert(twin)
        assert type(twin.model.layers[0].mlp.up_proj) is nn.Linear
        assert twin.config._attn_implementation == "sdpa"
        assert torch.equal(output(model), wanted)  # the original is untouched
    half = model.to(torch.bfloat16)
    assert output(half).dtype == torch.bfloat16
    assert lmul.revert(half).model.layers[0].mlp.up_proj.weight.dtype == torch.bfloat16


def test_converting_twice_is_an_error_that_changes_nothing():
    model = lmul.convert(llama(), LMulConfig(targets="linear"))
    with pytest.raises(ValueError, match=r"layers\.0\.self_attn\.q_proj is converted already: call lmul\.revert"):
        lmul.convert(model, LMulConfig(targets="attention"))
    assert model.config._attn_implementation == "sdpa"
    with pytest.raises(ValueError, match="converted already"):
        lmul.convert(nn.Sequential(model.model.layers[0]), LMulConfig(targets="linear"))
    lmul.revert(model)
    with pytest.raises(ValueError, match="LlamaForCausalLM is not converted: there is nothing to revert"):
        lmul.revert(model)


def test_a_part_of_a_model_whose_attention_is_converted_is_refused():
    model = lmul.convert(llama(), LMulConfig())
    with pytest.raises(ValueError, match="attention is 'lmul' already"):
        lmul.convert(model.model.layers[0], LMulConfig())
    by_hand = llama()
    by_hand.set_attn_implementation("lmul")
    with pytest.raises(ValueError, match="attention is 'lmul' already: set another implementation"):
        lmul.convert(by_hand, LMulConfig())


def test_a_settings_dictionary_of_the_users_own_comes_back():
    model = llama()
    model.config.lmul = {"mantissa_bits": 2}
    with lmul.simulate(model, LMulConfig(mantissa_bits=7)):
        assert model.config.lmul["mantissa_bits"] == 7
    assert model.config.lmul == {"mantissa_bits": 2}


def test_simulate_reverts_after_an_exception():
    model = llama()
    before = inventory(model)

    def fail():
        with lmul.simulate(model, LMulConfig(targets="all")) as inside:
            assert inside is model
            assert type(model.model.layers[0].mlp.up_proj) is LMulLinear
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert_same(inventory(model), before)


def test_a_failed_conversion_leaves_the_model_alone(monkeypatch):
    model = llama()
    before = inventory(model)

    def refuse(self, name):
        raise ValueError("no attention of others here")

    monkeypatch.setattr(LlamaForCausalLM, "set_attn_implementation", refuse)
    with pytest.raises(ValueError, match="no attention of others"):
        lmul.convert(model, LMulConfig(targets="all"))
    assert_same(inventory(model), before)


def test_attention_that_transformers_cannot_exchange_is_told():
    model = BloomForCausalLM(BloomConfig(vocab_size=64, hidden_size=32, n_layer=1, n_head=4))
    before = inventory(model)
    with pytest.raises(ValueError, match="cannot exchange the attention of this BloomForCausalLM: use targets="):
        lmul.convert(model, LMulConfig(targets="all"))
    assert_same(inventory(model), before)
    lmul.convert(model, LMulConfig(targets="linear"))


def test_plain_torch_models_have_linear_layers_only():
    model = mlp()
    with lmul.simulate(model, LMulConfig(targets="all")):
        assert [type(m) for m in model] == [LMulLinear, nn.GELU, LMulLinear]
    with pytest.raises(ValueError, match="Sequential holds no transformers model: use targets='linear'"):
        lmul.convert(model, LMulConfig())
    with pytest.raises(ValueError, match="has no linear layer that `skip` leaves"):
        lmul.convert(nn.Sequential(nn.Tanh()), LMulConfig(targets="linear"))
    with pytest.raises(ValueError, match="has no linear layer that `skip` leaves"):
        lmul.convert(model, LMulConfig(targets="linear", skip=("*",)))


def test_a_transformers_model_within_a_plain_one_is_found():
    model = nn.ModuleDict({"body": vit(), "head": nn.Linear(2, 2)})
    with lmul.simulate(model, LMulConfig(targets="all")):
        assert model["body"].config._attn_implementation == "lmul"
        assert type(model["head"]) is LMulLinear
    assert model["body"].config._attn_implementation == "sdpa"


def test_a_model_of_models_gets_every_sub_config_and_each_its_own_back():
    text = {
        "vocab_size": 64,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }

    vision = {k: v for k, v in text.items() if k != "vocab_size"} | {
        "image_size": 8,
        "patch_size": 4,
        "num_channels": 1,
    }
    config = VisionTextDualEncoderConfig.from_vision_text_configs(ViTConfig(**vision), BertConfig(**text))
    model = VisionTextDualEncoderModel(config).eval()
    model.vision_model.set_attn_implementation("eager")
    with lmul.simulate(model, LMulConfig(mantissa_bits=3)):
        for part in (model.vision_model, model.text_model):
            assert part.config._attn_implementation == "lmul"
            assert part.config.lmul["mantissa_bits"] == 3
    assert model.vision_model.config._attn_implementation == "eager"
    assert model.text_model.config._attn_implementation == "sdpa"
    assert not hasattr(model.text_model.config, "lmul")


def test_what_multiplies_out_of_reach_is_named_and_can_be_skipped():
    model = nn.ModuleDict({"mix": nn.MultiheadAttention(8, 2), "out": nn.Linear(8, 8)})
    with pytest.raises(ValueError, match=r"mix cannot be converted \(torch computes MultiheadAttention"):
        lmul.convert(model, LMulConfig(targets="linear"))
    lmul.convert(model, LMulConfig(targets="linear", skip=("mix",)))
    assert type(model["out"]) is LMulLinear

    experts = MixtralForCausalLM(MixtralConfig(**LLAMA, **HEADS, num_local_experts=2, num_experts_per_tok=1))
    with pytest.raises(ValueError, match=r"experts cannot be converted \(its experts are one tensor"):
        lmul.convert(experts, LMulConfig(targets="all"))
    lmul.convert(experts, LMulConfig(targets="all", skip=("experts", "lm_head")))

    hooked = nn.Sequential(nn.Linear(4, 4))
    hooked[0].forward = hooked[0].forward
    with pytest.raises(ValueError, match=r"0 cannot be converted .*its forward was replaced"):
        lmul.convert(hooked, LMulConfig(targets="linear"))
    wrapped = lmul.convert(nn.Sequential(nn.Linear(4, 4)), LMulConfig(targets="linear"))
    wrapped[0].forward = wrapped[0].forward
    with pytest.raises(ValueError, match=r"forward was replaced.*remove its hooks first"):
        lmul.revert(wrapped)


def test_torch_compile_and_autocast_on_a_small_module():
    model = lmul.convert(mlp(), LMulConfig(targets="linear"))
    x = torch.linspace(-1, 1, 24).reshape(3, 8)
    wanted = output(model)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), wanted)
    gradients = [torch.autograd.grad(run(x).square().sum(), model[0].weight)[0] for run in (model, compiled)]
    torch.testing.assert_close(*gradients)
    with torch.autocast("cpu", torch.bfloat16):
        half = model(x)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), wanted, rtol=0.05, atol=0.05)


def loss(model):
    with torch.no_grad():
        return model(input_ids=IDS, labels=IDS).loss


def test_sensitivity_measures_every_place_alone_and_restores():
    model = llama()
    before = inventory(model)
    stages = []
    found = lmul.sensitivity(model, LMulConfig(targets="all"), loss, progress=lambda *event: stages.append(event))
    assert_same(inventory(model), before)
    assert stages == [("sites", done, 18) for done in range(19)]
    places = {(site.module, site.product) for site in found.sites}
    assert len(places) == 2 * (2 + 7)
    assert {("model.layers.1.self_attn", "qk"), ("model.layers.0.mlp.up_proj", "linear")} <= places
    assert found.ordinary == float(loss(model))
    with lmul.simulate(model, LMulConfig(targets="all")):
        assert found.converted == float(loss(model))
    changes = [site.change for site in found.sites]
    assert changes == sorted(changes, reverse=True)
    assert all(site.change == site.loss - found.ordinary for site in found.sites)
    assert all(changes)  # each place makes a difference of its own


def test_sensitivity_finds_the_layer_that_was_made_fragile():
    """Of two layers, only the one whose queries are large has a softmax that errors of a few percent can move."""
    model = llama()
    with torch.no_grad():
        for layer, size in zip(model.model.layers, (30.0, 0.01), strict=True):
            layer.self_attn.q_proj.weight.mul_(size)
            layer.self_attn.v_proj.weight.mul_(10)
            layer.self_attn.o_proj.weight.mul_(10)
    exact = output(model)

    def distance(model):
        return (output(model) - exact).square().mean()

    found = lmul.sensitivity(model, LMulConfig(products=("qk",)), distance)
    assert [site.module for site in found.sites] == ["model.layers.0.self_attn", "model.layers.1.self_attn"]
    assert found.sites[0].change > 100 * found.sites[1].change


def test_sensitivity_restores_after_an_exception_and_names_what_vision_and_gpt2_have():
    def fail(model):
        if getattr(model.config, "lmul", None):
            raise RuntimeError("in the middle")
        return 0.0

    model = vit()
    before = inventory(model)
    with pytest.raises(RuntimeError, match="in the middle"):
        lmul.sensitivity(model, LMulConfig(), fail)
    assert_same(inventory(model), before)
    found = lmul.sensitivity(model, LMulConfig(products=("pv",)), lambda m: output(m).sum())
    assert len(found.sites) == 2
    assert all(site.change for site in found.sites)
    found = lmul.sensitivity(gpt2(), LMulConfig(targets="all"), loss)
    assert len(found.sites) == 2 * (2 + 4)
