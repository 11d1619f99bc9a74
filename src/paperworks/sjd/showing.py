"""Pictures drawn one at a time by the shipped model or another of its kind, and a sheet with them side by side."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .drawing import Way, draw
from .image_model import RECORD, SHIPPED, ImageModel, load

__all__ = ["Shown", "model_of", "sheet", "show"]

Progress = Callable[[str, int, int], None]

_SCALE = 3
"""Pixels of the sheet for one of a picture, in both directions."""
_GAP = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One picture [64, 64, 3] of a ``prompt``, how it was drawn (``decoder``), and what that took."""

    prompt: str
    decoder: str
    picture: NDArray[np.uint8]
    passes: int
    seconds: float


def model_of(name: str) -> ImageModel:
    """The shipped model for "", else that of a folder, else that of a hub id, which is downloaded.

    Raises ValueError for what is no model of this kind, OSError where the hub cannot be reached or has none.
    """
    if not name:
        return load(SHIPPED)
    folder = Path(name)
    if not folder.is_dir():
        from huggingface_hub import snapshot_download

        folder = Path(snapshot_download(name))
    if not (folder / RECORD).is_file():
        raise ValueError(
            f"{name} has no {RECORD}: pictures are drawn by models that `python -m paperworks.sjd.train_image_model` "
            "makes; others go through generate(custom_generate=speculative_jacobi) or generate_image"
        )
    return load(folder)


def show(image: ImageModel, prompts: Sequence[str], seed: int, ways: dict[str, Way], progress: Progress) -> list[Shown]:
    """A picture of each prompt by each of ``ways``, prompt after prompt, all from the same seed.

    Raises ValueError for a prompt that the model does not know.
    """
    image.ids(prompts)
    warm = next(iter(ways.values()))
    draw(image, prompts[:1], [seed], replace(warm, window=max(2, warm.window)))  # what only a first call waits for
    found = []
    for prompt in prompts:
        for decoder, way in ways.items():
            began = time.perf_counter()
            codes, stats = draw(image, [prompt], [seed], way)
            seconds = time.perf_counter() - began
            picture = image.paint(codes)[0]
            found.append(Shown(prompt=prompt, decoder=decoder, picture=picture, passes=stats.nfe, seconds=seconds))
            progress("draw", len(found), len(prompts) * len(ways))
    return found


def sheet(shown: Sequence[Shown]) -> bytes:
    """A PNG: a column a prompt, a row a decoder, in the order in which they come."""
    prompts = list(dict.fromkeys(one.prompt for one in shown))
    decoders = list(dict.fromkeys(one.decoder for one in shown))
    side = len(shown[0].picture) * _SCALE + _GAP
    whole = Image.new("RGB", (side * len(prompts) + _GAP, side * len(decoders) + _GAP), "white")
    for one in shown:
        large = Image.fromarray(one.picture).resize((side - _GAP, side - _GAP), Image.Resampling.NEAREST)
        whole.paste(large, (side * prompts.index(one.prompt) + _GAP, side * decoders.index(one.decoder) + _GAP))
    written = io.BytesIO()
    whole.save(written, "PNG")
    return written.getvalue()
