"""Fitting as the command line does it: rows held out to stop by, the samples measured on them, a summary of it all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from .density import NRGBoostDensity
from .fitting import Progress
from .quality import measure


def fit_and_measure(
    model: NRGBoostDensity, table: Any, *, hold_out: float, source: str, progress: Progress | None = None
) -> NRGBoostDensity:
    """Fit ``model`` to ``table`` less a share ``hold_out`` of its rows; what is measured goes to ``model.notes_``.

    Without rows held out, samples are measured against those of training. After Ctrl-C nothing is measured.
    """
    training, held_out = _split(table, hold_out, model.random_state)
    model.fit(training, X_val=held_out, progress=progress)
    model.notes_ = {
        "source": source,
        "training_rows": len(training),
        "held_out_rows": 0 if held_out is None else len(held_out),
        "target": model.scoring,
    }
    if model.ended_ != "interrupted":
        model.notes_["quality"] = measure(
            model,
            training if held_out is None else held_out,
            held_out=held_out is not None,
            seed=model.random_state,
            progress=progress,
        )
    return model


def summary(model: NRGBoostDensity) -> dict[str, Any]:
    """The facts about a fit, for the screen."""
    quality = model.notes_.get("quality", {})
    return {
        "training_rows": model.notes_["training_rows"],
        "held_out_rows": model.notes_["held_out_rows"],
        "columns": len(model.model_.encoder.columns),
        "trees": model.n_rounds_,
        "ended": model.ended_,
        "held_out_score": max(model.validation_scores_) if model.validation_scores_ else None,
        "discriminator_auc": quality.get("discriminator_auc"),
        "largest_marginal_distance": max(quality["marginal_distances"].values()) if quality else None,
        "r_hat": quality.get("r_hat"),
    }


def _split(table: Any, share: float, seed: int) -> tuple[Any, Any]:
    """The rows to train on and those held out, at least one of each; None where the share is 0."""
    if share == 0:
        return table, None
    count = max(1, round(share * len(table)))
    if count >= len(table):
        raise ValueError(f"{len(table)} row(s) are too few to hold some out; give --hold-out 0")
    held_out = np.zeros(len(table), dtype=bool)
    held_out[np.random.default_rng(seed).permutation(len(table))[:count]] = True
    if isinstance(table, pa.Table):
        return table.filter(pa.array(~held_out)), table.filter(pa.array(held_out))
    return table[~held_out].reset_index(drop=True), table[held_out].reset_index(drop=True)
