"""Cells that are hidden at random and filled in again, by NRGBoost and by scikit-learn's imputers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  (it makes IterativeImputer importable)
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.preprocessing import StandardScaler

from .binning import Floats
from .contenders import NRGBOOST
from .datasets import TARGET, Split
from .density import NRGBoostDensity

__all__ = ["HIDDEN", "errors"]

HIDDEN = 0.3
"""The share of the features' cells that are hidden."""

_MOST_ROWS = 200


def errors(split: Split, joint: NRGBoostDensity, seed: int) -> dict[str, float]:
    """By method, the root-mean-square error of hidden cells, in standard deviations of their columns.

    Up to 200 test rows lose 30 % of their features' cells, and keep their target, which everybody may use. Columns
    that do not vary are left out.
    """
    rows = split.test.head(_MOST_ROWS)
    names = [name for name in rows.columns if name != TARGET]
    hidden = np.random.default_rng([seed, 0]).random((len(rows), len(names))) < HIDDEN
    holes = rows.assign(**rows[names].astype(np.float64).mask(hidden))
    known = _numbers(split.train)
    scaler = StandardScaler().fit(known)  # distances between neighbours depend on the columns' units
    filled = {NRGBOOST: scaler.transform(_numbers(joint.impute(holes, method="mean", random_state=seed)))}
    for name, imputer in _peers(seed).items():
        filled[name] = imputer.fit(scaler.transform(known)).transform(scaler.transform(_numbers(holes)))
    true = scaler.transform(_numbers(rows))
    counted = np.column_stack([hidden & (known[:, :-1].std(axis=0) > 0), np.zeros(len(rows), dtype=bool)])
    return {name: float(np.sqrt(np.mean((values - true)[counted] ** 2))) for name, values in filled.items()}


def _peers(seed: int) -> dict[str, IterativeImputer | KNNImputer | SimpleImputer]:
    keep = {"keep_empty_features": True}
    return {
        "iterative imputer": IterativeImputer(random_state=seed, max_iter=20, **keep),
        "nearest neighbours": KNNImputer(n_neighbors=10, **keep),
        "column means": SimpleImputer(**keep),
    }


def _numbers(rows: pd.DataFrame) -> Floats:
    """The rows as numbers [N, D + 1], the target last; classes by their codes."""
    target = rows[TARGET]
    codes = target.cat.codes if isinstance(target.dtype, pd.CategoricalDtype) else target
    return np.column_stack([rows.drop(columns=TARGET).to_numpy(np.float64), codes])
