"""Fill a hole: the model stops by itself, and nothing is cut afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .documents import TextEncoder
from .horizon import HLPHead
from .schemes import FIMScheme, Sentinels
from .trainer import decoder_of
from .transform import before_middle

__all__ = ["InfillResult", "infill"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InfillResult:
    """What was filled in; whether the model ended it; and, with ``use_horizon``, what the head said at each token."""

    text: str
    tokens: int
    stopped: bool
    horizon: tuple[float, ...] | None = None


@torch.no_grad()
def infill(
    model: Any,
    tokenizer: Any,
    holes: Sequence[tuple[str, str]],
    *,
    max_new_tokens: int = 256,
    scheme: str | Sentinels = "auto",
    use_horizon: bool = False,
) -> list[InfillResult]:
    """Fill every hole, a pair (prefix, suffix), greedily, prefix first; all in one batch, padded on the left.

    A model ends a hole with its end-of-infill token or any other sentinel. ``use_horizon`` needs the head that
    `HLPTrainer` leaves on the model as ``model.hlp_head``, and reads the sequences once more. Raises ValueError
    without holes or head.
    """
    if not holes:
        raise ValueError("there is no hole to fill: give at least one pair (prefix, suffix)")
    if use_horizon and not isinstance(getattr(model, "hlp_head", None), HLPHead):
        raise ValueError("use_horizon needs model.hlp_head: train with HLPTrainer, or set it to HLPHead.load(path)")
    found = FIMScheme.from_tokenizer(tokenizer, scheme)
    found.require("psm")
    tokens, attention, width = _prompts(found, TextEncoder(tokenizer), holes)
    tokens, attention = tokens.to(model.device), attention.to(model.device)
    sequences = model.generate(
        tokens,
        attention_mask=attention,
        max_new_tokens=max_new_tokens,
        do_sample=False,
        eos_token_id=list(found.stops),
        pad_token_id=found.end,
    )
    written = [_until_stop(row, found) for row in sequences[:, width:].tolist()]
    horizons = _horizons(model, sequences, attention) if use_horizon else None
    return [
        InfillResult(
            text=tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False),
            tokens=len(ids),
            stopped=stopped,
            horizon=None if horizons is None else tuple(horizons[row, width : width + len(ids)].tolist()),
        )
        for row, (ids, stopped) in enumerate(written)
    ]


def _prompts(scheme: FIMScheme, encoder: TextEncoder, holes: Sequence[tuple[str, str]]) -> tuple[Tensor, Tensor, int]:
    """Prompts [B, N] padded on the left, their mask, and N."""
    prompts = []
    for prefix, suffix in holes:
        runs = before_middle(encoder.encode(prefix), encoder.encode(suffix), scheme, "psm")
        prompts.append([int(token) for run in runs for token in run])
    width = max(map(len, prompts))
    tokens = torch.tensor([[scheme.end] * (width - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    return tokens, mask, width


def _until_stop(ids: list[int], scheme: FIMScheme) -> tuple[list[int], bool]:
    for place, token in enumerate(ids):
        if token in scheme.stops:
            return ids[:place], True
    return ids, False


def _horizons(model: Any, sequences: Tensor, attention: Tensor) -> Tensor:
    """What the head says at every token [B, N]."""
    more = torch.ones(len(sequences), sequences.shape[1] - attention.shape[1], dtype=attention.dtype)
    mask = torch.cat([attention, more.to(attention.device)], dim=1)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    hidden = decoder_of(model)(input_ids=sequences, attention_mask=mask, position_ids=positions)[0]
    horizons: Tensor = model.hlp_head(hidden)
    return horizons
