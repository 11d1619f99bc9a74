"""Language at our scale: Llamas of Python source, their attention in every arithmetic, and fine-tuning."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pydoc_data.topics import topics
from typing import Any

import numpy as np

from paperworks.lab import Lab, tiny_lm
from paperworks.lab.corpus import Split

from .contenders import CONTENDERS, attention_by
from .tuning import TUNED_WITH, Subject, tuned

__all__ = ["HELD_OUT", "attention", "fine_tuning"]

_LEARNING_RATE = 5e-4
_HELD_OUT_SHARE = 0.2
HELD_OUT: tuple[Split, ...] = ("validation", "test")
"""The files that no model was trained on. What is measured on them, the change by an arithmetic, chose no recipe."""


def attention(lab: Lab, *, recipe: str, seed: int, tokens_per_file: int, contenders: Iterable[str]) -> dict[str, Any]:
    """One model on the held-out files, with the attention of each contender.

    Returns ``nats`` and ``correct``, each by contender an array [N] over the same tokens, and ``file`` [N], which file
    a token is from. Every file counts with its first ``tokens_per_file`` tokens.
    """
    lm = tiny_lm.trained(lab, recipe, seed=seed)
    stream = _starts(np.concatenate([lm.stream(split) for split in HELD_OUT]), tokens_per_file)
    kept = lm.sizes[stream[1:]] > 0
    outcome: dict[str, Any] = {"nats": {}, "correct": {}}
    for name in contenders:
        with attention_by(on_device(lm, lab.device), CONTENDERS[name]):
            score = tiny_lm.evaluate(lm.model, stream, lm.sizes)
        outcome["nats"][name] = score.nats.astype(np.float32)
        outcome["correct"][name] = score.correct
    outcome["file"] = np.cumsum(stream == tiny_lm.SEPARATOR_ID)[1:][kept].astype(np.int32)
    return outcome


def fine_tuning(lab: Lab, *, recipe: str, contender: str, seed: int, steps: int) -> dict[str, float]:
    """Tune a model on Python's documentation with every product by ``contender``, forward and in evaluation.

    The documentation is that of the language's topics (``pydoc_data``), English prose in reStructuredText that the
    model, trained on source files, has not seen. ``seed`` orders the batches and, where the recipe is trained from
    several, is the model's; held-out topics are the same for all.
    Returns the cross-entropy on them in nats a token: ``before``, of the untuned model in float32, and ``after``.
    """
    lm = tiny_lm.trained(lab, recipe, seed=0 if recipe == "tiny_lm" else seed)
    train, held_out = (tiny_lm.token_stream(lm.tokenizer, texts) for texts in _documentation())
    subject = Subject(
        model=on_device(lm, lab.device),
        train=train,
        held_out=held_out,
        sizes=lm.sizes,
        context=lm.recipe.context,
        learning_rate=_LEARNING_RATE,
    )
    return tuned(subject, TUNED_WITH[contender], seed=seed, steps=steps)


def on_device(lm: tiny_lm.TinyLM, device: str) -> Any:
    """The model, moved there in place."""
    model: Any = lm.model
    return model.to(device)


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
