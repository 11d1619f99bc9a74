"""Bad input: one sentence that says what is wrong and what would be right."""

from __future__ import annotations

import pytest
import torch
from transformers import DynamicCache, T5Config, T5ForConditionalGeneration

from paperworks.sjd import GridSpec, SJDConfig

NEGATIVE = torch.tensor([[1, 2]])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"window": 0}, "at least 1"),
        ({"init": "best"}, "init is one of onehot"),
        ({"coupling": "close"}, "coupling is one of independent"),
        ({"verify": "never"}, "verify is one of mrs"),
        ({"image_vocab": torch.tensor([], dtype=torch.long)}, "image_vocab is empty"),
        ({"guidance_scale": 0.0, "negative_prompt_ids": NEGATIVE}, "above 0"),
        ({"guidance_scale": 3.0}, "needs negative_prompt_ids"),
        ({"init": "repeat_v"}, "give the grid"),
        ({"start_offset": -1}, "start_offset counts tokens"),
    ],
)
def test_settings_that_cannot_be(settings, says):
    with pytest.raises(ValueError, match=says):
        SJDConfig(**settings)


def test_a_grid_without_lines_is_none():
    with pytest.raises(ValueError, match="at least one line"):
        GridSpec(height=0, width=3)


@pytest.mark.parametrize(
    ("sjd", "settings", "says"),
    [
        ({}, {"num_beams": 2, "do_sample": False}, "num_beams is 1, not 2"),
        ({"grid": GridSpec(height=3, width=3)}, {}, "max_new_tokens=9"),
        ({"image_vocab": torch.tensor([4, 23])}, {}, "ids from 0 to 22"),
        ({"guidance_scale": 2.0, "negative_prompt_ids": NEGATIVE.repeat(3, 1)}, {}, r"\[1 or 2, tokens\]"),
        ({"seed": [1]}, {}, "each of the 2 rows"),
        ({"streamer": object()}, {}, "follows one sequence"),
        ({}, {"use_cache": False}, "needs the cache"),
        ({}, {"output_scores": True, "return_dict_in_generate": True}, "leave out output_scores"),
        ({}, {"guidance_scale": 2.0}, "to SJDConfig instead"),
    ],
)
def test_calls_that_cannot_be(llama, prompts, speculate, sjd, settings, says):
    with pytest.raises(ValueError, match=says):
        speculate(llama, prompts(2, 5), sjd=sjd, **settings)


def test_a_model_with_an_encoder_is_refused(speculate):
    config = T5Config(vocab_size=23, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2, decoder_start_token_id=0)
    with pytest.raises(ValueError, match="decoder-only"):
        speculate(T5ForConditionalGeneration(config), torch.tensor([[3, 4]]))


def test_a_cache_in_use_is_refused(llama, prompts, speculate):
    cache = DynamicCache(config=llama.config)
    llama(prompts(1, 3), past_key_values=cache)
    with pytest.raises(ValueError, match="begins with an empty cache"):
        speculate(llama, prompts(1, 5), past_key_values=cache)


def test_a_static_cache_too_small_for_a_long_negative_prompt_is_refused(llama, prompts, speculate):
    sjd = {"guidance_scale": 2.0, "negative_prompt_ids": prompts(1, 9)}
    with pytest.raises(ValueError, match="the static cache has room for"):
        speculate(llama, prompts(1, 5), sjd=sjd, cache_implementation="static")


def test_logits_that_are_no_numbers_are_refused(llama, prompts, speculate):
    from copy import deepcopy

    broken = deepcopy(llama)
    with torch.no_grad():
        broken.lm_head.weight[3, 0] = torch.nan
    with pytest.raises(ValueError, match="not numbers"):
        speculate(broken, prompts(1, 5))


def test_the_librarys_default_top_k_is_warned_about_where_there_is_a_picture(llama, prompts, speculate):
    with pytest.warns(UserWarning, match="top_k=50"):
        speculate(llama, prompts(1, 5), 9, sjd={"grid": GridSpec(height=3, width=3)}, top_k=50)
