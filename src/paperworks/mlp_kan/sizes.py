"""How much MLP-KAN's experiment does at each preset."""

from __future__ import annotations

from dataclasses import dataclass

from . import feynman
from .feed_forward import Shape
from .hub_data import CIFAR10, SST2, HubImages, HubSentences

__all__ = ["PRESETS", "Sizes"]

_ALL = tuple(feynman.TABLE)
_SIX = ("I.6.20", "I.8.4", "I.12.1", "I.12.11", "I.13.12", "I.16.6")
_SMALL = Shape(width=32, layers=2, expert=16)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much an experiment does.

    ``equations``, ``budget`` (parameters of each network, at most) and ``steps`` (of MLP-KAN, and of all where sizes
    alone are equal) are those of the formulas. ``image_steps`` is how many batches of digits a vision transformer of
    ``shape`` sees, ``text_steps`` how many batches of lines a BERT of that shape; 0 leaves them out. With ``images`` or
    ``sentences`` these of the hub are read instead.
    """

    seeds: int
    equations: tuple[str, ...]
    budget: int
    steps: int
    image_steps: int
    text_steps: int
    shape: Shape = _SMALL
    images: HubImages | None = None
    sentences: HubSentences | None = None


PRESETS = {
    "smoke": Sizes(seeds=3, equations=("I.6.20", "I.12.1"), budget=2000, steps=10, image_steps=1, text_steps=1),
    "quick": Sizes(seeds=3, equations=_SIX, budget=6000, steps=300, image_steps=0, text_steps=0),
    "full": Sizes(seeds=3, equations=_ALL, budget=6000, steps=2000, image_steps=600, text_steps=600),
    "gpu": Sizes(
        seeds=3,
        equations=_ALL,
        budget=6000,
        steps=200,
        image_steps=600,
        text_steps=600,
        shape=Shape(width=64, layers=4, expert=32),
    ),
    "paper": Sizes(
        seeds=3,
        equations=_ALL,
        budget=50_000,
        steps=20_000,
        image_steps=100_000,
        text_steps=2600,
        shape=Shape(width=192, layers=12, expert=192, heads=3),
        images=CIFAR10,
        sentences=SST2,
    ),
}
"""``paper`` reads CIFAR-10 by networks of DeiT-tiny's size, some 128 epochs, and SST-2 by BERT, five epochs."""
