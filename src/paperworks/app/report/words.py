"""A judge, an interval and a scale, said in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from paperworks.core import Claim, Judge, Measurement, Verdict

from .comparison import ClaimChange, Comparison
from .difference import Change
from .numbers import measured, plain

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
    total = sum(count for verdict, count in counts.items() if verdict is not Verdict.UNTESTED)
    if not total:
        return "No claim has been measured yet."
    parts = [
        f"{counts[verdict]}\u00a0{one if counts[verdict] == 1 else more}"
        for verdict, one, more in _COUNTED
        if counts[verdict]
    ]
    return f"Of {total} claims measured, {_listed(parts)}." if total > 1 else f"One claim was measured: {parts[0]}."


_COUNTED = (
    (Verdict.HOLDS, "holds", "hold"),
    (Verdict.PARTLY, "holds in part", "hold in part"),
    (Verdict.FAILS, "fails", "fail"),
    (Verdict.UNCLEAR, "is unclear", "are unclear"),
)


def summary(comparison: Comparison) -> str:
    """What a comparison found: ``Of 8 claims with a number on both sides, 2 changed and 6 are within noise.``"""
    apart = len(comparison.of(Change.APART))
    rest = f" {apart}\u00a0{'claim' if apart == 1 else 'claims'} could not be compared." if apart else ""
    if not comparison.compared:
        return f"No claim has a number on both sides that can be compared.{rest}"
    counts = {what: len(comparison.of(what)) for what in _CHANGED}
    parts = [f"{count}\u00a0{_CHANGED[what][count != 1]}" for what, count in counts.items() if count]
    total = f"{comparison.compared}\u00a0{'claim' if comparison.compared == 1 else 'claims'}"
    return f"Of {total} with a number on both sides, {_listed(parts)}.{rest}"


_CHANGED = {
    Change.CHANGED: ("changed", "changed"),
    Change.NOISE: ("is within noise", "are within noise"),
    Change.SAME: ("is the same", "are the same"),
}


def change(one: ClaimChange) -> str:
    """What happened to a claim and how that is known, e.g. ``'within the noise of seeds; at other sizes'``."""
    match one.change:
        case Change.SAME:
            said = "the same"
        case Change.NOISE:
            said = f"within the noise of {one.noise}"
        case Change.CHANGED if one.noise:
            said = f"changed, by more than the noise of {one.noise}"
        case Change.CHANGED:
            said = "changed, and nothing in it is random"
        case Change.APART:
            said = f"not compared: {one.because}"
    verdicts = f"judged {one.first.verdict} and {one.second.verdict}" if one.verdict_differs else ""
    return "; ".join(part for part in (said, verdicts, *one.caveats) if part)


def difference(one: ClaimChange) -> str:
    """The second number minus the first with its interval, with its sign; "" where there is none to show."""
    if one.difference is None or one.change is Change.SAME or not isinstance(one.first.result, Measurement):
        return ""
    apart = one.difference
    text = str(measured(apart.value, apart.low, apart.high, unit=one.first.result.unit, landmarks=(0.0,)))
    return f"+{text}" if apart.value > 0 else text


def _listed(parts: Sequence[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]


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
