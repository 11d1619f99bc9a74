"""What it saves to keep the pool's samples from round to round (section 2.4): the same training, refreshed more."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import clone

from . import datasets
from .boosting import Round
from .density import NRGBoostDensity

__all__ = ["PHASES", "kept_shares", "phase_seconds", "train_with"]

PHASES = ("histograms", "split", "rejection", "gibbs")
"""What a round's time goes into."""

_WARM_UP = 3
_WARM_UP_POOL = 500


def train_with(
    *, table: str, rows: int, seed: int, refresh_fraction: float, rounds: int, leaves: int, pool: int, threads: int
) -> dict[str, Any]:
    """Train once with ``refresh_fraction``, without early stopping.

    Returns ``wall_s`` and ``cpu_s`` of training, ``kept``, the mean share of the pool that a round kept, and
    ``phases``, the seconds of each.
    """
    train = datasets.split(datasets.load(table, rows), seed).train
    model = NRGBoostDensity(
        n_estimators=rounds,
        max_leaf_nodes=leaves,
        n_model_samples=pool,
        refresh_fraction=refresh_fraction,
        n_jobs=threads,
        random_state=seed,
    )
    clone(model).set_params(n_estimators=_WARM_UP, n_model_samples=_WARM_UP_POOL).fit(train)
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit(train)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    kept = kept_shares(model.rounds_)
    return {"wall_s": wall, "cpu_s": cpu, "kept": float(np.mean(kept or [0.0])), "phases": phase_seconds(model.rounds_)}


def kept_shares(rounds: Sequence[Round]) -> list[float]:
    """The share of the pool that rejection kept in each round that it took part in."""
    return [each.kept_fraction for each in rounds if np.isfinite(each.kept_fraction)]


def phase_seconds(rounds: Sequence[Round]) -> dict[str, float]:
    """The mean seconds of a round's phases."""
    return {phase: sum(each.seconds.get(phase, 0.0) for each in rounds) / max(1, len(rounds)) for phase in PHASES}
