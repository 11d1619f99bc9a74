"""Fitted gains: the known ones, what they are worth, and that they come and go with the conversion."""

import copy

import pytest
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from paperworks import lmul
from paperworks.lmul import LMulConfig

IDS = torch.randint(3, 64, (4, 24), generator=torch.Generator().manual_seed(1))


def gaussian_layer(terms=64, columns=64):
    torch.manual_seed(0)
    layer = nn.Linear(terms, columns)
    with torch.no_grad():
        layer.weight.normal_()
    return layer


def error(model, x, exact):
    """Relative to the products, so without the bias."""
    with torch.no_grad():
        return ((model(x) - exact).square().mean() / (exact - model.bias).square().mean()).sqrt().item()


@pytest.mark.parametrize(
    ("settings", "gain", "before", "after"),
    [
        ({"mantissa_bits": 4, "rounding": "nearest"}, 1.049, 0.063, 0.036),
        ({"mantissa_bits": 23}, 1.0, 0.031, 0.031),
    ],
)
def test_the_gain_of_gaussian_operands_and_what_it_is_worth(settings, gain, before, after):
    """Section 2.6's errors of dot products of 64 terms, and section 8.2's correction."""
    layer, x = gaussian_layer(), torch.randn(500, 64)
    with torch.no_grad():
        exact = layer(x)
    lmul.convert(layer, LMulConfig(targets="linear", **settings))
    assert error(layer, x, exact) == pytest.approx(before, rel=0.08)
    gains = lmul.calibrate(layer, lambda model: model(x))
    assert gains == {"": pytest.approx(gain, abs=0.006)}
    assert error(layer, x, exact) == pytest.approx(after, rel=0.08)


def llama():
    torch.manual_seed(0)
    shape = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64}
    return LlamaForCausalLM(LlamaConfig(**shape, **heads)).eval()


@torch.no_grad()
def logits(model):
    return model(input_ids=IDS).logits


def test_every_product_of_a_model_gets_its_own_and_revert_takes_them_away():
    model = llama()
    exact, attributes = logits(model), {name: set(m.__dict__) for name, m in model.named_modules()}
    lmul.convert(model, LMulConfig(targets="all", rounding="nearest"))
    off = (logits(model) - exact).square().mean()
    gains = lmul.calibrate(model, logits)
    assert len(gains) == 2 * (7 + 2)
    assert all(1.02 < gain < 1.08 for gain in gains.values())  # too large, as rounding to nearest makes them
    assert {"model.layers.0.self_attn qk", "model.layers.1.mlp.down_proj"} <= set(gains)
    assert (logits(model) - exact).square().mean() < off
    assert torch.equal(logits(copy.deepcopy(model)), logits(model))
    lmul.revert(model)
    assert torch.equal(logits(model), exact)
    added = {name: set(m.__dict__) - attributes[name] for name, m in model.named_modules()}
    assert not any(added.values())


def test_calibrating_again_fits_the_products_and_not_what_was_divided():
    model = lmul.convert(llama(), LMulConfig(targets="all", rounding="nearest"))
    first = lmul.calibrate(model, lambda m: m.model.layers[0].mlp(torch.randn(3, 32)))
    assert set(first) == {f"model.layers.0.mlp.{name}_proj" for name in ("gate", "up", "down")}
    second = lmul.calibrate(model, logits)
    assert all(second[place] == pytest.approx(first[place], abs=0.02) for place in first)


def test_gradients_pass_through_gains_and_gpt2s_layers_have_them():
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=32, n_layer=1, n_head=4, n_positions=64)).eval()
    lmul.convert(model, LMulConfig(targets="all", rounding="nearest"))
    gains = lmul.calibrate(model, logits)
    assert len(gains) == 4 + 2
    model(input_ids=IDS, labels=IDS).loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_what_stays_ordinary_has_no_gain():
    with pytest.raises(ValueError, match="LlamaForCausalLM has no product by L-Mul to calibrate: convert it first"):
        lmul.calibrate(llama(), logits)
    model = lmul.convert(llama(), LMulConfig(skip=("layers.0",), products=("qk",)))
    assert set(lmul.calibrate(model, logits)) == {"model.layers.1.self_attn qk"}


def test_an_interrupted_calibration_leaves_no_gains():
    model = lmul.convert(llama(), LMulConfig(targets="all"))
    before = logits(model)

    def interrupted(model):
        logits(model)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lmul.calibrate(model, interrupted)
    assert torch.equal(logits(model), before)
