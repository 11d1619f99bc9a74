"""`speculative_jacobi`: for ``model.generate(..., custom_generate=speculative_jacobi, sjd_config=SJDConfig(...))``."""

from __future__ import annotations

import warnings
from typing import Any, cast

import torch
from torch import LongTensor, Tensor
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList
from transformers.generation.logits_process import UnbatchedClassifierFreeGuidanceLogitsProcessor

from .adapters import adapter_for
from .config import SJDConfig
from .laws import Laws
from .output import SJDOutput
from .ragged_cache import check_room
from .sampling import run, with_negative
from .stopping import Stops

__all__ = ["speculative_jacobi"]

_LIBRARY_TOP_K = 50  # what generate sets where the caller says nothing
_PREPARED = {"attention_mask", "past_key_values", "position_ids", "use_cache", "logits_to_keep"}
_NOT_GIVEN = ("output_scores", "output_logits", "output_attentions", "output_hidden_states")


@torch.no_grad()
def speculative_jacobi(
    model: Any,
    input_ids: Tensor,
    logits_processor: LogitsProcessorList,
    stopping_criteria: StoppingCriteriaList,
    generation_config: GenerationConfig,
    sjd_config: SJDConfig | None = None,
    **model_kwargs: Any,
) -> SJDOutput | Tensor:
    """Speculative Jacobi decoding of any causal language model, by the law of the same call without it.

    Not called directly: ``model.generate(..., custom_generate=speculative_jacobi, sjd_config=SJDConfig(...))``
    prepares everything but ``sjd_config``. Samples where ``do_sample=True``, is greedy otherwise; takes processors,
    stopping criteria, padded batches, ``DynamicCache`` and ``StaticCache``. Returns ids [B, P + N], or an `SJDOutput`.

    Where there is a grid a picture is asked for: the image tokens that Chameleon's ``forward`` forbids are let through.
    Raises ValueError where model, cache or settings allow no speculation; the message says what would.
    """
    config = SJDConfig() if sjd_config is None else sjd_config
    stops = Stops(stopping_criteria)
    _check(model, logits_processor, generation_config, config, model_kwargs)
    length = _length(stops, generation_config, input_ids.shape[1])
    cache = model_kwargs["past_key_values"]
    inputs = {name: value for name, value in model_kwargs.items() if name not in _PREPARED}
    adapter = adapter_for(model, cache, inputs, picture=config.grid is not None)
    prompts = with_negative(input_ids, model_kwargs.get("attention_mask"), config)
    check_room(cache, prompts.read.shape[1], length)
    laws = Laws(logits_processor, bool(generation_config.do_sample))
    guidance = config.guidance_scale if config.guided else None
    if guidance is not None and adapter.inputs:
        raise ValueError(
            f"guidance runs the model on negative prompts too, which have no {', '.join(sorted(adapter.inputs))}: "
            "leave guidance_scale out"
        )
    ids, counts, stats = run(adapter, prompts, laws, stops, length, config, guidance)
    ids = _trimmed(ids, input_ids.shape[1], counts, generation_config)
    if not generation_config.return_dict_in_generate:
        return ids
    return SJDOutput(sequences=cast(LongTensor, ids), past_key_values=cache, stats=stats)


def _check(
    model: Any, processors: LogitsProcessorList, generation: GenerationConfig, config: SJDConfig, inputs: dict[str, Any]
) -> None:
    if model.config.is_encoder_decoder:
        raise ValueError("speculative Jacobi decoding is for decoder-only models; this one has an encoder")
    if generation.num_beams > 1:
        raise ValueError(
            f"speculative Jacobi decoding samples or is greedy; num_beams is 1, not {generation.num_beams}"
        )
    if inputs.get("past_key_values") is None or not inputs.get("use_cache", True):
        raise ValueError("speculative Jacobi decoding needs the cache: use_cache=True, and a model that has one")
    if asked := [name for name in _NOT_GIVEN if getattr(generation, name, None)]:
        raise ValueError(f"speculative Jacobi decoding has no single pass a token to report on: leave out {asked[0]}")
    if any(isinstance(processor, UnbatchedClassifierFreeGuidanceLogitsProcessor) for processor in processors):
        raise ValueError(
            "generate's own guidance runs the model once a token: give guidance_scale and negative_prompt_ids to "
            "SJDConfig instead"
        )
    if config.grid is not None and generation.do_sample and generation.top_k == _LIBRARY_TOP_K:
        warnings.warn(
            f"top_k={_LIBRARY_TOP_K} is the library's default for text; pictures want top_k=0 or their model's own",
            stacklevel=4,
        )


def _length(stops: Stops, generation: GenerationConfig, prompt: int) -> int:
    limits = [limit for limit in (stops.limit, generation.max_length) if limit is not None]
    return min(limits) - prompt


def _trimmed(ids: Tensor, prompt: int, counts: Tensor, generation: GenerationConfig) -> Tensor:
    """Ids up to the longest row's end; behind the others' ends stands the padding token."""
    padding = getattr(generation, "_pad_token_tensor", None)
    place = torch.arange(ids.shape[1] - prompt, device=ids.device)
    generated = ids[:, prompt:]
    ended = torch.where(place < counts[:, None], generated, 0 if padding is None else padding.to(ids.device))
    return torch.cat([ids[:, :prompt], ended], dim=1)[:, : prompt + int(counts.max())]
