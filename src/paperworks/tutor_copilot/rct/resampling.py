"""p-values without a normal approximation: many outcomes at once (Romano-Wolf), few clusters, and by re-assignment.

All need no refit. Under the null an outcome's score in a cluster is S = sum of residual treatment times residual
outcome; flipping the signs of whole clusters gives the bootstrap's draws as one product of matrices (7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .effects import itt_of
from .regression import Floats, Indices, Regression, groups_of

__all__ = ["Adjusted", "randomization", "romano_wolf", "score_bootstrap"]

_DRAWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """One outcome's p-values: of t, of the bootstrap alone, and adjusted for all outcomes (Romano and Wolf 2005)."""

    outcome: str
    t: float
    p: float
    p_bootstrap: float
    p_romano_wolf: float


def romano_wolf(models: Sequence[Regression], reps: int = 1000, seed: int = 0) -> list[Adjusted]:
    """Step-down p-values that hold the chance of any false finding among all ``models`` (outcomes).

    Clusters are matched by name, so outcomes may be missing in different rows. Signs are Rademacher's, the statistic is
    the studentised score under the null. Raises ValueError without a model, for models that are clustered by different
    columns, and for fewer than 99 draws.
    """
    if not models:
        raise ValueError("romano_wolf needs at least one regression")
    if len({model.cluster_column for model in models}) > 1:
        raise ValueError("all outcomes must be clustered by the same column")
    if reps < 99:
        raise ValueError(f"reps={reps} draws are too few for a p-value; 99 is the least")
    scores = _scores(models)
    observed = _studentised(np.ones((1, len(scores))), scores)[0]
    drawn = _draws(scores, reps, np.random.default_rng(seed))
    alone = (1 + (drawn >= observed - 1e-12).sum(axis=0)) / (1 + reps)
    adjusted = _step_down(observed, drawn)
    estimates = [itt_of(model) for model in models]
    return [
        Adjusted(outcome=model.outcome, t=estimate.t, p=estimate.p, p_bootstrap=float(one), p_romano_wolf=float(all_))
        for model, estimate, one, all_ in zip(models, estimates, alone, adjusted, strict=True)
    ]


def score_bootstrap(model: Regression, reps: int = 1999, seed: int = 0) -> float:
    """The p-value of one effect by the wild cluster (score) bootstrap with the null imposed, for few clusters."""
    return romano_wolf([model], reps, seed)[0].p_bootstrap


def randomization(model: Regression, strata: Sequence[str] = (), reps: int = 1999, seed: int = 0) -> float:
    """The p-value of no effect on anyone, by assigning the units again as they were: within ``strata``, same numbers.

    The statistic is the covariance of the arm and the residualised outcome. It is exact whatever the outcome's
    distribution. Raises ValueError for strata that vary within a unit.
    """
    units, place = np.unique(model.rows[model.unit].to_numpy(), return_inverse=True)
    sums = np.bincount(place, weights=model.residual_y)
    table = model.rows.drop_duplicates(model.unit).set_index(model.unit).loc[units]
    arm = table[model.treat].to_numpy(np.float64)
    groups = _strata(model, strata, table)
    rng = np.random.default_rng(seed)
    observed = abs(float(_centred(arm, groups) @ sums))
    more = 0
    for _ in range(reps):
        keys = rng.random(len(arm))
        drawn = np.empty_like(arm)
        drawn[np.lexsort((np.arange(len(arm)), groups))] = arm[np.lexsort((keys, groups))]
        more += abs(float(_centred(drawn, groups) @ sums)) >= observed - 1e-12
    return (1 + more) / (1 + reps)


def _strata(model: Regression, strata: Sequence[str], table: pd.DataFrame) -> Indices:
    for name in strata:
        if (model.rows.groupby(model.unit)[name].nunique(dropna=False) > 1).any():
            raise ValueError(f"{name!r} varies within units, so they were not assigned within it")
    return groups_of(table, strata)


def _centred(arm: Floats, groups: Indices) -> Floats:
    means = np.bincount(groups, weights=arm) / np.maximum(np.bincount(groups), 1)
    return arm - means[groups]


def _scores(models: Sequence[Regression]) -> Floats:
    """The scores under the null [clusters, outcomes]; 0 where a cluster has no row with the outcome."""
    columns = {}
    for place, model in enumerate(models):
        score = pd.Series(model.residual_z * model.residual_y)
        columns[place] = score.groupby(model.rows[model.cluster_column].to_numpy()).sum()
    return pd.DataFrame(columns).fillna(0.0).to_numpy()


def _studentised(signs: Floats, scores: Floats) -> Floats:
    return np.abs(signs @ scores) / np.sqrt((scores**2).sum(axis=0))


def _draws(scores: Floats, reps: int, rng: np.random.Generator) -> Floats:
    """The statistics [reps, outcomes] with random signs."""
    parts = []
    for start in range(0, reps, _DRAWS_AT_ONCE):
        count = min(_DRAWS_AT_ONCE, reps - start)
        signs = rng.integers(0, 2, size=(count, len(scores))).astype(np.float64) * 2 - 1
        parts.append(_studentised(signs, scores))
    return np.concatenate(parts)


def _step_down(observed: Floats, drawn: Floats) -> Floats:
    """Adjusted p-values: each outcome against the maximum of those not yet ahead of it, never falling."""
    order = np.argsort(-observed)
    maxima = np.maximum.accumulate(drawn[:, order][:, ::-1], axis=1)[:, ::-1]
    p = (1 + (maxima >= observed[order] - 1e-12).sum(axis=0)) / (1 + len(drawn))
    adjusted = np.empty_like(observed)
    adjusted[order] = np.maximum.accumulate(p)
    return adjusted
