"""The horizon loss in other people's trainers: TRL's, with PEFT's adapters, compiled, and in several processes."""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, TrainingArguments
from trl import SFTConfig, SFTTrainer

from paperworks.hlp import FIMCollator, FIMSettings, HLPConfig, HLPHead, HLPMixin, HLPTrainer, hlp_loss
from paperworks.hlp.trainer import HEAD_FILE

from .conftest import TRAINING

CONFIG = LlamaConfig(
    vocab_size=720,
    hidden_size=16,
    intermediate_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    max_position_embeddings=128,
    use_cache=False,
)
TEXTS = [{"text": f"def f{n}(x):\n    total = x + {n * 37}\n    return total * {n}\n"} for n in range(8)]
SETTINGS = {**TRAINING, "max_steps": 2}


def built():
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIG)
    model.hlp_head = HLPHead(16)
    torch.nn.init.constant_(model.hlp_head.weight, 0.3)
    return model


@pytest.fixture
def collate(tokenizers):
    return FIMCollator(tokenizers["deepseek-coder"], FIMSettings(fim_rate=1.0, max_length=96))


def losses(trainer):
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def by_hand(model, batch, weight):
    """The loss of a batch in plain words: next tokens, and weight times the horizon."""
    batch = dict(batch)
    targets = batch.pop("hlp_targets")
    with torch.no_grad():
        output = model(**batch, output_hidden_states=True)
        return (output.loss + weight * hlp_loss(output.hidden_states[-1], model.hlp_head, targets)).item()


def plain(folder, collate, **changes):
    arguments = TrainingArguments(str(folder), **{**SETTINGS, **changes})
    model = built()
    return HLPTrainer(model, arguments, train_dataset=TEXTS, data_collator=collate, hlp=HLPConfig(weight=0.5))


def test_trls_trainer_has_the_horizon(collate, tokenizers, tmp_path):
    class HLPSFTTrainer(HLPMixin, SFTTrainer):
        pass

    arguments = SFTConfig(
        str(tmp_path),
        **SETTINGS,
        bf16=False,
        gradient_checkpointing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    trainer = HLPSFTTrainer(
        built(),
        args=arguments,
        train_dataset=Dataset.from_list(TEXTS),
        data_collator=collate,
        processing_class=tokenizers["deepseek-coder"],
        hlp=HLPConfig(weight=0.5),
    )
    expected = by_hand(built(), collate(TEXTS), 0.5)
    found = losses(trainer)
    assert found[0] == pytest.approx(expected, abs=1e-4)
    assert found == pytest.approx(losses(plain(tmp_path, collate)), abs=1e-4)


def test_adapters_and_the_head_train_and_nothing_else(collate, tmp_path):
    base = AutoModelForCausalLM.from_config(CONFIG)
    model = get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj", "v_proj"]))
    frozen = {name: weight.clone() for name, weight in model.named_parameters() if not weight.requires_grad}
    trainer = HLPTrainer(
        model,
        TrainingArguments(str(tmp_path), **{**SETTINGS, "max_steps": 3, "learning_rate": 0.3}),
        train_dataset=TEXTS,
        data_collator=collate,
        hlp=HLPConfig(weight=1.0),
    )
    trainer.train()
    now = dict(model.named_parameters())
    assert all(torch.equal(now[name], weight) for name, weight in frozen.items())
    assert all(now[name].any() for name in now if "lora_B" in name)
    assert trainer.hlp_head.weight.any()
    trainer.save_model(str(tmp_path / "adapter"))
    assert torch.equal(HLPHead.load(tmp_path / "adapter" / HEAD_FILE).weight, trainer.hlp_head.weight)
    again = type(model).from_pretrained(AutoModelForCausalLM.from_config(CONFIG), tmp_path / "adapter")
    kept = {name: weight for name, weight in again.named_parameters() if "lora_B" in name}
    assert kept
    assert all(torch.equal(weight, now[name]) for name, weight in kept.items())


def test_a_compiled_model_has_the_same_losses(collate, tmp_path):
    compiled = plain(tmp_path, collate, torch_compile=True, torch_compile_backend="eager")
    assert losses(compiled) == pytest.approx(losses(plain(tmp_path, collate)), abs=1e-4)


_WORKER = """
import json, pickle, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch
from hlp.test_ecosystem import plain
collate = pickle.loads(Path(sys.argv[2], "collator.pickle").read_bytes())
torch.set_num_threads(1)
trainer = plain(sys.argv[2], collate, per_device_train_batch_size=4)
trainer.train()
if trainer.args.process_index == 0:
    Path(sys.argv[2], "head.json").write_text(json.dumps(trainer.hlp_head.weight.tolist()))
"""


def test_two_processes_train_as_one(collate, tmp_path):
    """DistributedDataParallel over gloo, half of every batch each."""
    (tmp_path / "collator.pickle").write_bytes(pickle.dumps(collate))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {
        **os.environ,
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(Path(__file__).parents[1]), str(tmp_path)],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]
    assert [process.wait(timeout=55) for process in processes] == [0, 0]
    alone = plain(tmp_path, collate)
    alone.train()
    together = torch.tensor(json.loads((tmp_path / "head.json").read_text()))
    torch.testing.assert_close(together, alone.hlp_head.weight, atol=1e-6, rtol=0)
    assert (together - 0.3).abs().max() > 1e-5
