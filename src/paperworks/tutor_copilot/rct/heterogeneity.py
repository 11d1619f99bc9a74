"""For whom the treatment works: effects by thirds of what is known of tutors (2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
import pandas as pd
from scipy import linalg, stats

from .covariates import columns_of
from .estimate import Estimate
from .regression import Design, Floats, Projection, Regression, groups_of, sandwich

__all__ = ["Heterogeneity", "Moderator", "bins_of", "heterogeneity", "heterogeneity_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moderator:
    """The effects by bins of one moderator, lowest first, and the p-value of their all being equal (Wald's F)."""

    name: str
    effects: tuple[Estimate, ...]
    edges: tuple[float, ...]
    p_equal: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Heterogeneity:
    """The effects by each moderator, all from one regression."""

    moderators: tuple[Moderator, ...]

    def __getitem__(self, name: str) -> Moderator:
        return next(each for each in self.moderators if each.name == name)


def heterogeneity(
    frame: pd.DataFrame,
    outcome: str,
    treat: str = "arm",
    *,
    by: str | Sequence[str],
    bins: int = 3,
    impute_from: Sequence[str] = (),
    **design: Unpack[Design],
) -> Heterogeneity:
    """The effect of assignment in each of ``bins`` equal parts of the units, by one moderator or by several at once.

    Bins hold equally many units (tutors), not rows. A unit without a rating gets a regression's prediction from its
    ``impute_from`` (the trial: gender and months of experience). One regression has the interactions with the bins of
    all moderators; the effect in a bin is averaged over the rows' shares of the other moderators' bins.

    Raises ValueError, beside what `Regression` raises, for a moderator that varies within a unit, that is missing with
    nothing to predict it from, or that has fewer distinct values than bins.
    """
    regression = Regression(frame, outcome, treat, **design)
    return heterogeneity_of(regression, [by] if isinstance(by, str) else list(by), bins, impute_from)


def heterogeneity_of(
    regression: Regression, names: Sequence[str], bins: int = 3, impute_from: Sequence[str] = ()
) -> Heterogeneity:
    """`heterogeneity` of a regression that is there already, by the moderators ``names``."""
    rows, unit = regression.rows, regression.unit
    binned = [bins_of(rows, name, bins=bins, unit=unit, impute_from=impute_from) for name in names]
    codes = [code for code, _ in binned]
    mains = np.hstack([np.eye(bins)[code][:, 1:] for code in codes])
    interactions = [np.eye(bins)[code][:, 1:] * regression.z[:, None] for code in codes]
    projection = Projection(
        np.hstack([columns_of(rows, regression.covariates), mains]), groups_of(rows, regression.fixed_effects)
    )
    regressors = projection.residual(np.hstack([regression.z[:, None], *interactions]))
    y = projection.residual(regression.y)
    coefficients, *_ = np.linalg.lstsq(regressors, y, rcond=None)
    scores = regressors * (y - regressors @ coefficients)[:, None]
    variance = sandwich(regressors, scores, regression.clusters, projection.rank + regressors.shape[1])
    shares = [np.bincount(code, minlength=bins)[1:] / len(code) for code in codes]
    moderators = []
    for place, (name, (code, edges)) in enumerate(zip(names, binned, strict=True)):
        contrasts = np.stack([_contrast(shares, place, each, bins) for each in range(bins)])
        effects = tuple(
            _effect(regression, contrast, coefficients, variance, code == each, f"{name}, part {each + 1} of {bins}")
            for each, contrast in enumerate(contrasts)
        )
        p = _equal(contrasts, coefficients, variance, regression.n_clusters)
        moderators.append(Moderator(name=name, effects=effects, edges=edges, p_equal=p))
    return Heterogeneity(moderators=tuple(moderators))


def bins_of(
    rows: pd.DataFrame, name: str, *, bins: int, unit: str = "tutor_id", impute_from: Sequence[str] = ()
) -> tuple[np.ndarray[Any, np.dtype[np.intp]], tuple[float, ...]]:
    """The bin of each row [n], 0 the lowest, and the inner edges, which part the units evenly."""
    units = rows.drop_duplicates(unit).set_index(unit)
    varying = rows.groupby(unit)[name].nunique(dropna=False)
    if (varying > 1).any():
        raise ValueError(
            f"{name!r} varies within {int((varying > 1).sum())} units: {varying.index[varying > 1][0]}, ..."
        )
    values = units[name].to_numpy(np.float64)
    if np.isnan(values).any():
        if not impute_from:
            raise ValueError(f"{name!r} is missing for {int(np.isnan(values).sum())} units; give impute_from=")
        others = units[list(impute_from)].assign(**{name: values})
        values = columns_of(others, [*impute_from, name])[:, -1]
    edges = np.quantile(values, np.arange(1, bins) / bins)
    code = np.searchsorted(edges, values, side="left")
    if len(np.unique(code)) < bins:
        raise ValueError(f"{name!r} has too few distinct values for {bins} parts")
    of_unit = pd.Series(code, index=units.index)
    return of_unit.loc[rows[unit]].to_numpy(np.intp), tuple(edges.tolist())


def _contrast(shares: Sequence[Floats], place: int, part: int, bins: int) -> Floats:
    """The weights of the coefficients in the effect of one part of one moderator."""
    weights = [np.ones(1)]
    for each, share in enumerate(shares):
        weights.append(np.eye(bins)[part][1:] if each == place else share)
    return np.concatenate(weights)


def _effect(
    regression: Regression, contrast: Floats, coefficients: Floats, variance: Floats, inside: Any, term: str
) -> Estimate:
    value = float(contrast @ coefficients)
    y, z = regression.y[inside], regression.z[inside]
    return Estimate(
        estimator="ITT",
        outcome=regression.outcome,
        term=term,
        value=value,
        se=float(np.sqrt(contrast @ variance @ contrast)),
        df=regression.n_clusters - 1,
        n=int(inside.sum()),
        clusters=len(np.unique(regression.clusters[inside])),
        control=float(y.mean() - value * z.mean()),
    )


def _equal(contrasts: Floats, coefficients: Floats, variance: Floats, clusters: int) -> float:
    """The p-value of all effects being equal: Wald's statistic over its rank, against F."""
    differences = contrasts[1:] - contrasts[:1]
    distance = differences @ coefficients
    statistic = float(distance @ linalg.solve(differences @ variance @ differences.T, distance))
    return float(stats.f.sf(statistic / len(distance), len(distance), clusters - 1))
