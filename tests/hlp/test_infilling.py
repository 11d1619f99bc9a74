"""A hole is filled until the model says so, alone as in a batch; scores are those by hand."""

from __future__ import annotations

import itertools

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from paperworks.hlp import HLPHead, edit_similarity, exact_match, infill
from paperworks.hlp.documents import TextEncoder

HOLES = [("def f(x):\n    return ", "\n"), ("a", "b"), ("", "print(1)\n" * 5)]


@pytest.fixture
def rigged(tokenizers):
    """A model that says of each token what stands in its table, whatever came before."""

    def make(spelled, stop):
        tokenizer = tokenizers["starcoder2"]
        torch.manual_seed(0)
        size = len(tokenizer)
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=size, hidden_size=size, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1
            )
        ).eval()
        vocabulary = tokenizer.get_vocab()
        said = [vocabulary["<fim_middle>"], *TextEncoder(tokenizer).encode(spelled).tolist(), vocabulary[stop]]
        with torch.no_grad():
            for layer in model.model.layers:
                layer.self_attn.o_proj.weight.zero_()
                layer.mlp.down_proj.weight.zero_()
            model.model.embed_tokens.weight.copy_(torch.eye(size))
            model.lm_head.weight.zero_()
            for token, following in itertools.pairwise(said):
                model.lm_head.weight[following, token] = 1
        return model, tokenizer

    return make


@pytest.mark.parametrize("stop", ["<|endoftext|>", "<file_sep>", "<fim_prefix>"])
def test_every_sentinel_ends_a_hole(stop, rigged):
    model, tokenizer = rigged("x+1", stop)
    results = infill(model, tokenizer, HOLES)
    assert [(result.text, result.stopped) for result in results] == [("x+1", True)] * 3
    assert results[0].horizon is None


def test_a_hole_that_is_not_ended_says_so(rigged):
    model, tokenizer = rigged("x+1", "<|endoftext|>")
    (result,) = infill(model, tokenizer, HOLES[:1], max_new_tokens=2)
    assert not result.stopped
    assert result.tokens == 2
    assert "x+1".startswith(result.text)


def test_a_batch_is_filled_as_its_holes_are_alone(tokenizers):
    torch.manual_seed(1)
    tokenizer = tokenizers["qwen2.5-coder"]
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2
        )
    ).eval()
    model.hlp_head = HLPHead(32)
    torch.nn.init.normal_(model.hlp_head.weight)
    together = infill(model, tokenizer, HOLES, max_new_tokens=12, use_horizon=True)
    for hole, result in zip(HOLES, together, strict=True):
        (alone,) = infill(model, tokenizer, [hole], max_new_tokens=12, use_horizon=True)
        assert alone.text == result.text
        assert alone.horizon == pytest.approx(result.horizon, abs=1e-5)
        assert len(result.horizon) == result.tokens


def test_holes_that_cannot_be_filled_are_refused(rigged, tokenizers):
    model, tokenizer = rigged("x", "<|endoftext|>")
    with pytest.raises(ValueError, match="at least one pair"):
        infill(model, tokenizer, [])
    with pytest.raises(ValueError, match=r"needs model\.hlp_head"):
        infill(model, tokenizer, HOLES, use_horizon=True)
    with pytest.raises(ValueError, match="codestral knows spm"):
        infill(model, tokenizers["codestral"], HOLES)


def test_edit_similarity_by_hand():
    assert edit_similarity("abc", "abd") == pytest.approx(200 / 3)
    assert edit_similarity("ab", "ba") == 0
    assert edit_similarity("ab", "ba", distance="indel") == pytest.approx(50)
    assert edit_similarity("", "") == 100


def test_exact_match_forgives_blanks_at_the_ends_of_lines_only():
    assert exact_match("a \nb\t", "a\nb")
    assert not exact_match(" a", "a")
    assert not exact_match("a\n\nb", "a\nb")
