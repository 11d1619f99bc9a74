"""Selective attention in transformers models: what it computes, padding, documents, generation, saving, errors."""

from __future__ import annotations

import json

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    T5Config,
    T5ForConditionalGeneration,
)

from paperworks.lab.attention import register, repeat_kv
from paperworks.selective_attention import SelectiveCache, SelectiveConfig, hf, pruned, reference

BUDGETS = [6, 9]


def literally(budgets=(None, None), selecting=(0, 1)):
    """An attention function that does what Section 2 says to transformers' own additive mask, matrix by matrix."""

    def forward(module, query, key, value, attention_mask, scaling=None, dropout=0.0, softcap=None, **kwargs):
        groups = query.shape[1] // key.shape[1]
        logits = query @ repeat_kv(key, groups).transpose(2, 3) * scaling
        logits = logits if softcap is None else softcap * torch.tanh(logits / softcap)
        seen = (attention_mask == 0)[:, 0]  # [B, N, N]
        votes = torch.relu(logits[:, 0]) * seen
        first = seen.diagonal(dim1=1, dim2=2).int().argmax(-1)  # the row's first token that is not padding
        votes[torch.arange(len(votes)), :, first] = 0
        votes = votes.masked_fill(torch.eye(votes.shape[-1], dtype=torch.bool), 0)
        penalty = torch.nn.functional.pad(votes.cumsum(1), (0, 0, 1, 0))[:, :-1]
        if module.layer_idx not in selecting:
            penalty = torch.zeros_like(penalty)
        if (budget := budgets[module.layer_idx]) is not None:
            seen = seen & reference.prune_mask(penalty, budget)
        scores = (logits - penalty[:, None]).masked_fill(~seen[:, None], torch.finfo(logits.dtype).min)
        output = torch.softmax(scores, dim=-1) @ repeat_kv(value, groups)
        return output.transpose(1, 2), None

    return forward


@torch.no_grad()
def logits(model, ids, **inputs):
    return model(input_ids=ids, use_cache=False, **inputs).logits


@torch.no_grad()
def literal_logits(model, ids, function, **inputs):
    register("selective_literal", function, mask="eager")
    model.set_attn_implementation("selective_literal")
    try:
        return model(input_ids=ids, use_cache=False, **inputs).logits
    finally:
        model.set_attn_implementation("selective")


def test_a_model_computes_what_section_2_says(family, build, tokens):
    model, ids = build(family), tokens(2, 13)
    padding = torch.ones_like(ids)
    padding[1, :4] = 0
    ours = logits(model, ids, attention_mask=padding)
    theirs = literal_logits(model, ids, literally(), attention_mask=padding)
    standard = literal_logits(model, ids, literally(selecting=()), attention_mask=padding)
    there = padding.bool()
    torch.testing.assert_close(ours[there], theirs[there], rtol=0, atol=1e-5 * float(theirs.abs().max()))
    assert (ours - standard)[there].abs().max() > 0.01, "selection changes nothing here, so this test would see nothing"


def test_left_padding_changes_nothing(family, build, tokens):
    model, ids = build(family), tokens(2, 12)
    padding = torch.ones_like(ids)
    padding[1, :5] = 0
    positions = (padding.cumsum(-1) - 1).clamp(min=0)
    padded = logits(model, ids, attention_mask=padding, position_ids=positions)
    torch.testing.assert_close(padded[1:, 5:], logits(model, ids[1:, 5:]), rtol=0, atol=1e-5)
    torch.testing.assert_close(padded[:1], logits(model, ids[:1]), rtol=0, atol=1e-5)


def test_a_token_changes_nothing_before_it(family, build, tokens):
    model, ids = build(family), tokens(1, 12)
    changed = ids.clone()
    changed[0, 7] = (ids[0, 7] + 1) % 60 + 3
    before, after = logits(model, ids), logits(model, changed)
    torch.testing.assert_close(after[:, :7], before[:, :7], rtol=0, atol=0)
    assert (after - before)[:, 8:].abs().max() > 1e-3


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_packed_documents_do_not_see_each_other(family, build, tokens):
    model, ids = build(family), tokens(1, 17)
    positions = torch.cat([torch.arange(7), torch.arange(10)])[None]
    packed = logits(model, ids, position_ids=positions)
    torch.testing.assert_close(packed[:, :7], logits(model, ids[:, :7]), rtol=0, atol=1e-5)
    torch.testing.assert_close(packed[:, 7:], logits(model, ids[:, 7:]), rtol=0, atol=1e-5)


def test_documents_cannot_be_pruned(build, tokens):
    model = build()
    with pruned(model, 5), pytest.raises(ValueError, match="one sequence a row"):
        logits(model, tokens(1, 12), position_ids=torch.arange(12)[None] % 6)


def test_only_the_layers_asked_for_select(build, tokens):
    model, ids = build(layers=[1]), tokens(2, 12)
    torch.testing.assert_close(
        logits(model, ids), literal_logits(model, ids, literally(selecting=(1,))), rtol=0, atol=1e-5
    )
    cache = SelectiveCache(model)
    stepped = [model(ids[:, i : i + 1], past_key_values=cache).logits for i in range(12)]
    torch.testing.assert_close(torch.cat(stepped, 1), logits(model, ids), rtol=0, atol=1e-5)


def test_pruned_evaluation_is_attention_under_the_references_mask(build, tokens):
    model, ids = build(), tokens(2, 20)
    with pruned(model, BUDGETS):
        ours = logits(model, ids)
    torch.testing.assert_close(ours, literal_logits(model, ids, literally(BUDGETS)), rtol=0, atol=1e-5)
    assert (ours - logits(model, ids)).abs().max() > 0.01


WAYS = {
    "greedy": {},
    "sampling": {"do_sample": True, "temperature": 0.7},
    "beams": {"num_beams": 3},
    "several": {"do_sample": True, "num_return_sequences": 2},
}


@pytest.mark.parametrize("way", sorted(WAYS))
@pytest.mark.parametrize("budgets", [None, BUDGETS], ids=["unlimited", "budgets"])
def test_generation_with_a_cache_is_generation_without(way, budgets, build, tokens):
    model, ids = build(), tokens(2, 8)
    padding = torch.ones_like(ids)
    padding[1, :3] = 0
    inputs = {"attention_mask": padding, "max_new_tokens": 10, "eos_token_id": None, **WAYS[way]}
    torch.manual_seed(3)
    cached = model.generate(ids, past_key_values=SelectiveCache(model, budgets), **inputs)
    torch.manual_seed(3)
    with pruned(model, budgets):
        plain = model.generate(ids, use_cache=False, **inputs)
    assert cached.shape[1] == 18
    assert torch.equal(cached, plain)


@pytest.mark.parametrize("way", ["greedy", "beams"])
def test_every_architecture_generates_within_a_budget(family, way, build, tokens):
    model, ids = build(family), tokens(2, 9)
    inputs = {"max_new_tokens": 8, "eos_token_id": None, "attention_mask": torch.ones_like(ids), **WAYS[way]}
    cache = SelectiveCache(model, 6)
    cached = model.generate(ids, past_key_values=cache, **inputs)
    assert max(layer.keys.shape[2] for layer in cache.layers) <= 6
    with pruned(model, 6):
        assert torch.equal(cached, model.generate(ids, use_cache=False, **inputs))


def test_assisted_generation_takes_back_what_was_not_accepted(build, tokens):
    model = build()
    ids = tokens(1, 4).repeat(1, 3)
    inputs = {"max_new_tokens": 12, "eos_token_id": None, "attention_mask": torch.ones_like(ids)}
    plain = model.generate(ids, use_cache=False, **inputs)
    cache = SelectiveCache(model)
    assert torch.equal(model.generate(ids, past_key_values=cache, prompt_lookup_num_tokens=4, **inputs), plain)


def test_a_saved_model_comes_back_selective_however_often(build, tokens, tmp_path):
    model, ids = build(selector_head=2, budgets=BUDGETS, mem_loss_eps=0.1), tokens(1, 10)
    model.save_pretrained(tmp_path / "first")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "first")
    torch.testing.assert_close(logits(loaded, ids), logits(model, ids), rtol=0, atol=0)
    loaded.save_pretrained(tmp_path / "second")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "second")
    assert again.config._attn_implementation == "selective"
    assert [layer.budget for layer in SelectiveCache(again).layers] == BUDGETS
    stored = json.loads((tmp_path / "second" / "config.json").read_text())
    assert SelectiveConfig.from_dict(stored["selective_attention"]) == SelectiveConfig(
        selector_head=2, budgets=BUDGETS, mem_loss_eps=0.1
    )


def test_disabling_gives_the_former_attention_back(build, tokens, tmp_path):
    model, ids = build(), tokens(1, 10)
    selective = logits(model, ids)
    hf.disable(model)
    assert model.config._attn_implementation == "eager"
    assert (logits(model, ids) - selective).abs().max() > 0.01
    model.save_pretrained(tmp_path)
    assert "selective" not in (tmp_path / "config.json").read_text()


def test_an_encoder_is_refused():
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 4}
    model = BertModel(BertConfig(vocab_size=64, **sizes))
    with pytest.raises(ValueError, match="causal decoders: BertModel"):
        hf.enable(model)
    model.set_attn_implementation("selective")
    with pytest.raises(ValueError, match="selective attention is causal"):
        model(input_ids=torch.ones(1, 4, dtype=torch.long))


def test_an_encoder_with_a_decoder_and_cross_attention_are_refused():
    with pytest.raises(ValueError, match="causal decoders"):
        hf.enable(T5ForConditionalGeneration(T5Config(vocab_size=64, d_model=16, d_kv=4, d_ff=16, num_layers=1)))
    crossed = GPT2Config(vocab_size=64, n_embd=32, n_layer=1, n_head=4, add_cross_attention=True)
    with pytest.raises(ValueError, match="causal decoders"):
        hf.enable(GPT2LMHeadModel(crossed))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"selector_head": 4}, "heads are 0 to 3"),
        ({"layers": [0, 2]}, "they are 0 to 1"),
        ({"layers": "some"}, "'all' or the numbers"),
        ({"budgets": 2}, "1 protected tokens and two more"),
        ({"budgets": [8]}, "1 budgets do not fit 2 layers"),
        ({"budgets": [8, 8], "layers": [0]}, "its budget must be None"),
        ({"mem_tau": 0}, "more than 0"),
        ({"selector_head": -1}, "0 or more"),
        ({"config": SelectiveConfig(), "protect": 2}, "not both"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, says, build):
    with pytest.raises(ValueError, match=says):
        build(**settings)


def test_settings_of_another_kind_in_a_config_are_refused(build, tokens):
    model = build()
    model.config.selective_attention = {"selector": 1}
    with pytest.raises(ValueError, match="unknown settings selector"):
        logits(model, tokens(1, 3))


def test_a_mask_of_ones_own_is_refused(build, tokens):
    with pytest.raises(ValueError, match="2-D attention_mask"):
        logits(build(), tokens(1, 4), attention_mask=torch.zeros(1, 1, 4, 4))
