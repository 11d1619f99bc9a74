"""A trial of the paper's size whose true effects are known exactly, to see what the estimators make of it (5).

An outcome is 1 where a normal variable stays below a threshold; the variable is a sum of a stratum's, a tutor's, a
student's and a session's part with total variance 1. So the share is exactly ``base`` in control and ``base`` plus the
effect under treatment, whatever the correlations, with no clipping of probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, stats

from ..exit_ticket import PASS_MARK
from .assignment import assign
from .regression import Floats

__all__ = ["COVARIATES", "FIXED_EFFECTS", "Setting", "simulate_trial"]

COVARIATES = ("female", "race", "frl", "sped", "lep", "map_winter")
"""What the paper adjusts for, beside `FIXED_EFFECTS`."""
FIXED_EFFECTS = ("stratum",)
_USE_CONCENTRATION = 4.0
_SCORES = np.array([0.0, 100 / 3, 200 / 3, 100.0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The size and truth of a trial; the defaults are the paper's size, with its headline effect as the truth.

    ``effect`` is on the share of sessions with a passed exit ticket, or a tuple of three for the thirds of tutors by
    rating, lowest first. ``use`` is the share of treated sessions in which the help is used; all of the effect comes
    from those. ``tutor_icc``, ``student_icc`` and ``stratum_icc`` are shares of the outcome's variance.
    """

    n_tutors: int = 782
    treated: int = 386
    n_students: int = 1787
    n_sessions: int = 4136
    n_strata: int = 30
    n_sites: int = 9
    base: float = 0.62
    effect: float | tuple[float, float, float] = 0.04
    use: float = 0.29
    tutor_icc: float = 0.03
    student_icc: float = 0.08
    stratum_icc: float = 0.01

    def __post_init__(self) -> None:
        if not 0 < self.treated < self.n_tutors:
            raise ValueError(f"treated={self.treated} must lie between 0 and the {self.n_tutors} tutors")
        if self.n_sessions < max(self.n_tutors, self.n_students):
            raise ValueError(f"{self.n_sessions} sessions are fewer than tutors or students; each has at least one")
        for effect in self.effects:
            if not 0 < self.base + effect / self.use < 1:
                raise ValueError(
                    f"an effect of {effect:g} from use in {self.use:g} of the sessions takes the share beyond 0 or 1"
                )
        if self.tutor_icc + self.student_icc + self.stratum_icc >= 1:
            raise ValueError("the shares of variance of tutors, students and strata must sum to less than 1")

    @property
    def effects(self) -> tuple[float, float, float]:
        """The effect in each third of tutors by rating."""
        return self.effect if isinstance(self.effect, tuple) else (self.effect,) * 3


def simulate_trial(setting: Setting | None = None, *, seed: int = 0) -> pd.DataFrame:
    """A trial's sessions, a row each, with the columns of an export and the covariates of the analysis.

    Survey answers and end-of-year scores have no effect in it, as the paper found none.
    """
    setting = setting or Setting()
    rng = np.random.default_rng(seed)
    tutors = _tutors(setting, rng)
    students = _students(setting, rng)
    sessions = _pairs(setting, tutors, students, rng)
    stratum_part = rng.standard_normal(setting.n_strata)[students["stratum"].to_numpy()[sessions["student"]]]
    tutor, student = sessions["tutor"], sessions["student"]
    arm = tutors["arm"].to_numpy()[tutor]
    used = (arm == 1) & (rng.random(setting.n_sessions) < tutors["propensity"].to_numpy()[tutor])
    effect = np.array(setting.effects)[tutors["third"].to_numpy()[tutor]] / setting.use
    latent = _latent(setting, stratum_part, tutors["part"].to_numpy()[tutor], students["part"].to_numpy()[student], rng)
    passed = latent < stats.norm.ppf(setting.base + np.where(used, effect, 0.0))
    table = pd.DataFrame(
        {
            "session_id": [f"session-{place}" for place in range(setting.n_sessions)],
            "tutor_id": tutors["tutor_id"].to_numpy()[tutor],
            "student_id": students["student_id"].to_numpy()[student],
            "arm": arm,
            "used": used.astype(int),
            "n_uses": np.where(used, 1 + rng.poisson(9, setting.n_sessions), 0),
            **_outcomes(passed, students["part"].to_numpy()[student], rng),
            **{name: tutors[name].to_numpy()[tutor] for name in _TUTOR_COLUMNS},
            **{name: students[name].to_numpy()[student] for name in _STUDENT_COLUMNS},
        }
    )
    return table.assign(student_tutor=table["student_id"] + "/" + table["tutor_id"])


_TUTOR_COLUMNS = ("site", "tutor_rating_prior", "tutor_experience_months", "tutor_female")
_STUDENT_COLUMNS = ("stratum", "grade", *COVARIATES)


def _tutors(setting: Setting, rng: np.random.Generator) -> pd.DataFrame:
    n = setting.n_tutors
    part = rng.standard_normal(n)
    rating = 0.3 * part + np.sqrt(1 - 0.3**2) * rng.standard_normal(n)
    roster = pd.DataFrame(
        {"tutor_id": [f"tutor-{place}" for place in range(n)], "site": np.arange(n) % setting.n_sites}
    )
    arms = assign(roster, strata=["site"], seed=int(rng.integers(2**31)), share=setting.treated / n)
    a, b = setting.use * _USE_CONCENTRATION, (1 - setting.use) * _USE_CONCENTRATION
    months = np.round(rng.lognormal(1.8, 0.8, n), 1)
    return roster.assign(
        arm=arms.table["arm"].to_numpy(),
        part=-part,
        third=np.searchsorted(np.quantile(rating, [1 / 3, 2 / 3]), rating),
        propensity=rng.beta(a, b, n),
        tutor_rating_prior=np.where(rng.random(n) < 0.08, np.nan, np.round(3.5 + 0.6 * rating, 2)),
        tutor_experience_months=months,
        tutor_female=rng.random(n) < 0.7,
    )


def _students(setting: Setting, rng: np.random.Generator) -> pd.DataFrame:
    n = setting.n_students
    part = rng.standard_normal(n)
    stratum = np.arange(n) % setting.n_strata
    return pd.DataFrame(
        {
            "student_id": [f"student-{place}" for place in range(n)],
            "stratum": stratum,
            "grade": 3 + stratum % 6,
            "part": part,
            "female": _with_gaps(rng, np.where(rng.random(n) < 0.5, "yes", "no"), 0.02),
            "race": _with_gaps(
                rng, rng.choice(["hispanic", "black", "white", "other"], n, p=[0.8, 0.1, 0.06, 0.04]), 0.02
            ),
            "frl": _with_gaps(rng, np.where(rng.random(n) < 0.67, "yes", "no"), 0.02),
            "sped": np.where(rng.random(n) < 0.13, "yes", "no"),
            "lep": np.where(rng.random(n) < 0.3, "yes", "no"),
            "map_winter": np.where(
                rng.random(n) < 0.08, np.nan, 195 + 15 * (-0.6 * part + 0.8 * rng.standard_normal(n))
            ),
        }
    )


def _with_gaps(rng: np.random.Generator, values: Any, share: float) -> Any:
    return np.where(rng.random(len(values)) < share, None, values.astype(object))


def _pairs(setting: Setting, tutors: pd.DataFrame, students: pd.DataFrame, rng: np.random.Generator) -> dict[str, Any]:
    """The tutor and the student of each session; every tutor and every student has at least one."""
    more = setting.n_sessions - setting.n_students
    student = rng.permutation(
        np.concatenate([np.arange(setting.n_students), rng.integers(setting.n_students, size=more)])
    )
    weights = rng.lognormal(0, 0.5, setting.n_tutors)
    drawn = rng.choice(setting.n_tutors, size=setting.n_sessions - setting.n_tutors, p=weights / weights.sum())
    tutor = rng.permutation(np.concatenate([np.arange(setting.n_tutors), drawn]))
    return {"tutor": tutor, "student": student}


def _latent(setting: Setting, stratum: Floats, tutor: Floats, student: Floats, rng: np.random.Generator) -> Floats:
    shares = [_latent_share(setting.base, icc) for icc in (setting.stratum_icc, setting.tutor_icc, setting.student_icc)]
    rest = np.sqrt(1 - sum(shares)) * rng.standard_normal(len(tutor))
    parts = zip(shares, (stratum, tutor, student), strict=True)
    return sum((np.sqrt(share) * part for share, part in parts), start=rest)


@cache
def _latent_share(base: float, icc: float) -> float:
    """The correlation of two normal variables with which their being below the threshold correlates by ``icc``."""
    if icc == 0:
        return 0.0
    threshold = stats.norm.ppf(base)
    wanted = base**2 + icc * base * (1 - base)

    def excess(share: float) -> float:
        joint = stats.multivariate_normal(cov=[[1, share], [share, 1]]).cdf([threshold, threshold])
        return float(joint - wanted)

    return float(optimize.brentq(excess, 0.0, 0.999, xtol=1e-6))


def _outcomes(passed: Any, student: Floats, rng: np.random.Generator) -> dict[str, Any]:
    n = len(passed)
    attempted = passed | (rng.random(n) < 0.75)
    score = np.where(passed, _SCORES[rng.integers(2, 4, n)], _SCORES[rng.integers(0, 2, n)])
    points = rng.poisson(np.exp(3 - 0.1 * student))
    return {
        "exit_ticket_attempted": attempted.astype(int),
        "exit_ticket_score": np.where(attempted, score, np.nan),
        "exit_ticket_passed_c": np.where(attempted, (score >= PASS_MARK).astype(float), np.nan),
        "exit_ticket_passed_u": (attempted & (score >= PASS_MARK)).astype(int),
        "participation_points": points,
        "participation_points_std": (points - points.mean()) / points.std(),
        "survey_understanding": rng.integers(1, 6, n),
        "survey_can_learn": rng.integers(1, 6, n),
        "survey_tutor_cared": rng.integers(1, 6, n),
        "session_rating": rng.integers(1, 6, n),
        "duration_s": np.round(rng.normal(1800, 240, n)).clip(300),
    }
