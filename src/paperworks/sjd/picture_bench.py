"""Pictures of the shipped model, one at a time: ours beside plain decoding and what transformers offers instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from paperworks.lab import Lab
from paperworks.lab.timing import BenchRow

from .drawing import FAST, PAPER, PLAIN, REPRODUCIBLE, Way, draw, shipped
from .image_model import ImageModel

__all__ = ["picture_rows"]

NAMES = ("cat", "coffee", "temple")
"""What is drawn in one call, picture after picture: three that differ in how many passes they take."""
SHARE = 0.8
"""What the gain in time is to be of that in passes."""

WAYS: Mapping[str, Way] = {
    "Gumbel verification": REPRODUCIBLE,
    "Gumbel coupling": FAST,
    "Gumbel verification, window of 8": replace(REPRODUCIBLE, window=8),
    "Gumbel verification, adaptive window": replace(REPRODUCIBLE, adaptive=True),
}
_PLAIN, _PAPERS = "plain decoding, same code", "the paper's scheme, same code"


def picture_rows(lab: Lab) -> Iterator[BenchRow]:
    """Each of `WAYS` beside its peers; the target allows for `SHARE` of the gain in passes over plain decoding."""
    image = shipped(lab.device)
    peers: dict[str, Callable[[], object]] = {
        _PLAIN: partial(_ours, image, PLAIN),
        _PAPERS: partial(_ours, image, PAPER),
        "generate of transformers": partial(_theirs, image),
        "prompt lookup of transformers": partial(_theirs, image, prompt_lookup_num_tokens=FAST.window),
    }
    for name, way in WAYS.items():
        fewer = len(NAMES) * image.grid.tokens / _ours(image, way)
        yield from lab.compare(partial(_ours, image, way), peers).rows(
            f"{len(NAMES)} pictures, {name}, {fewer:.2f} times fewer passes than plain",
            targets={_PLAIN: 1 / (SHARE * fewer)},
        )


def _ours(image: ImageModel, way: Way) -> int:
    """Draw the pictures; the passes of all together."""
    return sum(draw(image, [name], [0], way)[1].nfe for name in NAMES)


def _theirs(image: ImageModel, **settings: Any) -> None:
    """Draw the pictures by ``generate`` alone, with everything else equal."""
    model: Any = image.model
    for name in NAMES:
        ids = image.ids([name]).to(model.device)
        torch.manual_seed(0)
        model.generate(ids, attention_mask=torch.ones_like(ids), **settings)
