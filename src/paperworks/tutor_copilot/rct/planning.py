"""How large a trial must be: power and detectable effect of a yes-no outcome when whole tutors are assigned (8)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import stats

__all__ = ["Power", "power", "tutors_needed"]

_LEVEL, _WANTED = 0.05, 0.8
_MOST_TUTORS = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """``power`` to find the effect at the 5 % level, the ``se`` it rests on, and the effect ``detectable`` with 80 %.

    ``design_effect`` is by how much whole tutors make the variance larger than sessions one by one would.
    """

    power: float
    se: float
    detectable: float
    design_effect: float


def power(
    n_tutors: int,
    sessions_per_tutor: float,
    icc: float,
    p0: float,
    effect: float,
    *,
    share: float = 0.5,
    sessions_cv: float = 0.0,
    explained: float = 0.0,
    level: float = _LEVEL,
) -> Power:
    """The power of a two-sided test of ``effect`` (a difference of shares) on an outcome of share ``p0`` in control.

    ``icc`` is the part of the outcome's variance that lies between tutors, ``sessions_cv`` the standard deviation of
    their numbers of sessions over its mean (Eldridge, Ashby and Kerry 2006), ``share`` the share of tutors treated, and
    ``explained`` the part of the variance that covariates take out. The test is t with n_tutors - 2 degrees of freedom.

    Raises ValueError for fewer than 4 tutors, shares that are not within (0, 1), and an icc or explained part outside
    of [0, 1).
    """
    p1 = p0 + effect
    if n_tutors < 4 or sessions_per_tutor <= 0:
        raise ValueError(f"{n_tutors} tutors of {sessions_per_tutor} sessions are no trial; 4 tutors are the least")
    for name, value in (("p0", p0), ("p0 + effect", p1), ("share", share), ("level", level)):
        if not 0 < value < 1:
            raise ValueError(f"{name} is {value:g}; it must lie between 0 and 1")
    for name, value in (("icc", icc), ("explained", explained)):
        if not 0 <= value < 1:
            raise ValueError(f"{name} is {value:g}; it must be at least 0 and below 1")
    sessions = n_tutors * sessions_per_tutor
    design = 1 + max(0.0, sessions_per_tutor * (1 + sessions_cv**2) - 1) * icc
    by_arm = p1 * (1 - p1) / (share * sessions) + p0 * (1 - p0) / ((1 - share) * sessions)
    se = math.sqrt(design * (1 - explained) * by_arm)
    df = n_tutors - 2
    critical = float(stats.t.ppf(1 - level / 2, df))
    found = float(stats.nct.sf(critical, df, effect / se) + stats.nct.cdf(-critical, df, effect / se))
    detectable = (critical + float(stats.t.ppf(_WANTED, df))) * se
    return Power(power=found, se=se, detectable=detectable, design_effect=design)


def tutors_needed(
    sessions_per_tutor: float,
    icc: float,
    p0: float,
    effect: float,
    *,
    wanted: float = _WANTED,
    share: float = 0.5,
    sessions_cv: float = 0.0,
    explained: float = 0.0,
) -> int:
    """The fewest tutors with which `power` reaches ``wanted``.

    Raises ValueError as `power` does, and for an effect so small that ten million tutors do not find it.
    """

    def reached(tutors: int) -> bool:
        settings = {"share": share, "sessions_cv": sessions_cv, "explained": explained}
        return power(tutors, sessions_per_tutor, icc, p0, effect, **settings).power >= wanted

    low, high = 4, 4
    while not reached(high):
        low, high = high, high * 2
        if high > _MOST_TUTORS:
            raise ValueError(f"an effect of {effect:g} is not found with {wanted:.0%} by {_MOST_TUTORS:,} tutors")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high
