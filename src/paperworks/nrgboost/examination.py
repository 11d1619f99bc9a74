"""One table and one seed: every contender fitted, its forecasts judged, its samples used, told apart and looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from paperworks.lab import timing

from . import datasets, hidden_cells, pictures
from .contenders import (
    DISCRIMINATIVE,
    FORESTS,
    NRGBOOST,
    Generative,
    ModelSizes,
    features_and_target,
    fit_discriminative,
    fit_forest_contender,
    fit_nrgboost,
    foretell,
    judge,
    judge_calibrated,
    plain_learner,
    timed,
)
from .datasets import Split
from .density import NRGBoostDensity
from .diagnostics import discriminator_auc
from .generators import SIMPLE
from .refreshing import kept_shares, phase_seconds

__all__ = ["REAL", "examine"]

REAL = "real rows"
"""What samples are held against: the rows that were learnt from."""


def examine(
    *, table: str, rows: int, samples: int, seed: int, sizes: ModelSizes, looks: tuple[str, ...], threads: int
) -> dict[str, Any]:
    """Fit every contender to the split of ``seed`` and measure what ``looks`` asks for.

    Returns ``scores``, by model what `judge` found and the seconds of fitting and of foretelling, and for NRGBoost what
    `judge_calibrated` found of a number; ``training``, the number of trees and of leaves allowed, the share of the pool
    that each round from the third kept, and the seconds of each phase; and of ``looks`` those asked for: "samples" (by
    generator, that draws ``samples`` rows or as many as there are to learn from, a learner's score and the area under a
    discriminator's curve), "pictures" and "holes".
    """
    split = datasets.split(datasets.load(table, rows), seed)
    with timing.threads(1):  # scikit-learn's boosting waits busily for its threads, far longer than they save here
        return _examine(split, samples, seed, sizes, looks, threads)


def _examine(
    split: Split, samples: int, seed: int, sizes: ModelSizes, looks: tuple[str, ...], threads: int
) -> dict[str, Any]:
    scores: dict[str, Any] = {}

    def score(name: str, fit: Callable[[], Any]) -> Any:
        model, seconds = timed(fit)
        forecast, foretelling = timed(lambda: foretell(model, split.test, split.validation))
        scores[name] = {**judge(forecast, split.test), "fit_s": seconds, "foretell_s": foretelling}
        return model

    joint = score(NRGBOOST, partial(fit_nrgboost, split, sizes, seed, threads))
    if "coverage" in scores[NRGBOOST]:
        scores[NRGBOOST]["calibrated"] = judge_calibrated(joint, split.test, split.validation)
    score(DISCRIMINATIVE, partial(fit_discriminative, split, sizes, seed))
    forests = {
        name: score(name, partial(fit_forest_contender, split, sizes, criterion, seed, threads))
        for name, criterion in FORESTS.items()
    }
    found = {"scores": scores, "training": _training(joint)}
    if "samples" in looks:
        found["samples"] = _sample_quality(split, joint, forests, min(samples, len(split.train)), seed)
    if "pictures" in looks:
        found["pictures"] = pictures.draw_and_check(split, joint, forests, seed)
    if "holes" in looks:
        found["holes"] = hidden_cells.errors(split, joint, seed)
    return found


def _training(joint: NRGBoostDensity) -> dict[str, Any]:
    return {
        "rounds": joint.n_rounds_,
        "leaves": joint.max_leaf_nodes,
        "kept": kept_shares(joint.rounds_),
        "phases": phase_seconds(joint.rounds_),
    }


def _sample_quality(
    split: Split, joint: NRGBoostDensity, forests: Mapping[str, Generative], count: int, seed: int
) -> dict[str, dict[str, float]]:
    """By generator: how a learner does on real rows that saw ``count`` samples alone, and how they are told from rows
    that nobody has learnt from."""
    tables: dict[str, pd.DataFrame] = {
        REAL: split.train.sample(count, random_state=seed),
        NRGBOOST: joint.sample(count, random_state=seed),
        **{name: forest.sample(count, random_state=seed) for name, forest in forests.items()},
        **{
            name: draw(split.train, count, np.random.default_rng([seed, place]))
            for place, (name, draw) in enumerate(SIMPLE.items())
        },
    }
    features, target = features_and_target(split.test)
    return {
        name: {
            "learner": float(plain_learner(sample, seed).score(features, target)),
            "discriminator": discriminator_auc(split.test, sample, seed=seed),
        }
        for name, sample in tables.items()
    }
