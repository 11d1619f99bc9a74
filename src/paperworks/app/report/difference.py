"""How far two measurements of one claim lie apart, and whether that is more than noise.

Both give a value and a 95 % interval; the seeds and items themselves are not in an evidence file. The interval of the
difference is therefore made from the two intervals, by the method of variance estimates recovery (Zou and Donner 2008,
"Construction of confidence limits about effect measures"): each end is as far from the difference as the square root of
the summed squares of the two margins that point there. It keeps what each interval is:

- over seeds, it is Banerjee's interval (1960), which covers at least 95 % however few the seeds and however unlike the
  spreads;
- over items, where the intervals are Wilson's, it is Newcombe's (1998, method 10);
- a ratio's interval, lopsided because it is that of a logarithm, stays lopsided;
- an exact number has no margin, so only the other side's noise counts, and between two exact numbers there is none.

It takes the two runs to be independent. Runs of one paper share their seeds, and often their items, which as a rule
makes them vary together: then the interval is too wide, and what it calls a change is one all the more surely. Whether
two intervals overlap is not asked: they may, and the difference can still be more than noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from paperworks.core import Measurement

ROUNDING = 1e-6
"""The relative difference up to which two numbers are one: sums in single precision differ that much by machine."""


class Change(StrEnum):
    """What a comparison says about a claim."""

    SAME = "same"
    NOISE = "within noise"
    CHANGED = "changed"
    APART = "not compared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The second number minus the first, with its 95 % interval; without width where nothing is random."""

    value: float
    low: float
    high: float


def difference(first: Measurement, second: Measurement) -> Difference:
    """``second`` minus ``first``, with the interval that the two intervals give."""
    value = second.value - first.value
    below = math.hypot(second.value - second.low, first.high - first.value)
    above = math.hypot(second.high - second.value, first.value - first.low)
    return Difference(value=value, low=value - below, high=value + above)


def change(first: Measurement, second: Measurement) -> Change:
    """`Change.SAME` up to rounding, `Change.CHANGED` where no difference is not in the interval, else noise.

    Between exact whole numbers there is no rounding: they are equal or changed.
    """
    if _is_same(first, second):
        return Change.SAME
    apart = difference(first, second)
    return Change.NOISE if apart.low <= 0 <= apart.high else Change.CHANGED


def noise(first: Measurement, second: Measurement) -> str:
    """What the interval of the difference accounts for: ``'seeds'``, ``'seeds and items'``; "" if both are exact."""
    over = {word for one in (first, second) for word in one.interval.split("+")} - {"exact"}
    return " and ".join(word for word in ("seeds", "items") if word in over)


def _is_same(first: Measurement, second: Measurement) -> bool:
    if all(one.interval == "exact" and float(one.value).is_integer() for one in (first, second)):
        return first.value == second.value
    ends = ((first.value, second.value), (first.low, second.low), (first.high, second.high))
    return all(math.isclose(one, other, rel_tol=ROUNDING) for one, other in ends)
