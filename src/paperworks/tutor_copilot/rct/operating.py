"""What the estimators make of trials whose truth is known: bias, spread, coverage, and how often they find it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from .effects import itt_of, tot_of
from .estimate import Estimate
from .heterogeneity import heterogeneity_of
from .regression import Regression
from .simulation import COVARIATES, FIXED_EFFECTS, Setting, simulate_trial

__all__ = ["OUTCOME", "estimators", "null_of", "operating_characteristics"]

OUTCOME = "exit_ticket_passed_u"
"""The paper's headline: the exit ticket was passed, and was not if it was not attempted."""
_RATING = "tutor_rating_prior"
_CLUSTERS = {"tutor": "tutor", "pair": "pair", "session": "session_id"}


def operating_characteristics(
    setting: Setting | None = None,
    *,
    reps: int = 200,
    seed: int = 0,
    progress: Callable[[str, int, int], None] | None = None,
) -> pd.DataFrame:
    """A row for each estimator over ``reps`` simulated trials.

    Columns: ``truth``, the ``mean`` estimate with its Monte-Carlo error ``mc``, the estimates' standard deviation
    ``sd``, the mean standard error ``se``, the share of 95 % intervals that hold the truth (``coverage``), and the
    share of trials with p < 0.05 (``found``: power where there is an effect, false findings where there is none).
    """
    setting = setting or Setting()
    truths = _truths(setting)
    drawn: dict[str, list[Estimate]] = {name: [] for name in truths}
    for place, trial in enumerate(np.random.SeedSequence(seed).generate_state(reps)):
        for name, estimate in estimators(simulate_trial(setting, seed=int(trial))).items():
            drawn[name].append(estimate)
        if progress is not None:
            progress("trials", place + 1, reps)
    return pd.DataFrame([_summary(name, truths[name], estimates) for name, estimates in drawn.items()])


def estimators(sessions: pd.DataFrame) -> dict[str, Estimate]:
    """Every estimate of one trial that `operating_characteristics` follows, by name."""
    models = {
        name: Regression(sessions, OUTCOME, "arm", column, COVARIATES, FIXED_EFFECTS)
        for name, column in _CLUSTERS.items()
    }
    effects = {f"ITT, errors by {name}": itt_of(model) for name, model in models.items()}
    effects["effect of use (2SLS)"] = tot_of(models["tutor"], "used")
    found = heterogeneity_of(models["tutor"], [_RATING], impute_from=["tutor_female", "tutor_experience_months"])
    thirds = found[_RATING]
    for name, effect in zip(("lowest", "middle", "highest"), thirds.effects, strict=True):
        effects[f"ITT, {name} third by rating"] = effect
    return effects


def _truths(setting: Setting) -> dict[str, float]:
    overall = float(np.mean(setting.effects))
    thirds = zip(("lowest", "middle", "highest"), setting.effects, strict=True)
    return {
        **{f"ITT, errors by {name}": overall for name in _CLUSTERS},
        "effect of use (2SLS)": overall / setting.use,
        **{f"ITT, {name} third by rating": effect for name, effect in thirds},
    }


def _summary(name: str, truth: float, estimates: list[Estimate]) -> dict[str, object]:
    values = np.array([each.value for each in estimates])
    return {
        "estimator": name,
        "truth": truth,
        "mean": float(values.mean()),
        "mc": float(values.std(ddof=1) / np.sqrt(len(values))),
        "sd": float(values.std(ddof=1)),
        "se": float(np.mean([each.se for each in estimates])),
        "coverage": float(np.mean([each.low <= truth <= each.high for each in estimates])),
        "found": float(np.mean([each.p < 0.05 for each in estimates])),
    }


def null_of(setting: Setting) -> Setting:
    """The same trial with no effect on anyone."""
    return replace(setting, effect=0.0)
