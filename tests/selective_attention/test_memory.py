"""The memory loss: known values, its formula, its gradient; and training with it by transformers' Trainer."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM, TrainingArguments

from paperworks.selective_attention import SelectiveTrainer, memory_loss, recorded
from paperworks.selective_attention.layout import causal, padded
from paperworks.selective_attention.memory import Recorder
from paperworks.selective_attention.models import Selection


def selection(query, key, layout, layer=0):
    return Selection(
        layer=layer, query=query, key=key, layout=layout, scale=1.0, selector_head=0, softcap=None, before=None
    )


def recorder(*selections):
    made = Recorder()
    for each in selections:
        made(each)
    return made


def states(batch, length, size=1.0, seed=0):
    made = torch.randn(2, batch, 1, length, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return [each.requires_grad_() for each in made * size]


def test_without_any_penalty_every_earlier_token_is_needed():
    query, key = torch.zeros(2, 1, 1, 10, 4, requires_grad=True)
    loss = memory_loss(recorder(selection(query, key, causal(10, 10))), eps=0.1)
    assert loss.item() == pytest.approx(0.1 * 9 / 10)


def test_where_all_is_masked_the_first_and_the_newest_are_left():
    query = torch.full((1, 1, 12, 4), 5.0, requires_grad=True)
    loss = memory_loss(recorder(selection(query, query, causal(12, 12))), eps=1.0)
    assert loss.item() == pytest.approx(2 / 12)  # the protected token, and the one before the query


def test_it_is_the_papers_formula_row_by_row():
    query, key = states(3, 11)
    there = torch.ones(3, 11, dtype=torch.bool)
    there[1, :4], there[2, 8:] = False, False
    layout, tau, expected = padded(there, 11), 0.7, 0.0
    made = [selection(query, key, layout), selection(key, query, layout, layer=1)]
    for each in made:
        penalty = each.penalties()[0].detach()
        for row in range(3):
            tokens = there[row].nonzero().flatten().tolist()
            needed = [
                place - sum(min(float(penalty[row, i, k]), tau) / tau for k in tokens[: place + 1])
                for place, i in enumerate(tokens)
            ]
            expected += max(needed) / len(tokens) / 3 / 2
    assert memory_loss(recorder(*made), eps=0.3, tau=tau).item() == pytest.approx(0.3 * expected, abs=1e-12)


def test_penalties_above_tau_are_pushed_no_further():
    query, key = (each.detach().abs().mul(3).requires_grad_() for each in states(1, 10))
    memory_loss(recorder(selection(query, key, causal(10, 10))), tau=1e-6).backward()
    assert not query.grad.any()
    query.grad = None
    memory_loss(recorder(selection(query, key, causal(10, 10))), tau=1e6).backward()
    assert query.grad.any()


def test_its_gradient_is_that_of_finite_differences():
    query, key = states(2, 6)
    layout = causal(6, 6)
    assert torch.autograd.gradcheck(lambda q, k: memory_loss(recorder(selection(q, k, layout)), tau=3.0), (query, key))


@pytest.mark.parametrize("eps", [0.0, 0.1])
def test_gradient_checkpointing_gives_the_same_gradients(eps, build, tokens):
    model, ids = build().train(), tokens(2, 12)
    gradients = []
    for checkpointing in (False, True):
        if checkpointing:
            model.activation_checkpointing_enable({"use_reentrant": False})
        model.zero_grad()
        with recorded(model) as seen:
            loss = model(input_ids=ids, labels=ids).loss
        (loss + memory_loss(seen, eps=eps)).backward()
        gradients.append([parameter.grad.clone() for parameter in model.parameters()])
    for plain, checkpointed in zip(*gradients, strict=True):
        torch.testing.assert_close(checkpointed, plain, rtol=0, atol=1e-6)


def test_without_a_gradient_or_a_recording_it_says_so(build, tokens):
    model, ids = build().train(), tokens(1, 8)
    model.activation_checkpointing_enable({"use_reentrant": True})
    model.enable_input_require_grads()
    with recorded(model) as seen:
        model(input_ids=ids)
    with pytest.raises(ValueError, match="use_reentrant"):
        memory_loss(seen)
    with pytest.raises(ValueError, match="no layer was recorded"):
        memory_loss(Recorder())


@pytest.fixture
def train(tmp_path):
    def run(model, data, **settings):
        arguments = TrainingArguments(
            output_dir=str(tmp_path / "run"),
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
            use_cpu=True,
            logging_steps=1,
            **settings,
        )
        trainer = SelectiveTrainer(model=model, args=arguments, train_dataset=data, eval_dataset=data[:4])
        trainer.train()
        return trainer

    return run


def rows(tokens, count, length=16):
    """Texts that repeat themselves after four tokens: there is something to learn, and to forget."""
    starts = tokens(count, 4).repeat(1, length // 4)
    return [{"input_ids": row, "labels": row} for row in starts]


def mean_penalty(model, data):
    ids = torch.stack([each["input_ids"] for each in data])
    with torch.no_grad(), recorded(model) as seen:
        model(input_ids=ids)
    return float(torch.stack([each.penalties()[0].mean() for each in seen.selections.values()]).mean())


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_twenty_steps_of_training_lower_the_loss_and_raise_the_penalties(build, tokens, train, tmp_path):
    data = rows(tokens, 32)
    penalties = {}
    for eps in (0.0, 2.0):
        model = build(mem_loss_eps=eps)
        before = mean_penalty(model, data)
        trainer = train(model, data, max_steps=20, per_device_train_batch_size=8, learning_rate=3e-3)
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        assert len(losses) == 20
        assert sum(losses[-3:]) < 0.9 * sum(losses[:3])
        penalties[eps] = mean_penalty(model.eval(), data)
    assert penalties[2.0] > before
    assert penalties[2.0] > 1.2 * penalties[0.0]
    trainer.save_model(str(tmp_path / "saved"))
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "saved")
    assert loaded.config.selective_attention["mem_loss_eps"] == 2.0
    assert mean_penalty(loaded, data) == pytest.approx(penalties[2.0], rel=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_evaluation_reports_the_models_own_loss(build, tokens, train):
    data = rows(tokens, 8)
    trainer = train(build(mem_loss_eps=5.0), data, max_steps=1)
    ids = torch.stack([each["input_ids"] for each in data[:4]])
    with torch.no_grad():
        own = float(trainer.model(input_ids=ids, labels=ids).loss)
    assert trainer.evaluate()["eval_loss"] == pytest.approx(own, abs=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_accumulated_gradients_are_those_of_the_whole_batch(build, tokens, train):
    data, weights = rows(tokens, 8), []
    for steps in (1, 4):
        model = build(mem_loss_eps=1.0)
        settings = {"per_device_train_batch_size": 8 // steps, "gradient_accumulation_steps": steps, "max_steps": 1}
        train(model, data, optim="sgd", learning_rate=0.1, lr_scheduler_type="constant", max_grad_norm=0, **settings)
        weights.append([parameter.detach() for parameter in model.parameters()])
    for whole, parts in zip(*weights, strict=True):
        torch.testing.assert_close(parts, whole, rtol=0, atol=1e-6)


def test_a_layer_is_recorded_once():
    query, key = states(1, 5)
    first = selection(query, key, causal(5, 5))
    made = recorder(first, replace(first, scale=2.0))
    assert made.selections == {0: first}
