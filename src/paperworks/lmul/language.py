"""Language at our scale: small Llamas of Python source, their attention in every arithmetic, and fine-tuning."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pydoc_data.topics import topics
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from paperworks.lab import Lab, tiny_lm

from .contenders import CONTENDERS, Contender, attention_by, everywhere

__all__ = ["TUNED_WITH", "attention", "fine_tuning"]

TUNED_WITH = {
    "float32": CONTENDERS["float32"],
    "e4m3": CONTENDERS["e4m3"],
    "carry3": replace(CONTENDERS["carry3"], accumulate="fp8_e4m3"),
}
"""The arithmetics of fine-tuning; L-Mul's sums are rounded to e4m3, as the paper has it."""

_BATCH = 4
_LEARNING_RATE = 5e-4
_HELD_OUT_SHARE = 0.2


def attention(lab: Lab, *, recipe: str, seed: int, tokens_per_file: int, contenders: Iterable[str]) -> dict[str, Any]:
    """One model on the test files, with the attention of each contender.

    Returns ``nats`` and ``correct``, each by contender an array [N] over the same tokens, and ``file`` [N], which file
    a token is from. Every file counts with its first ``tokens_per_file`` tokens.
    """
    lm = tiny_lm.trained(lab, recipe, seed=seed)
    stream = _starts(lm.stream("test"), tokens_per_file)
    kept = lm.sizes[stream[1:]] > 0
    outcome: dict[str, Any] = {"nats": {}, "correct": {}}
    for name in contenders:
        with attention_by(lm.model.to(lab.device), CONTENDERS[name]):
            score = tiny_lm.evaluate(lm.model, stream, lm.sizes)
        outcome["nats"][name] = score.nats.astype(np.float32)
        outcome["correct"][name] = score.correct
    outcome["file"] = np.cumsum(stream == tiny_lm.SEPARATOR_ID)[1:][kept].astype(np.int32)
    return outcome


def fine_tuning(lab: Lab, *, contender: str, seed: int, steps: int) -> dict[str, float]:
    """Tune the shipped model on Python's documentation with every product by ``contender``, forward and in evaluation.

    The documentation is that of the language's topics (``pydoc_data``), English prose in reStructuredText that the
    model, trained on source files, has not seen. ``seed`` orders the batches; held-out topics are the same for all.
    Returns the cross-entropy on them in nats a token: ``before``, of the untuned model in float32, and ``after``.
    """
    lm = tiny_lm.trained(lab)
    lm.model.to(lab.device)
    arithmetic: Contender = TUNED_WITH[contender]
    train, held_out = (tiny_lm.token_stream(lm.tokenizer, texts) for texts in _documentation())
    before = tiny_lm.evaluate(lm.model, held_out, lm.sizes, stride=lm.recipe.context).nats_per_token
    with everywhere(lm.model, arithmetic):
        _tune(lm, train, steps, np.random.default_rng(seed))
        after = tiny_lm.evaluate(lm.model, held_out, lm.sizes, stride=lm.recipe.context).nats_per_token
    return {"before": before, "after": after}


def _starts(stream: tiny_lm.Tokens, length: int) -> tiny_lm.Tokens:
    """The first ``length`` tokens of every file of a stream, separators included."""
    begins = np.flatnonzero(stream == tiny_lm.SEPARATOR_ID)
    return np.concatenate([file[:length] for file in np.split(stream, begins[1:])])


def _documentation() -> tuple[list[str], list[str]]:
    """The topics to tune on, and the held-out ones: split by a hash of the topic's name."""
    parts: tuple[list[str], list[str]] = [], []
    for name in sorted(topics):
        share = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) / 2**32
        parts[share < _HELD_OUT_SHARE].append(topics[name])
    return parts


def _tune(lm: tiny_lm.TinyLM, stream: NDArray[np.int32], steps: int, rng: np.random.Generator) -> None:
    """AdamW with a linear fall of the step size, over windows drawn from the stream."""
    model, context = lm.model.train(), lm.recipe.context
    optimizer = torch.optim.AdamW(model.parameters(), lr=_LEARNING_RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, total_iters=steps)
    data = torch.from_numpy(stream.astype(np.int64))
    for _ in range(steps):
        starts = rng.integers(len(stream) - context - 1, size=_BATCH)
        windows = torch.stack([data[start : start + context] for start in starts]).to(model.device)
        loss = model(input_ids=windows, labels=windows, use_cache=False).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    model.eval()
