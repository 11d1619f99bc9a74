"""Fine-tuning a causal language model with every product in one arithmetic (claim C6)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from paperworks.lab import tiny_lm

from .contenders import CONTENDERS, Contender, everywhere

__all__ = ["TUNED_WITH", "Subject", "tuned"]

TUNED_WITH = {
    "float32": CONTENDERS["float32"],
    "e4m3": CONTENDERS["e4m3"],
    "carry3": replace(CONTENDERS["carry3"], accumulate="fp8_e4m3"),
}
"""The arithmetics of fine-tuning; L-Mul's sums are rounded to e4m3, as the paper has it."""

_BATCH = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A model and what it is tuned on: streams of tokens [N], ``sizes`` [V] as :func:`tiny_lm.evaluate` takes them."""

    model: Any
    train: tiny_lm.Tokens
    held_out: tiny_lm.Tokens
    sizes: tiny_lm.Tokens
    context: int
    learning_rate: float


def tuned(subject: Subject, arithmetic: Contender, *, seed: int, steps: int) -> dict[str, float]:
    """Tune the model in place with every product by ``arithmetic``, forward and in evaluation; ``seed`` draws batches.

    Returns the cross-entropy on the held-out stream in nats a token: ``before``, of the untuned model with ordinary
    products, and ``after``.
    """
    before = _loss(subject)
    with everywhere(subject.model, arithmetic):
        _train(subject, steps, np.random.default_rng(seed))
        after = _loss(subject)
    return {"before": before, "after": after}


def _loss(subject: Subject) -> float:
    windows = {"context": subject.context, "stride": subject.context}
    return tiny_lm.evaluate(subject.model, subject.held_out, subject.sizes, **windows).nats_per_token


def _train(subject: Subject, steps: int, rng: np.random.Generator) -> None:
    """AdamW with a linear fall of the step size, over windows drawn from the stream."""
    model = subject.model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=subject.learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, total_iters=steps)
    data = torch.from_numpy(subject.train.astype(np.int64))
    for _ in range(steps):
        starts = rng.integers(len(data) - subject.context - 1, size=_BATCH)
        windows = torch.stack([data[start : start + subject.context] for start in starts]).to(model.device)
        loss = model(input_ids=windows, labels=windows, use_cache=False).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    model.eval()
