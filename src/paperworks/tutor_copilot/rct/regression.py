"""Least squares with covariates and fixed effects taken out once, and standard errors by cluster (2.2, 7).

By the theorem of Frisch, Waugh and Lovell the coefficients of the treatment are those of a regression of the
residualised outcome on the residualised treatment, so everything here is done on residuals: the estimate, its sandwich
variance, the instrument, and the bootstrap, which then needs no refit.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias, TypedDict

import numpy as np
import pandas as pd
from scipy import linalg

from .covariates import Floats, columns_of
from .estimate import Estimate

__all__ = [
    "CLUSTERS",
    "Design",
    "Floats",
    "Indices",
    "Missing",
    "Projection",
    "Regression",
    "groups_of",
    "numbers",
    "sandwich",
]

Indices: TypeAlias = "np.ndarray[Any, np.dtype[np.intp]]"
Missing = Literal["error", "drop"]


class Design(TypedDict, total=False):
    """How an outcome is regressed, as keyword arguments: the fields of `Regression` after its treatment."""

    cluster: str
    covariates: Sequence[str]
    fixed_effects: Sequence[str]
    missing: Missing
    unit: str


CLUSTERS = {"tutor": "tutor_id", "pair": "student_tutor"}
"""Short names of the exported columns that errors are clustered by."""
_FEWEST_CLUSTERS, _FEW_CLUSTERS = 10, 40
_COLLINEAR = 1e-9


class Projection:
    """What covariates [n, p] and fixed effects explain, to be taken out of any variable.

    ``groups`` [n] numbers the groups of a fixed effect; all 0 is a constant alone. ``rank`` counts the parameters taken
    out: groups, and covariates that are not combinations of others.
    """

    def __init__(self, covariates: Floats, groups: Indices) -> None:
        self._groups = groups
        self._sizes = np.bincount(self._groups).astype(np.float64)
        self._basis = _basis(self._within(covariates), covariates)
        self.rank = len(self._sizes) + self._basis.shape[1]

    def residual(self, values: Floats) -> Floats:
        """``values`` [n] or [n, m] less what is explained."""
        inside = self._within(values)
        return inside - self._basis @ (self._basis.T @ inside)

    def _within(self, values: Floats) -> Floats:
        """``values`` less the mean of their group."""
        columns = values[:, None] if values.ndim == 1 else values
        sums = _sums(columns, self._groups, len(self._sizes))
        inside: Floats = (columns - (sums / self._sizes[:, None])[self._groups]).reshape(values.shape)
        return inside


def _basis(inside: Floats, outside: Floats) -> Floats:
    """Orthonormal columns with the span of ``inside`` [n, p]; what lies in the span of the others is left out."""
    if inside.shape[1] == 0:
        return inside
    scale = np.maximum(np.linalg.norm(outside, axis=0), 1.0)
    q, r, _ = linalg.qr(inside / scale, mode="economic", pivoting=True)
    diagonal = np.abs(np.diag(r))
    return np.ascontiguousarray(q[:, diagonal > _COLLINEAR])


def _sums(values: Floats, groups: Indices, count: int) -> Floats:
    """The sums [count, m] of ``values`` [n, m] in each group."""
    sums = np.zeros((count, values.shape[1]))
    for place, column in enumerate(values.T):
        sums[:, place] = np.bincount(groups, weights=column, minlength=count)
    return sums


def sandwich(regressors: Floats, scores: Floats, clusters: Indices, parameters: int) -> Floats:
    """The cluster-robust variance [k, k] of coefficients of ``regressors`` [n, k], "CR1".

    ``scores`` [n, k] are the regressors (or instruments) times the residual. The factor for few clusters is
    G / (G - 1) * (n - 1) / (n - parameters), as in Stata and statsmodels.
    """
    n, groups = len(scores), int(clusters.max()) + 1
    by_cluster = _sums(scores, clusters, groups)
    bread = linalg.inv(regressors.T @ regressors)
    factor = groups / (groups - 1) * (n - 1) / (n - parameters)
    variance: Floats = factor * bread @ (by_cluster.T @ by_cluster) @ bread
    return variance


@dataclass(frozen=True, eq=False)
class Regression:
    """An outcome on a treatment, with covariates, fixed effects and clusters; a row is a session.

    ``treat`` is the assigned arm, 0 or 1, which must not vary within a ``unit`` of assignment. ``cluster`` names a
    column, or is "tutor" or "pair" for those of an export. ``covariates`` enter as `columns_of` has them, and every
    combination of ``fixed_effects`` as a group. ``missing`` says what is done with rows that have no outcome: "error"
    refuses them, "drop" leaves them out, as the trial does for exit tickets that were not attempted.

    Raises KeyError for a column that is not there, and ValueError for missing outcomes, an arm without rows, a
    treatment that varies within a unit, or fewer than 10 clusters; fewer than 40 give a warning.
    """

    frame: pd.DataFrame
    outcome: str
    treat: str
    cluster: str = "tutor"
    covariates: Sequence[str] = ()
    fixed_effects: Sequence[str] = ()
    missing: Missing = "error"
    unit: str = "tutor_id"

    def __post_init__(self) -> None:
        wanted = [self.outcome, self.treat, self.cluster_column, self.unit, *self.covariates, *self.fixed_effects]
        absent = [name for name in wanted if name not in self.frame.columns]
        if absent:
            raise KeyError(f"the table has no column {absent[0]!r}; it has {', '.join(map(str, self.frame.columns))}")
        if self.missing not in ("error", "drop"):
            raise ValueError(f"missing={self.missing!r} is neither 'error' nor 'drop'")
        lacking = int(self.frame[self.outcome].isna().sum())
        if lacking and self.missing == "error":
            raise ValueError(
                f"{self.outcome!r} is missing in {lacking} of {len(self.frame)} rows; missing='drop' leaves them out"
            )
        _check_treatment(self.rows, self.treat, self.unit)
        _check_clusters(self.n_clusters, self.cluster_column)

    @property
    def cluster_column(self) -> str:
        """The column that errors are clustered by."""
        return self.cluster if self.cluster in self.frame.columns else CLUSTERS.get(self.cluster, self.cluster)

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The rows that have an outcome."""
        return self.frame[self.frame[self.outcome].notna()]

    @cached_property
    def clusters(self) -> Indices:
        """The number of each row's cluster [n]."""
        return np.asarray(pd.factorize(self.rows[self.cluster_column])[0], dtype=np.intp)

    @cached_property
    def n_clusters(self) -> int:
        """How many clusters there are."""
        return int(self.rows[self.cluster_column].nunique(dropna=False))

    @cached_property
    def projection(self) -> Projection:
        """The covariates and fixed effects, to be taken out."""
        return Projection(columns_of(self.rows, self.covariates), groups_of(self.rows, self.fixed_effects))

    @cached_property
    def y(self) -> Floats:
        """The outcome [n], as numbers."""
        return numbers(self.rows, self.outcome)

    @property
    def is_binary(self) -> bool:
        """Whether the outcome is 0 or 1 in every row."""
        return set(np.unique(self.y)) <= {0.0, 1.0}

    @cached_property
    def z(self) -> Floats:
        """The assigned arm [n]."""
        return numbers(self.rows, self.treat)

    @cached_property
    def residual_y(self) -> Floats:
        """The outcome [n] less what covariates and fixed effects explain."""
        return self.projection.residual(self.y)

    @cached_property
    def residual_z(self) -> Floats:
        """The assigned arm [n] less what covariates and fixed effects explain."""
        residual = self.projection.residual(self.z)
        if np.linalg.norm(residual) < 1e-8 * np.linalg.norm(self.z):
            raise ValueError(f"{self.treat!r} follows from covariates and fixed effects: it has no effect of its own")
        return residual

    def estimate(self, value: float, variance: float, *, estimator: str, term: str, regressor: Floats) -> Estimate:
        """The coefficient of ``regressor`` [n] with this regression's counts, and clusters - 1 degrees of freedom."""
        return Estimate(
            estimator=estimator,
            outcome=self.outcome,
            term=term,
            value=float(value),
            se=float(np.sqrt(variance)),
            df=self.n_clusters - 1,
            n=len(self.rows),
            clusters=self.n_clusters,
            control=float(self.y.mean() - value * regressor.mean()),
        )


def groups_of(rows: pd.DataFrame, names: Sequence[str]) -> Indices:
    """The number of each row's combination of the columns ``names`` [n]; all 0 without any."""
    if not names:
        return np.zeros(len(rows), dtype=np.intp)
    return np.asarray(rows.groupby(list(names), dropna=False).ngroup(), dtype=np.intp)


def numbers(rows: pd.DataFrame, column: str) -> Floats:
    """A column as float64. Raises ValueError where it holds something else."""
    try:
        return rows[column].to_numpy(dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{column!r} must hold numbers, and holds {rows[column].dtype}") from None


def _check_treatment(rows: pd.DataFrame, treat: str, unit: str) -> None:
    arms = set(rows[treat].unique())
    if not arms <= {0, 1}:
        raise ValueError(f"{treat!r} holds {sorted(map(str, arms))}; an arm is 0 or 1")
    if len(arms) < 2:
        raise ValueError(f"every row of {treat!r} is {int(next(iter(arms), 0))}: the other arm is empty")
    varying = rows.groupby(unit)[treat].nunique()
    offending = list(varying.index[varying > 1])
    if offending:
        named = ", ".join(map(str, offending[:5])) + (" ..." if len(offending) > 5 else "")
        raise ValueError(f"{treat!r} varies within {len(offending)} of the units {unit!r}: {named}")


def _check_clusters(clusters: int, column: str) -> None:
    if clusters < _FEWEST_CLUSTERS:
        raise ValueError(f"{clusters} clusters of {column!r} are too few for cluster-robust errors; 10 is the least")
    if clusters < _FEW_CLUSTERS:
        warnings.warn(
            f"{clusters} clusters of {column!r} are few: cluster-robust errors are too small below 40; "
            "use `score_bootstrap` or `randomization` for the p-value",
            stacklevel=4,
        )
