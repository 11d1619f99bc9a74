"""Covariates as the trial has them: factors with missing as a category of its own, numbers with missing predicted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

__all__ = ["columns_of"]

Floats: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"

_FEWEST_VALUES = 8
"""A column of fewer distinct whole numbers is a factor: codes of grades and yes-no flags."""


def columns_of(rows: pd.DataFrame, names: Sequence[str]) -> Floats:
    """The regressors [n, p] of the covariates ``names``, without a constant (2.2).

    Text, booleans, categories and columns of under 8 distinct whole numbers are factors: one indicator a level but the
    first, and missing is a level. In other numbers a missing value is the prediction of a regression on the factors and
    on the numbers that are never missing.
    """
    factors = [name for name in names if _is_factor(rows[name])]
    measured = [name for name in names if name not in factors]
    blocks = [_indicators(rows[name]) for name in factors]
    whole = [name for name in measured if not rows[name].isna().any()]
    blocks += [rows[name].to_numpy(np.float64)[:, None] for name in whole]
    known = np.hstack([np.empty((len(rows), 0)), *blocks])
    filled = [_predicted(rows[name].to_numpy(np.float64), known)[:, None] for name in measured if name not in whole]
    return np.hstack([known, *filled])


def _is_factor(column: pd.Series[Any]) -> bool:
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return True
    present = column.dropna()
    return present.nunique() < _FEWEST_VALUES and bool((present == present.round()).all())


def _indicators(column: pd.Series[Any]) -> Floats:
    codes, levels = pd.factorize(column, sort=True, use_na_sentinel=True)
    codes = np.where(codes < 0, len(levels), codes)
    _, codes = np.unique(codes, return_inverse=True)
    return np.eye(int(codes.max(initial=0)) + 1)[codes][:, 1:]


def _predicted(values: Floats, known: Floats) -> Floats:
    """``values`` with what is missing predicted by least squares from ``known`` and a constant."""
    there = ~np.isnan(values)
    if not there.any():
        return np.zeros_like(values)
    design = np.hstack([np.ones((len(values), 1)), known])
    coefficients, *_ = np.linalg.lstsq(design[there], values[there], rcond=None)
    return np.where(there, values, design @ coefficients)
