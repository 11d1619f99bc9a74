"""Pictures of Janus, whose own loop over image tokens takes no ``custom_generate``."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, GenerationConfig, LogitsProcessorList, StaticCache
from transformers.generation.stopping_criteria import MaxLengthCriteria

from .adapters import TransformersAdapter
from .config import SJDConfig
from .decoding import Prompts
from .families import JANUS
from .laws import Laws
from .ragged_cache import check_room
from .sampling import run
from .stopping import Stops

__all__ = ["generate_image"]

_JANUS_GUIDANCE = 5.0  # what its own loop takes where the caller says nothing


@torch.no_grad()
def generate_image(
    model: Any,
    input_ids: Tensor,
    *,
    sjd_config: SJDConfig | None = None,
    attention_mask: Tensor | None = None,
    generation_config: GenerationConfig | None = None,
    past_key_values: DynamicCache | StaticCache | None = None,
    **settings: Any,
) -> Tensor:
    """Image tokens [B, N] of ``JanusForConditionalGeneration``, by the law of ``generate(generation_mode="image")``.

    Takes what that takes: prompts [B, P], padded on the left, and settings of a ``GenerationConfig`` such as
    ``do_sample``, ``temperature``, ``top_k`` and ``guidance_scale``. Prompts to be guided away from are made as there.
    ``model.decode_image_tokens`` makes pictures of the result. A cache of one's own has 2 B rows where guided.

    Raises ValueError for another model, beams, settings that ask for a prefix, and guidance in ``sjd_config``.
    """
    if model.config.model_type != "janus":
        raise ValueError(
            f"generate_image is for Janus, not {type(model).__name__}: use generate(custom_generate=speculative_jacobi)"
        )
    config = SJDConfig() if sjd_config is None else sjd_config
    generation, unknown = _settings(model, generation_config, settings)
    if unknown:
        raise ValueError(f"generate_image knows no setting {', '.join(sorted(unknown))}")
    if generation.num_beams > 1:
        raise ValueError(f"Janus draws or is greedy; num_beams is 1, not {generation.num_beams}")
    if config.guided:
        raise ValueError(
            "Janus makes its own negative prompts: give guidance_scale to generate_image, not to SJDConfig"
        )
    guidance = _guidance(generation)
    mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
    length = int(model.model.vision_model.config.num_image_tokens)
    cache = DynamicCache(config=model.config.get_text_config()) if past_key_values is None else past_key_values
    check_room(cache, input_ids.shape[1], length)
    ids, _, _ = run(
        TransformersAdapter(model, cache, JANUS),
        _prompts(model, generation, input_ids, mask, guided=guidance is not None),
        _laws(model, generation, input_ids),
        Stops([MaxLengthCriteria(input_ids.shape[1] + length)]),
        length,
        config,
        guidance,
    )
    return ids[:, input_ids.shape[1] :]


def _settings(
    model: Any, given: GenerationConfig | None, settings: dict[str, Any]
) -> tuple[GenerationConfig, dict[str, Any]]:
    """The generation config that Janus's loop would use, and what is no setting of one."""
    generation, unknown = model._prepare_generation_config(given, **settings)
    return copy.copy(generation), {name: value for name, value in unknown.items() if value is not None}


def _guidance(generation: GenerationConfig) -> float | None:
    """The guidance scale, taken out of ``generation``, since the batch is guided here; None for 1 or less."""
    given = generation.guidance_scale
    scale = _JANUS_GUIDANCE if given is None else float(given)
    generation.guidance_scale = None
    return scale if scale > 1 else None


def _prompts(model: Any, generation: GenerationConfig, ids: Tensor, mask: Tensor, *, guided: bool) -> Prompts:
    """The prompts and below them, where guided, what is left of them without their words."""
    if not guided:
        return Prompts(ids, ids, mask)
    model._prepare_special_tokens(generation, True, device=ids.device)
    more: dict[str, Any] = getattr(generation, "generation_kwargs", None) or {}
    if "boi_token_id" not in more:
        raise ValueError("the generation config says in generation_kwargs which boi_token_id begins an image; not here")
    begins = (ids == generation.bos_token_id) | (ids == more["boi_token_id"])
    wordless = torch.where(begins, ids, generation.pad_token_id)
    return Prompts(ids, torch.cat([ids, wordless]), mask.repeat(2, 1))


def _laws(model: Any, generation: GenerationConfig, ids: Tensor) -> Laws:
    processors: LogitsProcessorList = model._get_logits_processor(
        generation_config=generation,
        input_ids_seq_length=ids.shape[1],
        encoder_input_ids=ids,
        prefix_allowed_tokens_fn=None,
        logits_processor=LogitsProcessorList(),
        device=ids.device,
    )
    laws = Laws(processors, bool(generation.do_sample))
    if not laws.position_free:
        raise ValueError(
            "Janus shows its processors the prompt only and never what it has drawn, so settings that look at a "
            "prefix mean nothing here: leave all but temperature, top_k, top_p and their like"
        )
    return laws
