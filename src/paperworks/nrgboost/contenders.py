"""The models that the claims compare, each fitted to one split of a table, its trees' size chosen by held-out rows."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning

from .conformal import calibrate_intervals
from .datasets import TARGET, Split
from .density import NRGBoostDensity
from .forecasts import ClassForecast, NormalForecast, judge_classes, judge_intervals, judge_numbers
from .forest import DensityForest

__all__ = [
    "DISCRIMINATIVE",
    "FORESTS",
    "NRGBOOST",
    "ModelSizes",
    "features_and_target",
    "fit_discriminative",
    "fit_forest_contender",
    "fit_nrgboost",
    "foretell",
    "judge",
    "judge_calibrated",
    "plain_learner",
    "timed",
]

NRGBOOST = "NRGBoost"
DISCRIMINATIVE = "gradient boosting"
Criterion: TypeAlias = Literal["likelihood", "brier"]
FORESTS: dict[str, Criterion] = {
    "density forest, likelihood": "likelihood",
    "density forest, Brier": "brier",
}
"""The names by which models are listed, and the forests' criteria."""

_DISCRIMINATIVE_ROUNDS = 500
_PATIENCE = 20  # a hundred held-out rows score noisily from round to round
_SMALL_TABLE = 1000

M = TypeVar("M")
Generative: TypeAlias = NRGBoostDensity | DensityForest
Discriminative: TypeAlias = HistGradientBoostingClassifier | HistGradientBoostingRegressor


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSizes:
    """How large models become.

    ``rounds``: NRGBoost's trees, at most. ``leaves``: the sizes of them that are tried, and ``leaves_if_small`` on
    tables with fewer than a thousand rows to learn from. ``pool``: its model samples. ``forest_trees`` and
    ``forest_leaves``: a forest's trees, and the sizes tried. ``discriminative_leaves``: those tried for discriminative
    gradient boosting. Of several sizes the held-out rows choose.
    """

    rounds: int
    leaves: tuple[int, ...]
    leaves_if_small: tuple[int, ...]
    pool: int
    forest_trees: int
    forest_leaves: tuple[int, ...]
    discriminative_leaves: tuple[int, ...]


def fit_nrgboost(split: Split, sizes: ModelSizes, seed: int, threads: int) -> NRGBoostDensity:
    """The joint model of the whole table, stopped when the target is no longer better foretold."""
    leaves = sizes.leaves_if_small if len(split.train) < _SMALL_TABLE else sizes.leaves

    def fit(max_leaves: int) -> NRGBoostDensity:
        model = NRGBoostDensity(
            n_estimators=sizes.rounds,
            max_leaf_nodes=max_leaves,
            n_model_samples=sizes.pool,
            early_stopping=True,
            n_iter_no_change=_PATIENCE,
            scoring=TARGET,
            n_jobs=threads,
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # no split left: another way to end early
            return model.fit(split.train, X_val=split.validation)

    return _best(leaves, fit, split.validation)


def fit_forest_contender(
    split: Split, sizes: ModelSizes, criterion: Criterion, seed: int, threads: int
) -> DensityForest:
    """A density forest of the whole table."""

    def fit(max_leaves: int) -> DensityForest:
        forest = DensityForest(
            n_estimators=sizes.forest_trees,
            max_leaf_nodes=max_leaves,
            criterion=criterion,
            n_jobs=threads,
            random_state=seed,
        )
        return forest.fit(split.train)

    return _best(sizes.forest_leaves, fit, split.validation)


def fit_discriminative(split: Split, sizes: ModelSizes, seed: int) -> Discriminative:
    """Gradient boosting that models the target alone, stopped early by the same rows."""

    def fit(max_leaves: int) -> Discriminative:
        model = _estimator(split.train)(
            max_iter=_DISCRIMINATIVE_ROUNDS,
            max_leaf_nodes=max_leaves,
            early_stopping=True,
            n_iter_no_change=_PATIENCE,
            random_state=seed,
        )
        return model.fit(
            *features_and_target(split.train),
            **dict(zip(("X_val", "y_val"), features_and_target(split.validation), strict=True)),
        )

    return _best(sizes.discriminative_leaves, fit, split.validation)


def plain_learner(rows: pd.DataFrame, seed: int) -> Discriminative:
    """Gradient boosting with scikit-learn's settings, learnt from ``rows`` [N, D + 1] without held-out ones."""
    return _estimator(rows)(early_stopping=False, random_state=seed).fit(*features_and_target(rows))


def foretell(model: Generative | Discriminative, rows: pd.DataFrame, known: pd.DataFrame) -> Any:
    """What the model says of the target of ``rows``: a forecast for `judge`.

    Where it gives means alone, they have normal errors as large as those on the rows ``known``.
    """
    if isinstance(model, NRGBoostDensity | DensityForest):
        return model.conditional(rows, TARGET)
    features, _ = features_and_target(rows)
    if isinstance(model, HistGradientBoostingClassifier):
        return ClassForecast(model.predict_proba(features), model.classes_)
    before, came = features_and_target(known)
    deviation = float(np.sqrt(np.mean((model.predict(before) - came) ** 2)))
    return NormalForecast(model.predict(features), deviation)


def judge(forecast: Any, rows: pd.DataFrame) -> dict[str, Any]:
    """How well ``forecast`` foretold the target of ``rows``; see `judge_classes` and `judge_numbers`."""
    came = rows[TARGET].to_numpy()
    is_class = isinstance(rows[TARGET].dtype, pd.CategoricalDtype)
    return judge_classes(forecast, came) if is_class else judge_numbers(forecast, came)


def judge_calibrated(model: Generative, rows: pd.DataFrame, held_out: pd.DataFrame) -> dict[str, Any]:
    """`judge_intervals` of the target's intervals on ``rows``, calibrated by the rows ``held_out``."""
    calibrated = calibrate_intervals(model.conditional(held_out, TARGET), held_out[TARGET])
    return judge_intervals(partial(calibrated.interval, model.conditional(rows, TARGET)), rows[TARGET].to_numpy())


def timed(act: Callable[[], M]) -> tuple[M, float]:
    """What ``act`` returns, and its seconds."""
    began = time.perf_counter()
    return act(), time.perf_counter() - began


def features_and_target(rows: pd.DataFrame) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The rows' features [N, D] as floats, and their target [N]."""
    return rows.drop(columns=TARGET).to_numpy(dtype=np.float64), rows[TARGET].to_numpy()


def _estimator(rows: pd.DataFrame) -> partial[Discriminative]:
    is_class = isinstance(rows[TARGET].dtype, pd.CategoricalDtype)
    return partial(HistGradientBoostingClassifier if is_class else HistGradientBoostingRegressor)


def _best(sizes: Sequence[int], fit: Callable[[int], M], validation: pd.DataFrame) -> M:
    """The model whose size gives the held-out target the smallest loss."""
    models: Iterable[M] = [fit(size) for size in sizes]
    return min(models, key=lambda model: judge(foretell(model, validation, validation), validation)["loss"])
