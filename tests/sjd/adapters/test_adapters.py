"""Image models of transformers draw the very tokens of their own sampling, when both draw by the same noise."""

from __future__ import annotations

import pytest
import torch
from transformers import DynamicCache, StaticCache

from paperworks.sjd import GridSpec, SJDConfig, generate_image, speculative_jacobi

SEED = 3
NEGATIVE = torch.tensor([[1]])
CACHES = pytest.mark.parametrize("cache", [None, "static"])
WINDOWS = pytest.mark.parametrize("window", [1, 6, 32])


def _config(window, **more):
    return SJDConfig(seed=SEED, window=window, verify="gumbel", **more)


def _speculated(model, ids, config, **settings):
    out = model.generate(ids, custom_generate=speculative_jacobi, sjd_config=config, do_sample=True, **settings)
    assert (config.last_stats.nfe < out.shape[1] - ids.shape[1]) == (config.window > 1)
    return out


def _padded(ids):
    ids, mask = ids.clone(), torch.ones_like(ids)
    ids[1, :2], mask[1, :2] = 0, 0
    return ids, mask


@WINDOWS
def test_chameleon_writes_as_it_does(chameleon, prompts, by_noise, window):
    ids, settings = prompts(2, 5), {"top_k": 6, "max_new_tokens": 20}
    plain = by_noise(lambda: chameleon.generate(ids, do_sample=True, **settings), SEED)
    ours = _speculated(chameleon, ids, _config(window), **settings)
    assert torch.equal(ours, plain)
    assert not torch.isin(ours[:, 5:], torch.tensor(chameleon.model.vocabulary_mapping.image_tokens)).any()


@WINDOWS
@CACHES
def test_chameleon_draws_as_it_does_where_its_forward_forbids_nothing(
    chameleon, prompts, by_noise, monkeypatch, window, cache
):
    picture = chameleon.model.vocabulary_mapping.image_tokens
    ids, mask = _padded(prompts(3, 6))
    settings = {
        "attention_mask": mask,
        "prefix_allowed_tokens_fn": lambda b, prefix: picture,
        "top_k": 0,
        "temperature": 0.8,
        "max_new_tokens": 20,
        "cache_implementation": cache,
    }
    with monkeypatch.context() as patch:
        patch.setattr(chameleon.model.vocabulary_mapping, "image_tokens", torch.tensor([], dtype=torch.long))
        plain = by_noise(lambda: chameleon.generate(ids, do_sample=True, **settings), SEED)
    ours = _speculated(chameleon, ids, _config(window, grid=GridSpec(height=4, width=5)), **settings)
    assert torch.equal(ours, plain)
    assert torch.isin(ours[:, 6:], torch.tensor(picture)).all()


@WINDOWS
@CACHES
def test_emu3_draws_as_it_does_guided_and_held_to_its_layout(emu3, prompts, by_noise, window, cache):
    grid = GridSpec(height=4, width=4, line_end_id=22, image_end_id=(23, 24, 25))
    ids, negative = prompts(2, 5), prompts(1, 3, seed=9).expand(2, -1)

    def allowed(b, prefix):
        forced = int(grid.forced(torch.tensor([len(prefix) - 5])))
        return emu3.vocabulary_mapping.image_tokens if forced < 0 else [forced]

    settings = {"prefix_allowed_tokens_fn": allowed, "top_k": 8, "max_new_tokens": grid.tokens}
    settings["cache_implementation"] = cache
    guided = settings | {"guidance_scale": 3.0, "negative_prompt_ids": negative}
    plain = by_noise(lambda: emu3.generate(ids, do_sample=True, **guided), SEED)
    config = _config(window, grid=grid, guidance_scale=3.0, negative_prompt_ids=negative)
    ours = _speculated(emu3, ids, config, **settings)
    assert torch.equal(ours, plain)
    assert ours[0, -3:].tolist() == [23, 24, 25]
    assert emu3.decode_image_tokens(image_tokens=ours[:, 5:], height=4, width=4).shape[0] == 2


def _glm_prompts(prompts):
    """Two prompts that ask for a preview of 2 by 2 codes and a picture of 3 by 4."""
    ids = torch.cat([prompts(2, 6) + 16, torch.full((2, 1), 16)], dim=1)
    ids, mask = _padded(ids)
    grids = torch.tensor([[1, 3, 4], [1, 2, 2]]).repeat(2, 1)
    return ids, {"attention_mask": mask, "image_grid_thw": grids, "images_per_sample": torch.tensor([2, 2])}


@WINDOWS
@CACHES
def test_glm_image_draws_as_it_does(glm_image, prompts, by_noise, window, cache):
    ids, inputs = _glm_prompts(prompts)
    settings = {"top_k": 0, "max_new_tokens": 17, "cache_implementation": cache} | inputs
    plain = by_noise(lambda: glm_image.generate(ids, do_sample=True, **settings), SEED)
    assert torch.equal(_speculated(glm_image, ids, _config(window), **settings), plain)


def test_glm_images_positions_matter(glm_image, prompts):
    ids, inputs = _glm_prompts(prompts)
    settings = {"do_sample": True, "top_k": 0, "max_new_tokens": 17}
    drawn = []
    for grids in (inputs["image_grid_thw"], inputs["image_grid_thw"].flip(1)):
        more = inputs | {"image_grid_thw": grids}
        given = {"custom_generate": speculative_jacobi, "sjd_config": _config(6)}
        drawn.append(glm_image.generate(ids, **given, **settings, **more))
    assert not torch.equal(*drawn)


def _janus_prompts(prompts):
    ids, mask = _padded(prompts(3, 6))
    ids[:, 2], ids[:, -1] = 1, 2  # where a text begins, and where an image
    return ids, mask


@WINDOWS
@pytest.mark.parametrize("static", [False, True])
def test_janus_draws_as_it_does(janus, prompts, by_noise, window, static):
    ids, mask = _janus_prompts(prompts)
    settings = {"attention_mask": mask, "do_sample": True, "guidance_scale": 2.5, "temperature": 0.9, "top_k": 12}
    plain = by_noise(lambda: janus.generate(ids, generation_mode="image", **settings), SEED)
    cache = StaticCache(config=janus.config.get_text_config(), max_cache_len=30) if static else None
    config = _config(window)
    ours = generate_image(janus, ids, sjd_config=config, past_key_values=cache, **settings)
    assert torch.equal(ours, plain)
    assert (config.last_stats.nfe < 20) == (window > 1)


def test_janus_is_guided_as_much_as_it_is_by_itself(janus, prompts, by_noise):
    ids, mask = _janus_prompts(prompts)
    plain = by_noise(lambda: janus.generate(ids, attention_mask=mask, generation_mode="image", do_sample=True), SEED)
    ours = generate_image(janus, ids, attention_mask=mask, sjd_config=_config(6), do_sample=True)
    assert torch.equal(ours, plain)


def test_greedy_janus_is_greedy(janus, prompts):
    ids, mask = _janus_prompts(prompts)
    settings = {"attention_mask": mask, "do_sample": False, "guidance_scale": 2.0}
    plain = janus.generate(ids, generation_mode="image", **settings)
    assert torch.equal(generate_image(janus, ids, **settings), plain)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"num_beams": 2}, "num_beams is 1, not 2"),
        ({"repetition_penalty": 1.3}, "shows its processors the prompt only"),
        (
            {"sjd_config": SJDConfig(guidance_scale=2.0, negative_prompt_ids=torch.tensor([[1]]))},
            "own negative prompts",
        ),
        ({"sjd_config": SJDConfig(grid=GridSpec(height=2, width=2))}, "max_new_tokens=4"),
        ({"speed": 3}, "knows no setting speed"),
    ],
)
def test_what_janus_cannot_do(janus, prompts, settings, says):
    with pytest.raises(ValueError, match=says):
        generate_image(janus, _janus_prompts(prompts)[0], **settings)


def test_a_static_cache_too_small_for_a_picture_of_janus_is_refused(janus, prompts):
    cache = StaticCache(config=janus.config.get_text_config(), max_cache_len=20)
    with pytest.raises(ValueError, match="room for 14 tokens"):
        generate_image(janus, _janus_prompts(prompts)[0], past_key_values=cache)


def test_generate_image_is_for_janus(emu3, prompts):
    with pytest.raises(ValueError, match="is for Janus, not Emu3"):
        generate_image(emu3, prompts(1, 4))


def test_glm_image_without_grids_is_refused(glm_image, prompts):
    with pytest.raises(ValueError, match="needs image_grid_thw"):
        _speculated(glm_image, prompts(1, 4) + 16, _config(4), max_new_tokens=4)


def test_what_a_class_does_not_take_is_refused(llama, prompts):
    from paperworks.sjd import adapter_for

    with pytest.raises(ValueError, match="does not know how to pass pixel_values"):
        adapter_for(llama, DynamicCache(config=llama.config), {"pixel_values": prompts(1, 2)})
