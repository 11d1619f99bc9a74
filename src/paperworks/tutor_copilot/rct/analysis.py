"""The whole analysis of a trial's sessions, in the order the paper reports it (2.2)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from .balance import attrition, balance
from .effects import OddsRatio, itt_of, logit_of, tot_of
from .estimate import Estimate
from .heterogeneity import Heterogeneity, heterogeneity_of
from .regression import Regression
from .resampling import Adjusted, randomization, romano_wolf
from .simulation import COVARIATES, FIXED_EFFECTS

__all__ = ["MODERATORS", "OUTCOMES", "Analysis", "Effect", "analyse"]

OUTCOMES = (
    "exit_ticket_passed_u",
    "exit_ticket_attempted",
    "exit_ticket_passed_c",
    "participation_points_std",
    "survey_understanding",
    "survey_can_learn",
    "survey_tutor_cared",
    "session_rating",
)
"""The exported outcomes; the first is the headline."""
MODERATORS = ("tutor_rating_prior", "tutor_experience_months")
_PREDICTORS = ("tutor_female", "tutor_experience_months")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One outcome: the effect of assignment, of use (None where use is not known), and its adjusted p-values.

    ``sd`` is the outcome's standard deviation in the control arm.
    """

    itt: Estimate
    tot: Estimate | None
    adjusted: Adjusted
    sd: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Analysis:
    """What `analyse` found. ``missing`` has the effect of assignment on each outcome's being missing."""

    sessions: int
    tutors: tuple[int, int]
    students: int
    cluster: str
    covariates: tuple[str, ...]
    fixed_effects: tuple[str, ...]
    effects: tuple[Effect, ...]
    odds: OddsRatio | None
    p_randomization: float
    thirds: Heterogeneity | None
    missing: tuple[Estimate, ...]
    balance: pd.DataFrame
    cautions: tuple[str, ...]

    @property
    def headline(self) -> Effect:
        """The first outcome's."""
        return self.effects[0]


def analyse(
    frame: pd.DataFrame,
    *,
    outcomes: Sequence[str] | None = None,
    treat: str = "arm",
    used: str = "used",
    cluster: str = "tutor",
    covariates: Sequence[str] | None = None,
    fixed_effects: Sequence[str] | None = None,
    moderators: Sequence[str] | None = None,
    strata: Sequence[str] = (),
    reps: int = 1000,
    seed: int = 0,
) -> Analysis:
    """Analyse sessions, a row each, with the columns of an export.

    Lists that are None take those of the paper that the table has. The first outcome is the headline: it alone gets
    the odds ratio, the thirds by ``moderators`` and the re-assignment within ``strata``. Rows without an outcome are
    left out for that outcome, and whether the arms differ in that is reported.

    Raises ValueError for a table without any outcome, and what `Regression` raises.
    """
    outcomes = _there(frame, OUTCOMES) if outcomes is None else tuple(outcomes)
    covariates = _there(frame, COVARIATES) if covariates is None else tuple(covariates)
    fixed_effects = _there(frame, FIXED_EFFECTS) if fixed_effects is None else tuple(fixed_effects)
    moderators = _there(frame, MODERATORS) if moderators is None else tuple(moderators)
    if not outcomes:
        raise ValueError(f"the table has none of the outcomes {', '.join(OUTCOMES)}; name one with outcomes=")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        models = [Regression(frame, name, treat, cluster, covariates, fixed_effects, "drop") for name in outcomes]
        uses = [tot_of(model, used) if used in frame.columns else None for model in models]
        headline = models[0]
        arms = headline.rows.drop_duplicates(headline.unit)[treat]
        found = Analysis(
            sessions=len(frame),
            tutors=(int((arms == 1).sum()), int((arms == 0).sum())),
            students=int(frame["student_id"].nunique()) if "student_id" in frame.columns else 0,
            cluster=headline.cluster_column,
            covariates=covariates,
            fixed_effects=fixed_effects,
            effects=_effects(models, uses, romano_wolf(models, reps, seed)),
            odds=logit_of(headline) if headline.is_binary else None,
            p_randomization=randomization(headline, strata, max(reps, 999), seed),
            thirds=_thirds(headline, moderators) if moderators else None,
            missing=tuple(
                attrition(frame, name, treat, cluster=cluster) for name in outcomes if frame[name].isna().any()
            ),
            balance=balance(frame, covariates, treat, cluster=cluster),
            cautions=(),
        )
    return replace(found, cautions=tuple(dict.fromkeys(str(each.message) for each in caught)))


def _effects(
    models: Sequence[Regression], uses: Sequence[Estimate | None], adjusted: Sequence[Adjusted]
) -> tuple[Effect, ...]:
    return tuple(
        Effect(itt=itt_of(model), tot=use, adjusted=each, sd=float(np.std(model.y[model.z == 0], ddof=1)))
        for model, use, each in zip(models, uses, adjusted, strict=True)
    )


def _there(frame: pd.DataFrame, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name in frame.columns)


def _thirds(headline: Regression, moderators: Sequence[str]) -> Heterogeneity:
    predictors = [name for name in _there(headline.frame, _PREDICTORS) if not headline.frame[name].isna().any()]
    return heterogeneity_of(headline, moderators, impute_from=predictors)
