"""A batch of prompts and an adapter: what every way in comes down to, and the way in for models of one's own."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import LongTensor, Tensor
from torch.nn.functional import pad
from transformers import LogitsProcessorList, StoppingCriteriaList
from transformers.generation.stopping_criteria import MaxLengthCriteria

from .adapters import ARAdapter, TransformersAdapter
from .adaptive import FixedWindow, MeasuredWindow, measured_window
from .config import SJDConfig
from .decoding import Plan, Prompts, decode
from .drafts import Initial
from .laws import Laws
from .output import SJDOutput
from .passes import Passes
from .randomness import CounterSource
from .stats import SJDStats
from .stopping import Stops
from .streaming import listening

__all__ = ["decode_with", "run", "with_negative"]


@torch.no_grad()
def decode_with(
    adapter: ARAdapter,
    input_ids: Tensor,
    max_new_tokens: int,
    *,
    sjd_config: SJDConfig | None = None,
    attention_mask: Tensor | None = None,
    logits_processor: LogitsProcessorList | None = None,
    stopping_criteria: StoppingCriteriaList | None = None,
    do_sample: bool = True,
) -> SJDOutput:
    """Decode ``max_new_tokens`` after prompts [B, P] with a model that is not of transformers, by its `ARAdapter`.

    ``attention_mask`` [B, P] is 0 for padding, which is on the left. Processors and criteria are those of
    transformers; temperature and top-k are processors too. In ``sequences`` [B, P + N] of what is returned, 0 stands
    behind the end of rows that a criterion ended. Raises ValueError for settings that do not fit each other.
    """
    config = SJDConfig() if sjd_config is None else sjd_config
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens is at least 1, not {max_new_tokens}")
    length = input_ids.shape[1] + max_new_tokens
    ids, counts, stats = run(
        adapter,
        with_negative(input_ids, attention_mask, config),
        Laws(LogitsProcessorList(logits_processor or []), do_sample),
        Stops([*(stopping_criteria or []), MaxLengthCriteria(length)]),
        max_new_tokens,
        config,
        config.guidance_scale if config.guided else None,
    )
    place = torch.arange(length, device=ids.device) - input_ids.shape[1]
    ids = torch.where(place < counts[:, None], ids, 0)[:, : input_ids.shape[1] + int(counts.max())]
    return SJDOutput(sequences=cast(LongTensor, ids), stats=stats)


def run(
    adapter: ARAdapter,
    prompts: Prompts,
    laws: Laws,
    stops: Stops,
    length: int,
    config: SJDConfig,
    guidance: float | None,
) -> tuple[Tensor, Tensor, SJDStats]:
    """Ids [B, P + length], how many of each row's new tokens count [B], and the stats, which ``config`` remembers.

    Raises ValueError where ``config`` does not fit the batch, the length, or the model's vocabulary.
    """
    image = adapter.image_vocab if config.image_vocab is None and config.grid is not None else config.image_vocab
    _check_sizes(config, image, length, len(prompts.ids), adapter.vocabulary)
    image = torch.arange(adapter.vocabulary) if image is None else torch.unique(image)
    plan = Plan(
        scheme=config.scheme,
        initial=Initial(config.scheme.init, image.to(prompts.ids.device), config.grid),
        windows=_windows(adapter, len(prompts.ids), config),
        length=length,
        plain=config.plain_tokens,
        source=CounterSource(_seeds(config, prompts.ids)),
    )
    with listening(prompts.ids, config.streamer, config.on_line, config.grid) as listener:
        ids, counts, stats = decode(Passes(adapter, guidance), prompts, laws, stops, plan, listener)
    config.remember(stats)
    return ids, counts, stats


def _windows(adapter: ARAdapter, rows: int, config: SJDConfig) -> FixedWindow | MeasuredWindow:
    if not config.adaptive_window:
        return FixedWindow(config.window)
    if isinstance(adapter, TransformersAdapter):
        return measured_window(adapter.model, rows, config.window)
    return MeasuredWindow(config.window)


def with_negative(ids: Tensor, mask: Tensor | None, config: SJDConfig) -> Prompts:
    """The prompts [B, P], and below them in what the model reads, where guided, ``config``'s negative ones.

    Raises ValueError for negative prompts that are not one, or one for each row.
    """
    mask = torch.ones_like(ids) if mask is None else mask
    if not config.guided or config.negative_prompt_ids is None:
        return Prompts(ids, ids, mask)
    shape = tuple(config.negative_prompt_ids.shape)
    if len(shape) != 2 or shape[0] not in (1, len(ids)) or not shape[1]:
        raise ValueError(f"negative_prompt_ids is [1 or {len(ids)}, tokens], one row for each prompt; not {shape}")
    negative = config.negative_prompt_ids.to(ids.device).expand(len(ids), -1)
    width = max(ids.shape[1], negative.shape[1])
    both = [pad(rows, (width - rows.shape[1], 0)) for rows in (ids, negative)]
    masks = [pad(rows, (width - rows.shape[1], 0)) for rows in (mask, torch.ones_like(negative))]
    return Prompts(ids, torch.cat(both), torch.cat(masks))


def _check_sizes(config: SJDConfig, image: Tensor | None, length: int, batch: int, vocabulary: int) -> None:
    if config.grid is not None and config.grid.tokens != length:
        raise ValueError(
            f"the grid has {config.grid.tokens} tokens, header and line ends included, but {length} new ones may be "
            f"generated: use max_new_tokens={config.grid.tokens}"
        )
    if image is not None and not 0 <= int(image.min()) <= int(image.max()) < vocabulary:
        raise ValueError(
            f"image_vocab has ids from 0 to {vocabulary - 1}, not {int(image.min())} to {int(image.max())}"
        )
    seeds: Any = config.seed
    if not isinstance(seeds, int | None) and len(seeds) != batch:
        raise ValueError(f"seed is one number, or one for each of the {batch} rows; not {len(seeds)}")
    if config.streamer is not None and batch > 1:
        raise ValueError(f"a streamer follows one sequence, but there are {batch}: leave streamer out, or use on_line")


def _seeds(config: SJDConfig, ids: Tensor) -> Tensor:
    row = torch.arange(len(ids), device=ids.device)
    if config.seed is None:
        return row + int(torch.randint(2**62, ()))
    return row + config.seed if isinstance(config.seed, int) else torch.tensor(list(config.seed), device=ids.device)
