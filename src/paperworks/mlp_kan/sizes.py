"""How much MLP-KAN's experiment does at each preset."""

from __future__ import annotations

from dataclasses import dataclass

from . import feynman
from .digits import Shape

__all__ = ["PRESETS", "Sizes"]

_ALL = tuple(feynman.TABLE)
_SIX = ("I.6.20", "I.8.4", "I.12.1", "I.12.11", "I.13.12", "I.16.6")
_SMALL = Shape(width=32, layers=2, expert=16)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much an experiment does.

    ``equations``, ``budget`` (parameters of each network, at most) and ``steps`` (of MLP-KAN, and of all where sizes
    alone are equal) are those of the formulas. ``image_steps`` is how many batches of digits a vision transformer of
    ``shape`` sees; 0 leaves images out.
    """

    seeds: int
    equations: tuple[str, ...]
    budget: int
    steps: int
    image_steps: int
    shape: Shape = _SMALL


PRESETS = {
    "smoke": Sizes(seeds=3, equations=("I.6.20", "I.12.1"), budget=2000, steps=10, image_steps=1),
    "quick": Sizes(seeds=3, equations=_SIX, budget=6000, steps=300, image_steps=0),
    "full": Sizes(seeds=3, equations=_ALL, budget=6000, steps=2000, image_steps=600),
    "gpu": Sizes(
        seeds=3, equations=_ALL, budget=6000, steps=200, image_steps=600, shape=Shape(width=64, layers=4, expert=32)
    ),
    "paper": Sizes(seeds=3, equations=_ALL, budget=50_000, steps=20_000, image_steps=5000),
}
