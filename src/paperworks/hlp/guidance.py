"""What changes a model's choice while it fills a hole: the horizon, and text that is already begun."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import LogitsProcessor

from .schemes import FIMScheme

__all__ = ["Healing", "HorizonWatch", "Watch"]

Watch = Callable[[list[int], list[float]], None]
"""Called at every token with the holes' latest tokens [B] and what the head says at them [B]."""


class HorizonWatch(LogitsProcessor):
    """Reads the head at every token of a filling, moves the logits of all that ends it, and reports.

    ``prompt`` tokens stand before the filling. When ``longest`` tokens are there, the end is forced, so that the head
    is heard of the last of them too.
    """

    def __init__(
        self,
        model: Any,
        scheme: FIMScheme,
        prompt: int,
        longest: int,
        end_bias: float,
        watch: Watch | None,
    ) -> None:
        self._model, self._scheme, self._prompt, self._longest = model, scheme, prompt, longest
        self._end_bias, self._watch = end_bias, watch
        self._hidden: Tensor | None = None
        self._said: list[list[float]] = []

    @contextmanager
    def listening(self, decoder: nn.Module, active: bool) -> Iterator[None]:
        """Inside, the decoder's latest output is at hand, where it is asked for."""
        if not active:
            yield
            return

        def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
            self._hidden = output[0][:, -1]

        handle = decoder.register_forward_hook(keep)
        try:
            yield
        finally:
            handle.remove()

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Scores [B, V] after the tokens [B, N]. Before the first token of the filling the head was not trained."""
        written = input_ids.shape[1] - self._prompt
        if not written:
            return scores
        assert self._hidden is not None
        horizon = self._model.hlp_head(self._hidden)
        self._said.append(horizon.tolist())
        if self._watch is not None:
            self._watch(input_ids[:, -1].tolist(), self._said[-1])
        scores = scores.clone()
        if written >= self._longest:
            scores[:] = -torch.inf
            scores[:, self._scheme.end] = 0
            return scores
        scores[:, list(self._scheme.stops)] += self._end_bias * (0.5 - horizon).to(scores.dtype)[:, None]
        return scores

    def said(self, row: int, tokens: int) -> list[float]:
        """What the head said at the first ``tokens`` tokens of a row."""
        return [step[row] for step in self._said[:tokens]]


class Healing(LogitsProcessor):
    """Lets every row of a filling begin only with the text [B] that is begun for it."""

    def __init__(self, tokenizer: Any, begun: Sequence[str], prompt: int) -> None:
        every = [[token] for token in range(len(tokenizer))]
        self._texts: list[str] = tokenizer.batch_decode(every, clean_up_tokenization_spaces=False)
        self._ordinary = [bool(text) and "\ufffd" not in text for text in self._texts]
        for token in tokenizer.all_special_ids:
            self._ordinary[token] = False
        self._left = list(begun)
        self._prompt = prompt

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Scores [B, V] with all tokens out that do not go on with what is begun."""
        if input_ids.shape[1] > self._prompt:
            latest = (self._texts[token] for token in input_ids[:, -1].tolist())
            self._left = [left[len(text) :] for left, text in zip(self._left, latest, strict=True)]
        if not any(self._left):
            return scores
        scores = scores.clone()
        for row, left in enumerate(self._left):
            if left:
                scores[row, self._barred(left, scores.shape[1])] = -torch.inf
        return scores

    def _barred(self, left: str, vocabulary: int) -> list[int]:
        fits = (
            ordinary and (text.startswith(left) or left.startswith(text))
            for text, ordinary in zip(self._texts, self._ordinary, strict=True)
        )
        allowed = {token for token, fit in enumerate(fits) if fit}
        return [token for token in range(vocabulary) if token not in allowed]
