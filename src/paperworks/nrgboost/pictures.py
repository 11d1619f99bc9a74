"""Handwritten digits drawn for a given class: pictures to look at, and whether a classifier sees that class in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.svm import SVC

from .contenders import NRGBOOST, Generative, features_and_target
from .datasets import TARGET, Split
from .density import NRGBoostDensity

__all__ = ["UNCONDITIONAL", "draw_and_check"]

UNCONDITIONAL = "NRGBoost, no class given"
"""The name of pictures for which no class was given."""

_PER_CLASS = 20
_SHOWN = 4
_POOL = 50


def draw_and_check(
    split: Split, joint: NRGBoostDensity, forests: Mapping[str, Generative], seed: int
) -> dict[str, dict[str, Any]]:
    """Under ``agreement``, by model, the share of pictures that a support vector machine assigns to the class given.

    ``images`` has pictures to show, by model, [4, K, pixels], a column for each of the K classes; the real digits
    among them, and under `UNCONDITIONAL` as many that NRGBoost drew without a class.
    """
    features, target = features_and_target(split.train)
    classes = np.unique(target)
    reader = SVC(C=10.0).fit(features, target)
    drawn = {NRGBOOST: joint.sample(len(classes) * _PER_CLASS, given={TARGET: _each(classes)}, random_state=seed)}
    for name, forest in forests.items():
        drawn[name] = _of_each_class(forest.sample(len(classes) * _PER_CLASS * _POOL, random_state=seed), classes)
    agreement = {name: float(reader.score(*features_and_target(rows))) for name, rows in drawn.items()}
    images = {name: _shown(rows, classes) for name, rows in {"real digits": split.test, **drawn}.items()}
    free = joint.sample(_SHOWN * len(classes), random_state=seed + 1)
    images[UNCONDITIONAL] = features_and_target(free)[0].astype(np.uint8).reshape(_SHOWN, len(classes), -1)
    return {
        "agreement": {**agreement, "real digits": float(reader.score(*features_and_target(split.test)))},
        "images": images,
    }


def _each(classes: np.ndarray[Any, Any]) -> list[Any]:
    return list(np.tile(classes, _PER_CLASS))


def _of_each_class(rows: pd.DataFrame, classes: np.ndarray[Any, Any]) -> pd.DataFrame:
    """As many of each class: exact draws given the class, since ``rows`` are exact draws."""
    return pd.concat([rows[rows[TARGET] == label].head(_PER_CLASS) for label in classes])


def _shown(rows: pd.DataFrame, classes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Four pictures of each class, [4, K, pixels]."""
    columns = [features_and_target(rows[rows[TARGET] == label].head(_SHOWN))[0] for label in classes]
    return np.stack(columns, axis=1).astype(np.uint8)
