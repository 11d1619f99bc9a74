"""L-Mul by from_pretrained: loading, training, saving, reloading, and checkpoints that stay ordinary."""

import json

import pytest
import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    Trainer,
    TrainingArguments,
)
from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING, AUTO_QUANTIZER_MAPPING

from paperworks import lmul
from paperworks.lmul import LMulConfig, LMulLinear

SIZES = {"vocab_size": 32, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64}
IDS = torch.randint(3, 32, (2, 7), generator=torch.Generator().manual_seed(1))
CONFIG = LMulConfig(mantissa_bits=3, targets="all", grad="ste")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("llama")
    LlamaForCausalLM(LlamaConfig(**SIZES, **HEADS)).save_pretrained(folder)
    return folder


def load(folder, config=None, **options):
    """From ``folder``; the keyword is left out without a config, since None would override what config.json says."""
    options |= {} if config is None else {"quantization_config": config}
    return AutoModelForCausalLM.from_pretrained(folder, **options)


@torch.no_grad()
def logits(model):
    return model.eval()(input_ids=IDS).logits


@pytest.fixture
def converted(checkpoint):
    """The same weights, converted by hand."""
    return lmul.convert(load(checkpoint), CONFIG)


def test_loading_with_a_config_is_loading_and_converting(checkpoint, converted):
    model = load(checkpoint, CONFIG)
    assert type(model.model.layers[0].mlp.up_proj) is LMulLinear
    assert type(model.lm_head) is nn.Linear
    assert model.config._attn_implementation == "lmul"
    assert torch.equal(logits(model), logits(converted))
    assert not torch.equal(logits(model), logits(load(checkpoint)))


@pytest.mark.parametrize("targets", ["attention", "linear", "all"])
def test_saved_models_say_what_they_are_and_reload(checkpoint, tmp_path, targets):
    model = load(checkpoint, CONFIG.replace(targets=targets, skip=("lm_head", "layers.0")))
    model.save_pretrained(tmp_path)
    stored = json.loads((tmp_path / "config.json").read_text())["quantization_config"]
    assert stored == model.config.quantization_config.to_dict()
    again = load(tmp_path)
    assert again.config.quantization_config == model.config.quantization_config
    assert torch.equal(logits(again), logits(model))
    assert again.state_dict().keys() == load(checkpoint).state_dict().keys()


def test_a_model_converted_by_hand_reloads_converted_too(converted, tmp_path):
    converted.save_pretrained(tmp_path)
    assert torch.equal(logits(load(tmp_path)), logits(converted))
    lmul.revert(converted).save_pretrained(tmp_path)
    stored = json.loads((tmp_path / "config.json").read_text())
    assert "quantization_config" not in stored
    assert "lmul" not in stored


def test_where_lmul_is_not_imported_the_checkpoint_is_an_ordinary_one(checkpoint, tmp_path, monkeypatch):
    load(checkpoint, CONFIG).save_pretrained(tmp_path)
    monkeypatch.delitem(AUTO_QUANTIZATION_CONFIG_MAPPING, "lmul")
    monkeypatch.delitem(AUTO_QUANTIZER_MAPPING, "lmul")
    plain = load(tmp_path)
    assert type(plain.model.layers[0].mlp.up_proj) is nn.Linear
    assert torch.equal(logits(plain), logits(load(checkpoint)))


@pytest.mark.parametrize("take_back", [lmul.revert, lambda model: model.dequantize()], ids=["revert", "dequantize"])
def test_a_loaded_model_becomes_ordinary_again(checkpoint, tmp_path, take_back):
    model = load(checkpoint, CONFIG)
    take_back(model)
    assert type(model.model.layers[0].mlp.up_proj) is nn.Linear
    assert torch.equal(logits(model), logits(load(checkpoint)))
    model.save_pretrained(tmp_path)
    assert "quantization_config" not in json.loads((tmp_path / "config.json").read_text())


def test_dtype_and_ties(tmp_path):
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**SIZES, **HEADS, tie_word_embeddings=True)).save_pretrained(tmp_path)
    model = load(tmp_path, CONFIG.replace(skip=()), dtype=torch.bfloat16)
    assert type(model.lm_head) is LMulLinear
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert model.model.layers[0].mlp.up_proj.weight.dtype == torch.bfloat16
    assert logits(model).isfinite().all()


def test_trainer_trains_saves_and_the_result_reloads(checkpoint, tmp_path):
    """Twenty steps on one repeated sequence: every multiplication L-Mul, gradients straight through, the loss falls."""
    sequence = torch.arange(3, 11).repeat(2)
    rows = [{"input_ids": sequence, "labels": sequence}] * 8
    model = load(checkpoint, CONFIG.replace(skip=()))
    weight = model.model.layers[0].mlp.up_proj.weight.detach().clone()
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "run"),
        max_steps=20,
        per_device_train_batch_size=4,
        learning_rate=1e-2,
        logging_steps=1,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=rows)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses[-1] < 0.5 * losses[0]
    assert not torch.equal(model.model.layers[0].mlp.up_proj.weight, weight)
    trainer.save_model(str(tmp_path / "trained"))
    again = load(tmp_path / "trained")
    assert type(again.lm_head) is LMulLinear
    torch.testing.assert_close(logits(again), logits(model), rtol=0, atol=0)


def test_what_cannot_be_converted_is_told_when_loading(checkpoint):
    with pytest.raises(ValueError, match="mantissa_bits"):
        logits(load(checkpoint, CONFIG.replace(mantissa_bits=30)))
    with pytest.raises(ValueError, match="no linear layer that `skip` leaves"):
        load(checkpoint, CONFIG.replace(targets="linear", skip=("*",)))
