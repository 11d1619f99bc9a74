"""The cache that evicts: it decodes what a pruned evaluation of the whole text computes, and its memory is bounded."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import DynamicCache
from transformers.masking_utils import causal_mask_function, chunked_causal_mask_function

from paperworks.selective_attention import SelectiveCache, hf, pruned
from paperworks.selective_attention.cache import SelectiveLayer
from paperworks.selective_attention.forward import tokens_mask

from .conftest import WINDOW

LENGTH = 22


def padded(tokens, *paddings, seed=1, length=LENGTH):
    """Rows of tokens with that much padding on the left of each, and their mask."""
    ids = tokens(len(paddings), length, seed=seed)
    there = torch.arange(length) >= torch.tensor(paddings)[:, None]
    return ids, there.long()


@torch.no_grad()
def whole(model, ids, there, budgets):
    """The logits of a pruned evaluation in one pass."""
    positions = (there.cumsum(-1) - 1).clamp(min=0)
    with pruned(model, budgets):
        return model(input_ids=ids, attention_mask=there, position_ids=positions, use_cache=False).logits


@torch.no_grad()
def stepped(model, ids, there, cache, chunk, start=0):
    """The logits of decoding, ``chunk`` tokens at a time."""
    positions = (there.cumsum(-1) - 1).clamp(min=0)
    logits = []
    for begin in range(start, ids.shape[1], chunk):
        end = min(begin + chunk, ids.shape[1])
        place = {"attention_mask": there[:, :end], "position_ids": positions[:, begin:end]}
        logits.append(model(input_ids=ids[:, begin:end], past_key_values=cache, **place).logits)
    return torch.cat(logits, dim=1)


def assert_decodes(model, ids, there, budgets, chunk):
    expected = whole(model, ids, there, budgets)
    found = stepped(model, ids, there, SelectiveCache(model, budgets), chunk)
    real = there.bool()
    torch.testing.assert_close(found[real], expected[real], rtol=0, atol=1e-5)


@pytest.mark.parametrize("chunk", [1, 3, LENGTH])
@pytest.mark.parametrize("budgets", [None, 3, [4, 9], [None, 5]], ids=str)
def test_decoding_is_the_pruned_evaluation_of_the_whole(family, budgets, chunk, build, tokens):
    ids, there = padded(tokens, 0, 6)
    assert_decodes(build(family), ids, there, budgets, chunk)


@settings(max_examples=40)
@given(data=st.data())
def test_decoding_is_the_pruned_evaluation_whatever_the_budgets_chunks_and_padding(data):
    """The key test: what a user decodes with budgets is what was evaluated for them."""
    model, tokens = SHARED["model"], SHARED["tokens"]
    budget = st.none() | st.integers(3, LENGTH)
    budgets = data.draw(st.lists(budget, min_size=2, max_size=2))
    paddings = data.draw(st.lists(st.integers(0, LENGTH - 1), min_size=1, max_size=3))
    ids, there = padded(tokens, *paddings, seed=data.draw(st.integers(0, 10_000)))
    assert_decodes(model, ids, there, budgets, data.draw(st.sampled_from([1, 2, 3, 7, LENGTH])))


SHARED = {}


@pytest.fixture(autouse=True)
def _shared(build, tokens):
    """hypothesis takes no fixtures of a function's scope; one model serves all examples."""
    SHARED.setdefault("model", build())
    SHARED.setdefault("tokens", tokens)


def test_a_chunk_after_an_eviction_does_not_see_ahead(build, tokens):
    """Five tokens seen, three kept: a mask by columns would show the first of two new tokens the second."""
    model, ids = build(), tokens(1, 7)
    other = ids.clone()
    other[0, 6] = (ids[0, 6] + 7) % 60 + 3
    there = torch.ones_like(ids)
    logits = []
    for each in (ids, other):
        cache = SelectiveCache(model, 3)
        stepped(model, each[:, :5], there[:, :5], cache, 5)
        assert [layer.keys.shape[2] for layer in cache.layers] == [3, 3]
        logits.append(stepped(model, each, there, cache, 2, start=5))
    torch.testing.assert_close(logits[0][:, 0], logits[1][:, 0], rtol=0, atol=0)
    assert (logits[0] - logits[1])[:, 1].abs().max() > 1e-3


@pytest.mark.parametrize("chunk", [1, 8])
def test_memory_stays_within_the_budgets(chunk, build, tokens):
    model = build()
    ids, there = padded(tokens, 0, 5, length=48)
    cache, sizes = SelectiveCache(model, [5, 9]), []
    for begin in range(0, 48, 16):
        stepped(model, ids[:, : begin + 16], there[:, : begin + 16], cache, chunk, start=begin)
        sizes.append(cache.nbytes)
        assert [layer.keys.shape for layer in cache.layers] == [(2, 2, 5, 8), (2, 2, 9, 8)]
    per_token = 2 * (2 * 2 * 8) * 4 + 2 * (8 + 4)  # keys and values of two rows and heads, positions and penalties
    assert sizes == [(5 + 9) * per_token + 2 * 2 * 8] * 3
    assert cache.get_seq_length() == 48


def test_a_sliding_layer_stores_no_more_than_its_window_lets_be_seen(build, tokens):
    model = build("mistral")
    ids, there = padded(tokens, 0, 6)
    cache = SelectiveCache(model)
    stepped(model, ids, there, cache, 1)
    assert [layer.keys.shape[2] for layer in cache.layers] == [WINDOW - 1] * 2


def test_protected_tokens_and_the_newest_stay(build, tokens):
    model = build(protect=3)
    ids, there = padded(tokens, 0, 4)
    cache = SelectiveCache(model, 6)
    stepped(model, ids, there, cache, 1)
    for layer in cache.layers:
        for positions, last in zip(layer.positions.tolist(), (LENGTH - 1, LENGTH - 5), strict=True):
            assert positions[:3] == [0, 1, 2]
            assert positions[-1] == last
            assert positions == sorted(positions)


def test_rows_move_with_all_they_have(build, tokens):
    model = build()
    ids, there = padded(tokens, 0, 4, 8)
    half, order = 12, [2, 0, 0]
    for change in (
        lambda cache: cache.reorder_cache(torch.tensor(order)),
        lambda cache: cache.batch_select_indices(torch.tensor(order)),
    ):
        cache = SelectiveCache(model, [5, 9])
        stepped(model, ids[:, :half], there[:, :half], cache, 1)
        change(cache)
        assert_continues(model, ids[order], there[order], cache, half)
    cache = SelectiveCache(model, [5, 9])
    stepped(model, ids[:, :half], there[:, :half], cache, half)
    cache.batch_repeat_interleave(2)
    assert_continues(model, ids.repeat_interleave(2, 0), there.repeat_interleave(2, 0), cache, half)


def assert_continues(model, ids, there, cache, start):
    expected = whole(model, ids, there, [5, 9])[:, start:]
    found = stepped(model, ids, there, cache, 3, start=start)
    torch.testing.assert_close(found[there[:, start:].bool()], expected[there[:, start:].bool()], rtol=0, atol=3e-5)


@pytest.mark.parametrize("family", ["llama", "mistral"])
def test_a_cache_that_records_goes_back_votes_and_all(family, build, tokens):
    model = build(family)
    ids, there = padded(tokens, 0, 4)
    wrong = tokens(2, LENGTH, seed=9)
    cache = SelectiveCache(model)
    stepped(model, ids[:, :9], there[:, :9], cache, 9)
    cache.activate_past_recording()
    stepped(model, torch.cat([ids[:, :12], wrong[:, 12:17]], 1), there[:, :17], cache, 2, start=9)
    cache.crop(-5)
    assert cache.get_seq_length() == 12
    expected = whole(model, ids, there, None)[:, 12:]
    torch.testing.assert_close(stepped(model, ids, there, cache, 1, start=12), expected, rtol=0, atol=3e-5)


def test_what_was_not_recorded_or_was_evicted_does_not_come_back(build, tokens):
    model = build()
    ids, there = padded(tokens, 0)
    cache = SelectiveCache(model)
    stepped(model, ids, there, cache, 5)
    assert cache.is_croppable
    cache.crop(0)
    with pytest.raises(ValueError, match="activate_past_recording"):
        cache.crop(-1)
    with pytest.raises(ValueError, match="as a negative number"):
        cache.crop(3)
    cache = SelectiveCache(model, 8)
    cache.activate_past_recording()
    stepped(model, ids, there, cache, 5)
    assert not cache.is_croppable
    with pytest.raises(ValueError, match="not possible with a budget"):
        cache.crop(-1)


def test_a_reset_cache_starts_again(build, tokens):
    model = build()
    ids, there = padded(tokens, 0, 4)
    cache = SelectiveCache(model, 6)
    first = stepped(model, ids, there, cache, 4)
    cache.reset()
    assert (cache.get_seq_length(), cache.nbytes) == (0, 0)
    torch.testing.assert_close(stepped(model, ids, there, cache, 4), first, rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_cache_without_the_penalty_is_refused(build, tokens):
    model, ids = build(), tokens(1, 6)
    with pytest.raises(RuntimeError, match=r"past_key_values=SelectiveCache\(model\)"):
        model.generate(ids, max_new_tokens=3, eos_token_id=None)
    cache = DynamicCache(config=model.config)
    model(ids[:, :4], past_key_values=cache)
    with pytest.raises(RuntimeError, match="does not carry"):
        model(ids[:, 4:], past_key_values=cache)


def test_a_model_without_selective_attention_is_refused(build, tokens):
    model, ids = hf.disable(build()), tokens(1, 6)
    cache = SelectiveCache(model)
    model(ids[:, :4], past_key_values=cache)
    with pytest.raises(RuntimeError, match="enable"):
        model(ids[:, 4:], past_key_values=cache)


def test_budgets_that_do_not_fit_are_refused(build):
    model = build(protect=4)
    with pytest.raises(ValueError, match="4 protected tokens and two more"):
        SelectiveCache(model, 5)
    with pytest.raises(ValueError, match="3 budgets do not fit 2 layers"):
        SelectiveCache(model.config, [8, 8, 8])
    model.config.layer_types = ["full_attention", "linear_attention"]
    with pytest.raises(ValueError, match="full or sliding attention, not those of llama"):
        SelectiveCache(model)


def test_documents_and_chunks_are_refused_with_a_cache():
    sizes = {"batch_size": 1, "q_length": 2, "kv_length": 8, "q_offset": 6}
    assert tokens_mask(**sizes, mask_function=causal_mask_function) is None
    chunked = chunked_causal_mask_function(4, torch.zeros(1, dtype=torch.long))
    with pytest.raises(ValueError, match="one sequence a row"):
        tokens_mask(**sizes, mask_function=chunked)
    with pytest.raises(ValueError, match="no mask function of your own"):
        tokens_mask(**sizes, mask_function=causal_mask_function, use_vmap=True)


def test_bfloat16_keys_have_penalties_in_float32(build, tokens):
    model = build().to(torch.bfloat16)
    ids, there = padded(tokens, 0, 4)
    cache = SelectiveCache(model, 8)
    stepped(model, ids, there, cache, 5)
    assert [(layer.keys.dtype, layer.penalty.dtype) for layer in cache.layers] == [(torch.bfloat16, torch.float32)] * 2
    assert isinstance(cache.layers[0], SelectiveLayer)
