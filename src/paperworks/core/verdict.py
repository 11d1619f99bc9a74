"""From a claim and a result to one word. The word speaks of the scale that was measured, never of the paper's own."""

from __future__ import annotations

from enum import StrEnum

from .claim import Claim
from .measurement import Measurement, Untested


class Verdict(StrEnum):
    """What a result says about a claim."""

    HOLDS = "holds"
    PARTLY = "partly"
    FAILS = "fails"
    UNCLEAR = "unclear"
    UNTESTED = "untested"


def verdict(claim: Claim, result: Measurement | Untested | None) -> Verdict:
    """Judge ``result`` by ``claim.judge``; the first of these that is true decides.

    1. untested: there is no number;
    2. holds: the interval lies in the judge's range and does not touch ``null``;
    3. partly: the interval is strictly on the claimed side of ``null``;
    4. fails: the interval lies wholly outside the range;
    5. unclear: anything else.

    Raises ValueError where the result belongs to another claim.
    """
    if result is not None and result.claim != claim.id:
        raise ValueError(f"a result for claim {result.claim} cannot judge claim {claim.id}")
    if claim.judge is None or not isinstance(result, Measurement):
        return Verdict.UNTESTED
    judge, low, high = claim.judge, result.low, result.high
    if judge.contains(low, high) and not judge.touches_null(low, high):
        return Verdict.HOLDS
    if judge.favours(low, high):
        return Verdict.PARTLY
    if judge.excludes(low, high):
        return Verdict.FAILS
    return Verdict.UNCLEAR
