"""The claim on text: which feed-forward part tells documentation from code best."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperworks.core import Measurement, Untested
from paperworks.lab import Lab, stats

from . import feed_forward, hub_data, source_lines
from .sizes import Sizes

__all__ = ["text"]

_EXPERTS, _TOP_K = 8, 2
_KINDS = ("MLP", "KAN", "MLP-KAN")


def text(lab: Lab, sizes: Sizes) -> Iterator[Measurement | Untested]:
    """MK4, or that it needs a larger preset."""
    if not sizes.text_steps:
        yield Untested(claim="MK4", reason="needs --preset full")
        return
    correct = {kind: _correct(lab, sizes, kind) for kind in _KINDS}
    better = max(("MLP", "KAN"), key=lambda kind: float(correct[kind].mean()))
    found = stats.two_level(100 * (correct["MLP-KAN"] - correct[better]), lab.rng("MK4", 0))
    yield Measurement(
        claim="MK4",
        **found.as_fields(),
        unit="points",
        scale="smaller" if sizes.sentences is None else "same",
        setting=f"{_read(sizes)}, {sizes.text_steps} batches; the better of the others is the {better}",
        rows=tuple(_row(lab, sizes, kind, found) for kind, found in correct.items()),
    )


def _correct(lab: Lab, sizes: Sizes, kind: str) -> NDArray[np.float64]:
    settings: dict[str, Any] = {
        "kind": kind,
        "experts": _EXPERTS,
        "top_k": _TOP_K,
        "shape": sizes.shape,
        "steps": sizes.text_steps,
        "threads": lab.threads,
        "device": lab.device,
    }
    if sizes.sentences is None:
        return np.stack(lab.each_seed(f"lines-{kind}", source_lines.correct_answers, **settings)).astype(np.float64)
    found = lab.each_seed(f"sentences-{kind}", hub_data.sentences_read, data=sizes.sentences, **settings)
    return np.stack(found).astype(np.float64)


def _read(sizes: Sizes) -> str:
    if sizes.sentences is not None:
        return f"{sizes.sentences.says}, {sizes.sentences.model} fine-tuned with new feed-forward parts"
    return (
        f"lines of documentation told from lines of code, Python's standard library: {source_lines.TRAIN} to train and "
        f"{source_lines.HELD_OUT} held out, of other files; BERT of {sizes.shape.layers} layers, from random weights"
    )


def _row(lab: Lab, sizes: Sizes, kind: str, correct: NDArray[np.float64]) -> dict[str, str | float | None]:
    found = stats.two_level(100 * correct, lab.rng("lines", 0))
    return {
        "feed-forward part": kind if kind == "MLP-KAN" else f"{kind}, as large",
        "parameters a layer": float(feed_forward.size(kind, experts=_EXPERTS, shape=sizes.shape)),
        "accuracy, %": found.value,
        "from": found.low,
        "to": found.high,
    }
