"""The ragged cache: what is in it after each pass is what the taken tokens would put there from scratch."""

from __future__ import annotations

import pytest
import torch
from transformers import DynamicCache, MistralConfig, MistralForCausalLM, StaticCache

from paperworks.sjd import adapter_for
from paperworks.sjd.ragged_cache import RaggedCache


def _cache(kind, model):
    return (
        DynamicCache(config=model.config) if kind == "dynamic" else StaticCache(config=model.config, max_cache_len=36)
    )


@pytest.mark.parametrize("kind", ["dynamic", "static"])
@pytest.mark.parametrize("padded", [False, True])
@torch.no_grad()
def test_logits_after_a_roll_back_are_those_from_scratch(model, prompts, kind, padded):
    ids, mask = prompts(3, 5), torch.ones(3, 5, dtype=torch.long)
    if padded:
        ids[1, :2], mask[1, :2] = 0, 0
    adapter = adapter_for(model, _cache(kind, model))
    _, cache = adapter.prefill(ids, mask)
    rows = [row[keep.bool()] for row, keep in zip(ids, mask, strict=True)]
    for turn, taken in enumerate([(1, 3, 2), (4, 1, 1), (2, 2, 4), (1, 1, 1)]):
        window = prompts(3, 4, seed=turn)
        logits = adapter.window_logits(window, torch.full((3,), 3), cache)
        for row, tokens, ours in zip(rows, window, logits, strict=True):
            scratch = model(torch.cat([row, tokens])[None]).logits[0, -4:]
            assert torch.allclose(ours, scratch, atol=1e-9)
        adapter.rollback(cache, torch.tensor(taken))
        rows = [torch.cat([row, tokens[:n]]) for row, tokens, n in zip(rows, window, taken, strict=True)]
        pads = cache.pads.tolist()
        assert cache.lengths.tolist() == [len(row) + pad for row, pad in zip(rows, pads, strict=True)]
        assert int(cache.cache.get_seq_length()) == cache.end


def test_rows_of_one_length_without_padding_need_no_mask_of_ours(llama):
    cache = RaggedCache(DynamicCache(config=llama.config), torch.ones(2, 5, dtype=torch.long))
    assert cache.window_mask(3, torch.float64) is None


@torch.no_grad()
def test_a_row_that_ended_takes_no_part_in_where_the_next_window_begins(llama, prompts):
    adapter = adapter_for(llama, DynamicCache(config=llama.config))
    _, cache = adapter.prefill(prompts(2, 5), torch.ones(2, 5, dtype=torch.long))
    adapter.window_logits(prompts(2, 6), torch.tensor([5, 5]), cache)
    adapter.rollback(cache, torch.tensor([0, 1]))
    assert cache.end == 6


def test_a_cache_that_cannot_be_rolled_back_is_refused(prompts, speculate):
    config = MistralConfig(
        vocab_size=23,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        sliding_window=4,
        pad_token_id=0,
    )
    model = MistralForCausalLM(config).eval()
    for cache in (None, "static"):
        with pytest.raises(ValueError, match="SlidingWindowLayer cannot be rolled back"):
            speculate(model, prompts(1, 5), cache_implementation=cache)
