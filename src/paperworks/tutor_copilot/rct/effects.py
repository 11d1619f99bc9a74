"""The trial's effects: intention to treat, treatment on the treated, and the odds ratio (2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack

import numpy as np
import pandas as pd

from .covariates import columns_of
from .estimate import Estimate
from .regression import Design, Regression, groups_of, numbers, sandwich

__all__ = ["OddsRatio", "itt", "itt_of", "logit", "logit_of", "tot", "tot_of"]

_WEAK_F = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OddsRatio:
    """A logistic regression's effect: the coefficient (log odds) as an `Estimate`, and as a ratio of odds.

    ``dropped`` counts the rows of fixed-effect groups whose outcome never varies, which say nothing about it.
    """

    log_odds: Estimate
    dropped: int

    @property
    def value(self) -> float:
        """The ratio of the odds under treatment and under control."""
        return float(np.exp(self.log_odds.value))

    @property
    def low(self) -> float:
        """The lower end of its 95 % interval."""
        return float(np.exp(self.log_odds.low))

    @property
    def high(self) -> float:
        """The upper end of its 95 % interval."""
        return float(np.exp(self.log_odds.high))


def itt(frame: pd.DataFrame, outcome: str, treat: str = "arm", **design: Unpack[Design]) -> Estimate:
    """The effect of being assigned to the treatment, by least squares; ``design`` is that of `Regression`.

    The paper clusters by student-tutor pair (``cluster="pair"``); since whole tutors are assigned, that makes errors
    too small where tutors differ, and the default is the tutor (2.3, a). Raises what `Regression` raises.
    """
    return itt_of(Regression(frame, outcome, treat, **design))


def itt_of(regression: Regression) -> Estimate:
    """`itt` of a regression that is there already."""
    z, y = regression.residual_z, regression.residual_y
    value = float(z @ y / (z @ z))
    scores = (z * (y - value * z))[:, None]
    variance = sandwich(z[:, None], scores, regression.clusters, regression.projection.rank + 1)
    return regression.estimate(value, variance[0, 0], estimator="ITT", term=regression.treat, regressor=regression.z)


def tot(frame: pd.DataFrame, outcome: str, used: str, treat: str = "arm", **design: Unpack[Design]) -> Estimate:
    """The effect of actual use ``used`` (0 or 1), by two-stage least squares with the assigned arm as instrument.

    Raises ValueError, beside what `Regression` raises, where the arms use it alike: first-stage F below 10.
    """
    return tot_of(Regression(frame, outcome, treat, **design), used)


def tot_of(regression: Regression, used: str) -> Estimate:
    """`tot` of a regression that is there already."""
    z, y = regression.residual_z, regression.residual_y
    uses = numbers(regression.rows, used)
    use = regression.projection.residual(uses)
    parameters = regression.projection.rank + 1
    first = float(z @ use / (z @ z))
    error = sandwich(z[:, None], (z * (use - first * z))[:, None], regression.clusters, parameters)[0, 0]
    f = first**2 / max(error, np.finfo(float).tiny)
    if f < _WEAK_F:
        raise ValueError(f"{regression.treat!r} hardly changes {used!r} (first-stage F {f:.1f}, below 10)")
    value = float(z @ y / (z @ use))
    fitted = first * z
    variance = sandwich(fitted[:, None], (fitted * (y - value * use))[:, None], regression.clusters, parameters)
    return regression.estimate(value, variance[0, 0], estimator="ToT", term=used, regressor=uses)


def logit(frame: pd.DataFrame, outcome: str, treat: str = "arm", **design: Unpack[Design]) -> OddsRatio:
    """The odds ratio of a yes-no outcome, by logistic regression with indicators for the fixed effects (statsmodels).

    Raises ValueError, beside what `Regression` raises, for an outcome that is not 0 or 1, and where the covariates
    separate it perfectly.
    """
    return logit_of(Regression(frame, outcome, treat, **design))


def logit_of(regression: Regression) -> OddsRatio:
    """`logit` of a regression that is there already."""
    from statsmodels.api import Logit

    outcome, covariates, fixed_effects = regression.outcome, regression.covariates, regression.fixed_effects
    if not regression.is_binary:
        raise ValueError(f"{outcome!r} must be 0 or 1 for odds; `itt` takes any number")
    rows = regression.rows
    varies = (rows[outcome].groupby(groups_of(rows, fixed_effects)).transform("nunique") > 1).to_numpy()
    kept = rows[varies]
    levels = groups_of(kept, fixed_effects)
    indicators = np.eye(int(levels.max(initial=0)) + 1)[levels]
    design = np.hstack([numbers(kept, regression.treat)[:, None], columns_of(kept, covariates), indicators])
    design = design[:, _independent(design)]
    clusters = pd.factorize(kept[regression.cluster_column])[0]
    try:
        fit = Logit(numbers(kept, outcome), design).fit(
            disp=0, maxiter=100, cov_type="cluster", cov_kwds={"groups": clusters}
        )
    except (np.linalg.LinAlgError, FloatingPointError) as error:
        raise ValueError(f"the covariates separate {outcome!r} perfectly: leave some out, or use `itt`") from error
    estimate = Estimate(
        estimator="logit",
        outcome=outcome,
        term=regression.treat,
        value=float(fit.params[0]),
        se=float(fit.bse[0]),
        df=float(clusters.max()),
        n=len(kept),
        clusters=int(clusters.max()) + 1,
        control=float(fit.predict(np.hstack([np.zeros((len(kept), 1)), design[:, 1:]])).mean()),
    )
    return OddsRatio(log_odds=estimate, dropped=int((~varies).sum()))


def _independent(design: np.ndarray) -> np.ndarray:
    """Which columns, taken from the left, are no combination of those before them."""
    r = np.abs(np.diag(np.linalg.qr(design / np.maximum(np.linalg.norm(design, axis=0), 1e-12), mode="r")))
    return r > 1e-9
