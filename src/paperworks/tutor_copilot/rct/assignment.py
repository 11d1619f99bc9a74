"""Assignment of tutors to the arms: permuted within strata, from a stored seed and a digest of the roster (4.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = ["Assignment", "assign", "roster_digest"]


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """Who is in which arm: ``table`` has the unit, the strata and ``arm`` (1 treatment), in the roster's order.

    With the same roster, whose SHA-256 is ``digest``, the same ``seed`` gives the same table.
    """

    table: pd.DataFrame
    seed: int
    digest: str


def assign(
    tutors: pd.DataFrame, *, strata: Sequence[str] = (), seed: int, unit: str = "tutor_id", share: float = 0.5
) -> Assignment:
    """Assign each tutor of a roster (a row each) to an arm.

    Within a stratum ``share`` of the tutors, rounded down, and 1 - ``share``, rounded down, get their arm by a random
    permutation. Who is left over is permuted anew, all strata together, so that the arms are within one of their share
    in every stratum and in all.

    Raises KeyError for an absent column, ValueError for an empty roster, one that lists a tutor twice or has no name
    for one, and a share that is not between 0 and 1.
    """
    for name in (unit, *strata):
        if name not in tutors.columns:
            raise KeyError(f"the roster has no column {name!r}; it has {', '.join(map(str, tutors.columns))}")
    if tutors.empty:
        raise ValueError("the roster is empty")
    if tutors[unit].isna().any():
        raise ValueError(f"{int(tutors[unit].isna().sum())} rows of the roster have no {unit!r}")
    twice = tutors[unit][tutors[unit].duplicated()]
    if len(twice):
        raise ValueError(f"the roster lists {twice.iloc[0]!r} twice; a tutor is one row")
    if not 0 < share < 1:
        raise ValueError(f"share={share} must lie between 0 and 1")
    rng = np.random.default_rng(seed)
    arm = np.full(len(tutors), -1)
    groups = tutors.groupby(list(strata), dropna=False, sort=True).indices if strata else {(): np.arange(len(tutors))}
    for places in groups.values():
        order = rng.permutation(places)
        treated, controls = int(share * len(order)), int((1 - share) * len(order))
        arm[order[:treated]] = 1
        arm[order[treated : treated + controls]] = 0
    left = rng.permutation(np.flatnonzero(arm < 0))
    wanted = round(share * len(tutors)) - int((arm == 1).sum())
    arm[left] = np.arange(len(left)) < wanted
    table = tutors[[unit, *strata]].assign(arm=arm)
    return Assignment(table=table, seed=seed, digest=roster_digest(tutors))


def roster_digest(tutors: pd.DataFrame) -> str:
    """The SHA-256 of a roster's columns and rows as CSV."""
    return hashlib.sha256(tutors.to_csv(index=False).encode()).hexdigest()
