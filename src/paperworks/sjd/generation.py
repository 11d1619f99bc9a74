"""`speculative_jacobi`: for ``model.generate(..., custom_generate=speculative_jacobi, sjd_config=SJDConfig(...))``."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import LongTensor, Tensor
from torch.nn.functional import pad
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList
from transformers.generation.logits_process import UnbatchedClassifierFreeGuidanceLogitsProcessor
from transformers.generation.utils import GenerateDecoderOnlyOutput

from .config import SJDConfig
from .decoding import Plan, decode
from .drafts import Initial
from .laws import Laws
from .passes import Passes
from .randomness import CounterSource
from .stats import SJDStats
from .stopping import Stops

__all__ = ["SJDOutput", "speculative_jacobi"]

_LIBRARY_TOP_K = 50  # what generate sets where the caller says nothing
_KNOWN = {"attention_mask", "past_key_values", "position_ids", "use_cache", "logits_to_keep"}
_NOT_GIVEN = ("output_scores", "output_logits", "output_attentions", "output_hidden_states")


@dataclass
class SJDOutput(GenerateDecoderOnlyOutput):
    """What ``generate`` returns with ``return_dict_in_generate=True``: as usual, and the `SJDStats`."""

    stats: SJDStats | None = None


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

    Raises ValueError where model, cache or settings allow no speculation; the message says what would.
    """
    config = SJDConfig() if sjd_config is None else sjd_config
    stops = Stops(stopping_criteria)
    _check(model, logits_processor, generation_config, config, model_kwargs)
    length = _length(stops, generation_config, input_ids.shape[1])
    _check_sizes(config, length, len(input_ids), _vocabulary(model))
    mask = model_kwargs.get("attention_mask")
    mask = torch.ones_like(input_ids) if mask is None else mask
    read, read_mask = _with_negative(input_ids, mask, config)
    passes = Passes(model, model_kwargs["past_key_values"], read_mask, config.guidance_scale if config.guided else None)
    if (room := passes.cache.room) is not None and room < length - 1:
        raise ValueError(f"the static cache has room for {room} tokens after the prompts, but {length - 1} are needed")
    with _streaming(config.streamer, input_ids) as tell:
        ids, counts, stats = decode(
            passes,
            (input_ids, read),
            Laws(logits_processor, bool(generation_config.do_sample)),
            stops,
            _plan(config, length, input_ids, _vocabulary(model)),
            tell,
        )
    config.remember(stats)
    ids = _trimmed(ids, input_ids.shape[1], counts, generation_config)
    if not generation_config.return_dict_in_generate:
        return ids
    return SJDOutput(sequences=cast(LongTensor, ids), past_key_values=passes.cache.cache, stats=stats)


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
    if unknown := sorted(name for name, value in inputs.items() if name not in _KNOWN and value is not None):
        raise ValueError(f"speculative Jacobi decoding does not know how to pass {', '.join(unknown)} on to windows")
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


def _check_sizes(config: SJDConfig, length: int, batch: int, vocabulary: int) -> None:
    if config.grid is not None and config.grid.tokens != length:
        raise ValueError(
            f"the grid has {config.grid.tokens} tokens, header and line ends included, but {length} new ones may be "
            f"generated: use max_new_tokens={config.grid.tokens}"
        )
    image = config.image_vocab
    if image is not None and not 0 <= int(image.min()) <= int(image.max()) < vocabulary:
        raise ValueError(
            f"image_vocab has ids from 0 to {vocabulary - 1}, not {int(image.min())} to {int(image.max())}"
        )
    if config.guided and config.negative_prompt_ids is not None:
        shape = tuple(config.negative_prompt_ids.shape)
        if len(shape) != 2 or shape[0] not in (1, batch) or not shape[1]:
            raise ValueError(f"negative_prompt_ids is [1 or {batch}, tokens], one row for each prompt; not {shape}")
    if not isinstance(config.seed, int | None) and len(config.seed) != batch:
        raise ValueError(f"seed is one number, or one for each of the {batch} rows; not {len(config.seed)}")
    if config.streamer is not None and batch > 1:
        raise ValueError(f"a streamer follows one sequence, but there are {batch}: leave streamer out")


def _vocabulary(model: Any) -> int:
    return int(model.config.get_text_config().vocab_size)


def _with_negative(ids: Tensor, mask: Tensor, config: SJDConfig) -> tuple[Tensor, Tensor]:
    """What the model reads: the prompts, and below them, where guided, the negative ones, padded on the left."""
    if not config.guided or config.negative_prompt_ids is None:
        return ids, mask
    negative = config.negative_prompt_ids.to(ids.device).expand(len(ids), -1)
    width = max(ids.shape[1], negative.shape[1])
    both = [pad(rows, (width - rows.shape[1], 0)) for rows in (ids, negative)]
    masks = [pad(rows, (width - rows.shape[1], 0)) for rows in (mask, torch.ones_like(negative))]
    return torch.cat(both), torch.cat(masks)


def _plan(config: SJDConfig, length: int, ids: Tensor, vocabulary: int) -> Plan:
    image = torch.arange(vocabulary) if config.image_vocab is None else torch.unique(config.image_vocab)
    return Plan(
        scheme=config.scheme,
        initial=Initial(config.scheme.init, image.to(ids.device), config.grid),
        window=config.window,
        length=length,
        plain=config.plain_tokens,
        source=CounterSource(_seeds(config, ids)),
    )


def _seeds(config: SJDConfig, ids: Tensor) -> Tensor:
    row = torch.arange(len(ids), device=ids.device)
    if config.seed is None:
        return row + int(torch.randint(2**62, ()))
    return row + config.seed if isinstance(config.seed, int) else torch.tensor(list(config.seed), device=ids.device)


@contextmanager
def _streaming(streamer: Any, ids: Tensor) -> Iterator[Callable[[Tensor], None]]:
    """What hears of tokens as they are taken; a streamer gets the prompt first, and its end whatever happens."""
    if streamer is None:
        yield lambda tokens: None
        return
    streamer.put(ids.cpu())
    try:
        yield lambda tokens: streamer.put(tokens.cpu())
    finally:
        streamer.end()


def _trimmed(ids: Tensor, prompt: int, counts: Tensor, generation: GenerationConfig) -> Tensor:
    """Ids up to the longest row's end; behind the others' ends stands the padding token."""
    padding = getattr(generation, "_pad_token_tensor", None)
    place = torch.arange(ids.shape[1] - prompt, device=ids.device)
    generated = ids[:, prompt:]
    ended = torch.where(place < counts[:, None], generated, 0 if padding is None else padding.to(ids.device))
    return torch.cat([ids[:, :prompt], ended], dim=1)[:, : prompt + int(counts.max())]
