"""A judge, an interval and a scale, said in words."""

from __future__ import annotations

import math
from collections.abc import Mapping

from paperworks.core import Claim, Judge, Measurement, Verdict

from .numbers import plain

SCALES = {
    "same": "the paper's own scale",
    "smaller": "a smaller scale than the paper's",
    "stand-in": "a stand-in for what the paper used",
}


def judged_by(claim: Claim) -> str:
    """How the claim is decided, e.g. ``'holds if the whole interval is at least 95, partly if it is above 0'``."""
    if claim.judge is None:
        return "not judged"
    judge = claim.judge
    text = f"holds if the whole interval {_range(judge)}"
    if judge.null is None or judge.null in {judge.low, judge.high}:
        return text
    side = "above" if judge.null <= judge.low else "below"
    return f"{text}, partly if it is {side} {plain(judge.null)} (no effect)"


MEANINGS = {
    Verdict.HOLDS: "the whole interval is in the claimed range",
    Verdict.PARTLY: "an effect, but not surely the claimed one",
    Verdict.FAILS: "the whole interval is outside the range",
    Verdict.UNCLEAR: "the interval is too wide to tell",
    Verdict.UNTESTED: "no number, and the reason why",
}


def headline(counts: Mapping[Verdict, int]) -> str:
    """The counts in a sentence: ``Of 9 claims measured, 6 hold, 1 holds in part and 2 fail.``"""
    measured = sum(count for verdict, count in counts.items() if verdict is not Verdict.UNTESTED)
    if not measured:
        return "No claim has been measured yet."
    parts = [
        f"{counts[verdict]}\u00a0{one if counts[verdict] == 1 else more}"
        for verdict, one, more in _COUNTED
        if counts[verdict]
    ]
    text = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    return f"Of {measured} claims measured, {text}." if measured > 1 else f"One claim was measured: {text}."


_COUNTED = (
    (Verdict.HOLDS, "holds", "hold"),
    (Verdict.PARTLY, "holds in part", "hold in part"),
    (Verdict.FAILS, "fails", "fail"),
    (Verdict.UNCLEAR, "is unclear", "are unclear"),
)


def interval_over(measurement: Measurement) -> str:
    """What the interval is taken over: ``'95 % interval over 5 seeds'``, ``'exact: nothing random'``."""
    n = measurement.n
    if measurement.interval == "exact":
        return "exact, no randomness"
    if measurement.interval == "items":
        return f"95 % interval over {n} items"
    return f"95 % interval over {n} seeds" + (" and their items" if measurement.interval == "seeds+items" else "")


def _range(judge: Judge) -> str:
    low = f"{'above' if judge.null == judge.low else 'at least'} {plain(judge.low)}"
    high = f"{'below' if judge.null == judge.high else 'at most'} {plain(judge.high)}"
    if math.isinf(judge.low):
        return f"is {high}"
    if math.isinf(judge.high):
        return f"is {low}"
    if judge.null in {judge.low, judge.high}:
        return f"is {low} and {high}"
    return f"lies between {plain(judge.low)} and {plain(judge.high)}"
