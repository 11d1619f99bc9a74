"""Square crops of real pictures that come with scikit-image and scikit-learn, and simple patterns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_image

from .image_model import PATTERNS

__all__ = ["NAMES", "REAL", "SIDE", "crops"]

Pixels = NDArray[np.uint8]

SIDE = 64
"""Pixels of a crop's side."""
_SHORT_SIDE = 256
"""What a picture's shorter side is shrunk to: the largest crop is then shrunk by 4 more, the smallest by 2."""

_SOURCES: Mapping[str, Callable[[], Pixels]] = {
    "astronaut": data.astronaut,
    "cat": data.chelsea,
    "coffee": data.coffee,
    "flower": lambda: load_sample_image("flower.jpg"),
    "galaxies": data.hubble_deep_field,
    "motorcycle": lambda: data.stereo_motorcycle()[0],  # type: ignore[no-untyped-call]
    "retina": data.retina,
    "rocket": data.rocket,
    "temple": lambda: load_sample_image("china.jpg"),
}

REAL = tuple(_SOURCES)
"""What the real pictures show, in alphabetical order."""
NAMES = (*REAL, PATTERNS)


@cache
def picture(name: str) -> Image.Image:
    """The picture of that name, its shorter side 256 pixels."""
    whole = Image.fromarray(_SOURCES[name]())
    scale = _SHORT_SIDE / min(whole.size)
    width, height = (round(scale * length) for length in whole.size)
    return whole.resize((width, height), Image.Resampling.LANCZOS)


def crops(name: str, count: int, rng: np.random.Generator) -> Pixels:
    """``count`` random crops [count, 64, 64, 3] of a picture, or as many patterns.

    A crop is a square of half to all of the shorter side, anywhere, and mirrored as often as not. Raises KeyError for
    a name that is none of `NAMES`.
    """
    if name == PATTERNS:
        return np.stack([_pattern(rng) for _ in range(count)])
    whole = picture(name)
    found = np.empty((count, SIDE, SIDE, 3), dtype=np.uint8)
    for crop in found:
        side = rng.uniform(0.5, 1.0) * min(whole.size)
        left, top = (rng.uniform(0, length - side) for length in whole.size)
        box = (left, top, left + side, top + side)
        small = np.asarray(whole.resize((SIDE, SIDE), Image.Resampling.LANCZOS, box=box))
        crop[:] = small[:, ::-1] if rng.random() < 0.5 else small
    return found


def _pattern(rng: np.random.Generator) -> Pixels:
    """Stripes, a fading colour or a single one [64, 64, 3]: a share of two colours that depends on one coordinate.

    The colours are those of two pixels of real pictures.
    """
    along = np.arange(SIDE) + rng.integers(SIDE)
    shares = (
        np.zeros(SIDE),
        np.linspace(0, 1, SIDE),
        along // rng.choice((4, 8, 16)) % 2,
    )
    share = np.broadcast_to(shares[rng.integers(len(shares))][:, None], (SIDE, SIDE))
    share = share.T if rng.random() < 0.5 else share
    one, other = (np.array(_colour(rng), dtype=int) for _ in range(2))
    return np.asarray(one + share[..., None] * (other - one)).round().astype(np.uint8)


def _colour(rng: np.random.Generator) -> tuple[int, ...]:
    """The colour of a random pixel of a random real picture."""
    whole = picture(REAL[rng.integers(len(REAL))])
    x, y = (int(rng.integers(length)) for length in whole.size)
    pixel = whole.getpixel((x, y))
    assert isinstance(pixel, tuple)
    return pixel
