"""The Trainer adds exactly the horizon loss, however batches are accumulated, and saves models without its head."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    Qwen2Config,
    Starcoder2Config,
    Trainer,
    TrainingArguments,
)

from paperworks.hlp import FIMCollator, FIMSettings, HLPConfig, HLPHead, HLPTrainer, hlp_loss
from paperworks.hlp.trainer import HEAD_FILE

from .conftest import TRAINING

SHAPE = {
    "vocab_size": 720,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}
CONFIGS = {
    "starcoder2": Starcoder2Config(**SHAPE, residual_dropout=0.0, embedding_dropout=0.0),
    "deepseek-coder": LlamaConfig(**SHAPE),
    "qwen2.5-coder": Qwen2Config(**SHAPE),
    "codellama": LlamaConfig(**SHAPE, rope_theta=1e6),
}
TEXTS = [
    {"text": f"def f{n}(x):\n    total = x + {n * 37}\n" + "    total += 1\n" * (n % 4) + "    return total\n"}
    for n in range(8)
]


def built(name):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIGS[name])
    model.config.use_cache = False
    return model


def arguments(folder, **changes):
    return TrainingArguments(str(folder), **{**TRAINING, "max_steps": 1, **changes})


def losses(trainer):
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def collator(tokenizers, name):
    return FIMCollator(tokenizers[name], FIMSettings(fim_rate=1.0, max_length=96))


@pytest.mark.parametrize("name", CONFIGS)
def test_the_loss_is_the_models_plus_lambda_times_the_horizons(name, tokenizers, tmp_path):
    model, collate = built(name), collator(tokenizers, name)
    trainer = HLPTrainer(
        model, arguments(tmp_path), train_dataset=TEXTS, data_collator=collate, hlp=HLPConfig(weight=0.3)
    )
    torch.nn.init.normal_(model.hlp_head.weight)
    batch = collate(TEXTS)
    targets = batch.pop("hlp_targets")
    with torch.no_grad():
        output = model(**batch, output_hidden_states=True)
        expected = output.loss + 0.3 * hlp_loss(output.hidden_states[-1], model.hlp_head, targets)
    assert losses(trainer) == [pytest.approx(expected.item(), abs=2e-6)]
    assert not model.get_decoder()._forward_hooks


@pytest.mark.parametrize("kwargs", [True, False])
def test_accumulated_batches_train_as_one(kwargs, tokenizers, tmp_path):
    """Also where the model does not take the number of tokens, and the Trainer averages the batches' losses."""
    weights = []
    for size, steps in ((8, 1), (2, 4)):
        model = built("deepseek-coder")
        trainer = HLPTrainer(
            model,
            arguments(tmp_path, per_device_train_batch_size=size, gradient_accumulation_steps=steps),
            train_dataset=TEXTS,
            data_collator=collator(tokenizers, "deepseek-coder"),
            hlp=HLPConfig(weight=0.3),
        )
        trainer.model_accepts_loss_kwargs = kwargs
        torch.nn.init.constant_(model.hlp_head.weight, 0.1)
        trainer.train()
        weights.append(model.hlp_head.weight.detach().clone())
    torch.testing.assert_close(*weights, atol=1e-6, rtol=0)
    assert not torch.allclose(weights[0], torch.full((16,), 0.1))


def test_at_weight_zero_training_is_the_plain_trainers(tokenizers, tmp_path):
    collate = collator(tokenizers, "starcoder2")
    zero = HLPTrainer(
        built("starcoder2"),
        arguments(tmp_path, max_steps=3),
        train_dataset=TEXTS,
        data_collator=collate,
        hlp=HLPConfig(weight=0),
    )
    found = losses(zero)
    collate.set_epoch(0)

    class Plain(Trainer):
        def compute_loss(self, model, inputs, *args, **kwargs):
            inputs.pop("hlp_targets")
            return super().compute_loss(model, inputs, *args, **kwargs)

    plain = Plain(built("starcoder2"), arguments(tmp_path, max_steps=1), train_dataset=TEXTS, data_collator=collate)
    assert losses(plain) == found[:1]


def test_evaluation_is_the_plain_trainers(tokenizers, tmp_path):
    model, collate = built("qwen2.5-coder"), collator(tokenizers, "qwen2.5-coder")
    trainer = HLPTrainer(model, arguments(tmp_path), eval_dataset=TEXTS, data_collator=collate)
    batch = collate(TEXTS)
    batch.pop("hlp_targets")
    with torch.no_grad():
        expected = model.eval()(**batch).loss.item()
    assert trainer.evaluate()["eval_loss"] == pytest.approx(expected, abs=1e-6)


def test_epochs_are_cut_anew(tokenizers, tmp_path):
    seen = []

    class Watched(HLPTrainer):
        def training_step(self, model, inputs, *args, **kwargs):
            seen.append(inputs["input_ids"].clone())
            return super().training_step(model, inputs, *args, **kwargs)

    Watched(
        built("qwen2.5-coder"),
        arguments(tmp_path, max_steps=-1, num_train_epochs=2),
        train_dataset=TEXTS[:1],
        data_collator=collator(tokenizers, "qwen2.5-coder"),
    ).train()
    assert len(seen) == 2
    assert seen[0].tolist() != seen[1].tolist()


def test_the_model_is_saved_without_the_head_and_the_head_beside_it(tokenizers, tmp_path):
    model = built("starcoder2")
    trainer = HLPTrainer(
        model,
        arguments(tmp_path, save_strategy="steps", save_steps=1, max_steps=2),
        train_dataset=TEXTS,
        data_collator=collator(tokenizers, "starcoder2"),
    )
    trainer.train()
    trainer.save_model(tmp_path / "model")
    clean, report = AutoModelForCausalLM.from_pretrained(tmp_path / "model", output_loading_info=True)
    assert not report["unexpected_keys"]
    assert not report["missing_keys"]
    assert not any("hlp" in key for key in clean.state_dict())
    assert torch.equal(clean.lm_head.weight, model.lm_head.weight)
    assert torch.equal(HLPHead.load(tmp_path / "model" / HEAD_FILE).weight, model.hlp_head.weight)
    assert model.hlp_head.weight.any()

    again = HLPTrainer(
        built("starcoder2"),
        arguments(tmp_path, max_steps=2),
        train_dataset=TEXTS,
        data_collator=collator(tokenizers, "starcoder2"),
    )
    again.train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))
    torch.testing.assert_close(again.hlp_head.weight, model.hlp_head.weight)


def test_a_loss_that_never_calls_lm_head_has_the_horizon(tokenizers, tmp_path, monkeypatch):
    """As fused cross-entropies do, which multiply by the head's weights themselves."""
    model, collate = built("deepseek-coder"), collator(tokenizers, "deepseek-coder")

    def forward(input_ids, attention_mask, labels, **kwargs):
        hidden = model.model(input_ids=input_ids, attention_mask=attention_mask)[0]
        return {"loss": hidden.sum() * 0}

    monkeypatch.setattr(model, "forward", forward)
    monkeypatch.setattr(model.lm_head, "forward", None)
    trainer = HLPTrainer(
        model, arguments(tmp_path), train_dataset=TEXTS, data_collator=collate, hlp=HLPConfig(weight=1)
    )
    targets = collate(TEXTS)["hlp_targets"]
    expected = ((targets - 0.5).abs() * (targets >= 0)).sum() / (targets >= 0).sum()
    assert losses(trainer) == [pytest.approx(expected.item(), abs=1e-5)]


def test_gradient_checkpointing_changes_nothing(tokenizers, tmp_path):
    found = []
    for checkpointing in (False, True):
        model = built("deepseek-coder")
        if checkpointing:
            model.activation_checkpointing_enable()
        trainer = HLPTrainer(
            model,
            arguments(tmp_path, max_steps=2),
            train_dataset=TEXTS,
            data_collator=collator(tokenizers, "deepseek-coder"),
            hlp=HLPConfig(weight=1),
        )
        found.append(losses(trainer))
    assert found[0] == pytest.approx(found[1], abs=1e-6)


def test_what_cannot_be_trained_is_refused(tokenizers, tmp_path):
    with pytest.raises(ValueError, match="Linear has no decoder"):
        HLPTrainer(torch.nn.Linear(2, 2), arguments(tmp_path))
    with pytest.raises(ValueError, match="remove_unused_columns=False"):
        HLPTrainer(
            built("starcoder2"),
            arguments(tmp_path, remove_unused_columns=True),
            data_collator=collator(tokenizers, "starcoder2"),
        )
