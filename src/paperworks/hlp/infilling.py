"""Fill holes: the model stops by itself, and nothing is cut afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessorList

from .documents import TextEncoder
from .guidance import Healing, HorizonWatch, Watch
from .horizon import HLPHead
from .schemes import FIMScheme, Mode, Sentinels
from .trainer import decoder_of
from .transform import Ids, before_middle, outer_trimmed

__all__ = ["Decoding", "InfillResult", "Watch", "infill", "still_to_come"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How holes are laid out and filled.

    ``mode``: the order of prefix and suffix; "auto" is the one that the model's configuration names as ``fim_mode``,
    else the first that its scheme has. ``temperature`` 0 is greedy; above it ``samples`` fillings a hole are
    drawn from torch's global random state. ``heal``: the prefix gives its last piece of text back (a word,
    a line end with its indentation), and the filling must begin with it: for models that never saw a text end in the
    midst of a token. None: in the order "spmv2", where models read prefix and middle as one text.
    ``end_bias``: what ends a filling gets ``end_bias * (0.5 - horizon)`` more in its logit at every token, so that
    the model ends sooner where it says that little is left, and later where much is. Raises ValueError for settings
    that make no sense.
    """

    mode: Mode | Literal["auto"] = "auto"
    temperature: float = 0.0
    samples: int = 1
    heal: bool | None = None
    end_bias: float = 0.0

    def __post_init__(self) -> None:
        if self.temperature < 0 or self.samples < 1 or self.end_bias < 0:
            raise ValueError(
                f"temperature and end_bias are 0 or more and samples at least 1, not {self.temperature}, "
                f"{self.end_bias} and {self.samples}"
            )
        if self.samples > 1 and not self.temperature:
            raise ValueError("greedy fillings of a hole are all the same: for samples give a temperature above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class InfillResult:
    """What was filled in; whether the model ended it; and, with ``use_horizon``, what the head said at each token."""

    text: str
    tokens: int
    stopped: bool
    horizon: tuple[float, ...] | None = None

    @property
    def remaining(self) -> tuple[float, ...] | None:
        """Tokens still to come at each token, as the head has it: after t of M tokens, y = (M - t) / M."""
        if self.horizon is None:
            return None
        return tuple(still_to_come(y, t) for t, y in enumerate(self.horizon, start=1))


def still_to_come(horizon: float, tokens: int) -> float:
    """The tokens that are left after ``tokens`` of them, where the head says ``horizon``: t y / (1 - y)."""
    return tokens * horizon / max(1 - horizon, 1e-6)


@torch.no_grad()
def infill(
    model: Any,
    tokenizer: Any,
    holes: Sequence[tuple[str, str]],
    *,
    max_new_tokens: int = 256,
    scheme: str | Sentinels = "auto",
    decoding: Decoding = Decoding(),
    use_horizon: bool = False,
    watch: Watch | None = None,
) -> list[InfillResult]:
    """Fill every hole, a pair (prefix, suffix); all in one batch, padded on the left. ``samples`` results a hole.

    A model ends a hole with its end-of-infill token or any other sentinel. Of what does not fit into the model's
    context the outer ends are left out. ``use_horizon`` needs the head that `HLPTrainer` leaves on the model as
    ``model.hlp_head``; ``watch`` hears of every token as it comes. Raises ValueError without holes or head, for a mode
    the scheme does not have, and where ``max_new_tokens`` leaves no room for a prompt.
    """
    if not holes:
        raise ValueError("there is no hole to fill: give at least one pair (prefix, suffix)")
    if (use_horizon or decoding.end_bias) and not isinstance(getattr(model, "hlp_head", None), HLPHead):
        raise ValueError("use_horizon needs model.hlp_head: train with HLPTrainer, or set it to HLPHead.load(path)")
    found = FIMScheme.from_tokenizer(tokenizer, scheme)
    mode = _mode(model, found, decoding.mode)
    heal = mode == "spmv2" if decoding.heal is None else decoding.heal
    layout = _Layout(found, tokenizer, mode, heal, _room(model, found, max_new_tokens))
    prompts = [layout.prompt(prefix, suffix) for prefix, suffix in holes]
    tokens, attention = _padded([prompt.ids for prompt in prompts], found.end)
    processors = LogitsProcessorList()
    if heal:
        begun = [prompt.begun for prompt in prompts for _ in range(decoding.samples)]
        processors.append(Healing(tokenizer, begun, tokens.shape[1]))
    follow = HorizonWatch(model, found, tokens.shape[1], max_new_tokens, decoding.end_bias, watch)
    watched = use_horizon or bool(decoding.end_bias)
    if watched:
        processors.append(follow)
    with follow.listening(decoder_of(model), watched):
        sequences = model.generate(
            tokens.to(model.device),
            attention_mask=attention.to(model.device),
            max_new_tokens=max_new_tokens + watched,  # one more, forced to be the end, to hear of the last token
            do_sample=decoding.temperature > 0,
            **({"temperature": decoding.temperature, "top_k": 0} if decoding.temperature else {}),
            num_return_sequences=decoding.samples,
            eos_token_id=list(found.stops),
            pad_token_id=found.end,
            logits_processor=processors,
        )
    results = []
    for row, ids in enumerate(sequences[:, tokens.shape[1] :].tolist()):
        kept, stopped = _until_stop(ids[:max_new_tokens], found)
        text = tokenizer.decode(kept, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        results.append(
            InfillResult(
                text=text.removeprefix(prompts[row // decoding.samples].begun),
                tokens=len(kept),
                stopped=stopped,
                horizon=tuple(follow.said(row, len(kept))) if use_horizon else None,
            )
        )
    return results


@dataclass(frozen=True, slots=True)
class _Prompt:
    """The ids of a prompt, and the text that a filling must begin with (healed tokens)."""

    ids: list[int]
    begun: str


class _Layout:
    """Lays holes out as prompts with at most ``room`` tokens of prefix and suffix."""

    def __init__(self, scheme: FIMScheme, tokenizer: Any, mode: Mode, heal: bool, room: int | None) -> None:
        self._scheme = scheme
        self._encoder = TextEncoder(tokenizer)
        self._mode: Mode = mode
        self._heal = heal
        self._room = room

    def prompt(self, prefix: str, suffix: str) -> _Prompt:
        before, begun = self._before(prefix)
        after = self._encoder.encode(suffix)
        if self._room is not None:
            before, after = outer_trimmed(before, after, self._room)
        runs = before_middle(before, after, self._scheme, self._mode)
        return _Prompt([int(token) for run in runs for token in run], begun)

    def _before(self, prefix: str) -> tuple[Ids, str]:
        """The tokens of a prefix, and the text at its end that is given back: none where no token might spell it."""
        ids, starts, _, pieces = self._encoder.spans(prefix)
        if not self._heal or not len(ids):
            return ids, ""
        first = int(np.searchsorted(pieces, pieces[-1])) if self._encoder.local else len(ids) - 1
        begun = prefix[starts[first] :]
        return (ids[:first], begun) if begun.isascii() else (ids, "")


def _mode(model: Any, scheme: FIMScheme, asked: Mode | Literal["auto"]) -> Mode:
    mode: Mode = getattr(model.config, "fim_mode", scheme.modes[0]) if asked == "auto" else asked
    scheme.require(mode)
    return mode


def _room(model: Any, scheme: FIMScheme, max_new_tokens: int) -> int | None:
    """Tokens of prefix and suffix that fit beside the filling; None where the model's context has no bound."""
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if context is None:
        return None
    room = int(context) - scheme.overhead - max_new_tokens
    if room < 0:
        raise ValueError(
            f"max_new_tokens={max_new_tokens} leaves no room for a prompt in a context of {context} tokens; "
            f"give at most {context - scheme.overhead}"
        )
    return room


def _padded(prompts: Sequence[list[int]], pad: int) -> tuple[Tensor, Tensor]:
    """Prompts [B, N] padded on the left, and their mask."""
    width = max(map(len, prompts))
    tokens = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    return tokens, mask


def _until_stop(ids: list[int], scheme: FIMScheme) -> tuple[list[int], bool]:
    for place, token in enumerate(ids):
        if token in scheme.stops:
            return ids[:place], True
    return ids, False
