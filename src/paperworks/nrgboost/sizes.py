"""How much the experiment does at each preset."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .contenders import ModelSizes
from .open_tables import OPEN

__all__ = ["PRESETS", "Sizes"]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much an experiment does.

    ``tables``: those on which forecasts are compared; ``sampled`` and ``filled``: those of them on which samples are
    used and hidden cells filled in; ``pictured``: the one whose rows are drawn as pictures. ``rows``: the size of
    friedman1. ``samples``: rows that a generator draws, at most. ``models``: how large models become. ``plane_rows``
    and ``plane_pool``: rows drawn of each density on the plane, and model samples, for 100 rounds. ``refreshes``: the
    refresh fractions compared, in ``refresh_rounds`` rounds of ``refresh_leaves`` leaves on a pool of ``refresh_pool``.
    """

    seeds: int
    tables: tuple[str, ...] = ("wine", "diabetes", "breast_cancer", "friedman1", "digits")
    sampled: tuple[str, ...]
    pictured: str = "digits"
    filled: tuple[str, ...]
    rows: int
    samples: int
    models: ModelSizes
    plane_rows: int
    plane_pool: int
    refreshes: tuple[float, ...]
    refresh_rounds: int
    refresh_leaves: int
    refresh_pool: int


_FULL = Sizes(
    seeds=5,
    sampled=("diabetes", "breast_cancer", "friedman1", "digits"),
    filled=("wine", "diabetes", "breast_cancer", "friedman1"),
    rows=15_000,
    samples=4000,
    models=ModelSizes(
        rounds=200,
        leaves=(64, 256),
        leaves_if_small=(8, 32, 128),
        pool=20_000,
        forest_trees=100,
        forest_leaves=(32, 128, 512),
        discriminative_leaves=(8, 31, 127),
    ),
    plane_rows=100_000,
    plane_pool=40_000,
    refreshes=(0.1, 0.2, 0.5, 1.0),
    refresh_rounds=40,
    refresh_leaves=256,
    refresh_pool=40_000,
)
_GPU = replace(
    _FULL,
    rows=50_000,
    samples=10_000,
    models=replace(_FULL.models, leaves=(256,), pool=80_000),
    plane_pool=80_000,
    refresh_rounds=100,
    refresh_pool=80_000,
)
"""There is nothing here for a GPU to do: this is for the many cores of a machine that has one."""

PRESETS = {
    "smoke": Sizes(
        seeds=3,
        tables=("wine", "diabetes", "digits"),
        sampled=("wine",),
        filled=("wine",),
        rows=500,
        samples=200,
        models=ModelSizes(
            rounds=15,
            leaves=(16,),
            leaves_if_small=(8,),
            pool=1000,
            forest_trees=10,
            forest_leaves=(32,),
            discriminative_leaves=(8,),
        ),
        plane_rows=5_000,
        plane_pool=1_000,
        refreshes=(0.1, 1.0),
        refresh_rounds=5,
        refresh_leaves=16,
        refresh_pool=1000,
    ),
    "quick": Sizes(
        seeds=3,
        sampled=("diabetes", "friedman1"),
        filled=("wine", "diabetes"),
        rows=10_000,
        samples=1000,
        models=ModelSizes(
            rounds=60,
            leaves=(128,),
            leaves_if_small=(8, 32),
            pool=5_000,
            forest_trees=50,
            forest_leaves=(32,),
            discriminative_leaves=(8, 31),
        ),
        plane_rows=20_000,
        plane_pool=6_000,
        refreshes=(0.1, 1.0),
        refresh_rounds=15,
        refresh_leaves=64,
        refresh_pool=8_000,
    ),
    "full": _FULL,
    "gpu": _GPU,
    "paper": replace(
        _GPU,
        tables=tuple(OPEN),
        sampled=tuple(OPEN),
        pictured="mnist",
        filled=("abalone", "california", "protein"),
        samples=100_000,
    ),
}
