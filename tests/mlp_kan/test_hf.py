"""ViT, BERT and Llama with mixtures in place of their feed-forward parts."""

from __future__ import annotations

import pytest
import torch
from transformers import BertConfig, BertModel, LlamaConfig, LlamaModel, ViTConfig, ViTModel

from paperworks.mlp_kan import MLPKAN, hf

_SHAPE = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}


def _vit():
    torch.manual_seed(0)
    return ViTModel(ViTConfig(image_size=8, patch_size=4, **_SHAPE)).eval(), torch.randn(2, 3, 8, 8)


def _bert():
    torch.manual_seed(0)
    return BertModel(BertConfig(vocab_size=50, **_SHAPE)).eval(), torch.arange(14).view(2, 7)


def _llama():
    torch.manual_seed(0)
    return LlamaModel(LlamaConfig(vocab_size=50, **_SHAPE)).eval(), torch.arange(14).view(2, 7)


@pytest.mark.parametrize("make", [_vit, _bert, _llama])
def test_every_layer_gets_a_mixture_that_trains_and_is_saved(make):
    (model, inputs), (again, _) = make(), make()
    before = model(inputs).last_hidden_state
    for each in (model, again):
        assert hf.replace_ffn(each, hidden=8, num_experts=4) == 2
        assert sum(isinstance(module, MLPKAN) for module in each.modules()) == 2
    after = model(inputs).last_hidden_state
    assert after.shape == before.shape
    again.load_state_dict(model.state_dict())
    torch.testing.assert_close(again(inputs).last_hidden_state, after)
    after.square().sum().backward()
    assert all(module.mixture.router.weight.grad.any() for module in model.modules() if isinstance(module, MLPKAN))


@pytest.mark.parametrize(
    ("make", "ends"), [(_vit, ("mlp.fc2",)), (_bert, ("output.dense",)), (_llama, ("mlp.down_proj",))]
)
def test_silent_mixtures_are_silent_feed_forward_parts(make, ends):
    (ours, inputs), (plain, _) = make(), make()
    hf.replace_ffn(ours, hidden=8, num_experts=4)
    for module in ours.modules():
        if isinstance(module, MLPKAN):
            for parameter in module.parameters():
                torch.nn.init.zeros_(parameter)
    for name, module in plain.named_modules():
        if name.endswith(ends) and "attention" not in name:
            for parameter in module.parameters():
                torch.nn.init.zeros_(parameter)
    torch.testing.assert_close(ours(inputs).last_hidden_state, plain(inputs).last_hidden_state)


def test_an_unknown_model_is_refused():
    with pytest.raises(ValueError, match="known are ViTLayer, BertLayer, LlamaDecoderLayer"):
        hf.replace_ffn(torch.nn.Linear(2, 2))
