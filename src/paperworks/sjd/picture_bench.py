"""Pictures of the shipped model, one at a time: ours beside plain decoding and what transformers offers instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from transformers import DynamicCache

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
_ALONE = "its passes of the model alone"


def picture_rows(lab: Lab) -> Iterator[BenchRow]:
    """Each of `WAYS` beside its peers; the target allows for `SHARE` of the gain in passes over plain decoding.

    The limit is the time of the passes themselves, which on a CPU grows with the tokens in them.
    """
    image = shipped(lab.device)
    peers: dict[str, Callable[[], object]] = {
        _PLAIN: partial(_ours, image, PLAIN),
        _PAPERS: partial(_ours, image, PAPER),
        "generate of transformers": partial(_theirs, image),
        "prompt lookup of transformers": partial(_theirs, image, prompt_lookup_num_tokens=FAST.window),
    }
    for name, way in WAYS.items():
        taken = _taken(image, way)
        fewer = len(NAMES) * image.grid.tokens / sum(map(len, taken))
        alone = {_ALONE: partial(_passes_alone, image, taken, way.window)}
        compared = lab.compare(partial(_ours, image, way), peers | ({} if way.adaptive else alone))
        yield from compared.rows(
            f"{len(NAMES)} pictures, {name}, {fewer:.2f} times fewer passes than plain",
            targets={_PLAIN: 1 / (SHARE * fewer)},
            limit_s=None if way.adaptive else compared.peers[_ALONE].seconds,
        )


def _taken(image: ImageModel, way: Way) -> list[tuple[int, ...]]:
    """How many tokens each pass of each picture took."""
    return [draw(image, [name], [0], way)[1].per_row[0].accepted_per_step for name in NAMES]


@torch.no_grad()
def _passes_alone(image: ImageModel, taken: list[tuple[int, ...]], window: int) -> None:
    """The same passes of the model, over as many tokens after as many, without anything that decides on tokens."""
    model: Any = image.model
    tokens = torch.zeros(1, window, dtype=torch.long, device=model.device)
    for (first, *later), name in zip(taken, NAMES, strict=True):
        cache, done = DynamicCache(config=model.config), first
        model(image.ids([name]).to(model.device), past_key_values=cache)
        for count in later:
            width = min(window, image.grid.tokens - done)
            model(tokens[:, :width], past_key_values=cache)
            if count < width:
                cache.crop(count - width)
            done += count


def _ours(image: ImageModel, way: Way) -> None:
    for name in NAMES:
        draw(image, [name], [0], way)


def _theirs(image: ImageModel, **settings: Any) -> None:
    """Draw the pictures by ``generate`` alone, with everything else equal."""
    model: Any = image.model
    for name in NAMES:
        ids = image.ids([name]).to(model.device)
        torch.manual_seed(0)
        model.generate(ids, attention_mask=torch.ones_like(ids), **settings)
