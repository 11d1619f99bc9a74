"""Whether the arms were alike before the trial, and whether equally many are missing after it (2.2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .effects import itt
from .estimate import Estimate

__all__ = ["attrition", "balance"]


def balance(
    frame: pd.DataFrame,
    covariates: Sequence[str],
    treat: str = "arm",
    *,
    cluster: str = "tutor",
    unit: str = "tutor_id",
) -> pd.DataFrame:
    """A row for each covariate, or each of its categories: both arms' means, their difference in pooled standard
    deviations, and its p-value with errors by cluster.

    A category's mean is its share; missing is a category where there is any. Raises what `Regression` raises.
    """
    rows = []
    for name in covariates:
        for label, values in _indicators(frame[name], name):
            table = frame[[treat, unit, *_others(frame, cluster, treat, unit)]].assign(value=values)
            estimate = itt(table, "value", treat, cluster=cluster, missing="drop", unit=unit)
            treated, control = values[frame[treat] == 1].dropna(), values[frame[treat] == 0].dropna()
            pooled = float(np.sqrt((treated.var() + control.var()) / 2))
            difference = float(treated.mean() - control.mean())
            rows.append(
                {
                    "covariate": label,
                    "treatment": float(treated.mean()),
                    "control": float(control.mean()),
                    "standardised": difference / pooled if pooled else 0.0,
                    "p": estimate.p if estimate.se > 0 else 1.0,
                }
            )
    return pd.DataFrame(rows)


def attrition(
    frame: pd.DataFrame, outcome: str, treat: str = "arm", *, cluster: str = "tutor", unit: str = "tutor_id"
) -> Estimate:
    """The effect of assignment on the outcome's being missing: far from 0, `itt` with missing="drop" is biased."""
    name = f"{outcome} is missing"
    return itt(frame.assign(**{name: frame[outcome].isna().astype(float)}), name, treat, cluster=cluster, unit=unit)


def _others(frame: pd.DataFrame, cluster: str, treat: str, unit: str) -> list[str]:
    wanted = ["student_tutor", "tutor_id", cluster]
    return [name for name in dict.fromkeys(wanted) if name in frame.columns and name not in (treat, unit)]


def _indicators(column: pd.Series, name: str) -> list[tuple[str, pd.Series]]:
    """A number as it is; a factor as one share for each category."""
    is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if is_number:
        return [(name, column.astype(float))]
    named = column.astype(object).where(column.notna(), "missing").astype(str)
    levels = sorted(named.unique())
    return [(f"{name}: {level}", (named == level).astype(float)) for level in levels]
