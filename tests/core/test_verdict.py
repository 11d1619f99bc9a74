"""Every rule of the verdict, each boundary of each rule, and the laws that all verdicts obey."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from paperworks.core import Claim, Judge, Measurement, Untested, Verdict, at_least, at_most, between, verdict

HOLDS, PARTLY, FAILS, UNCLEAR, UNTESTED = Verdict
BETTER = at_least(0, null=0)
BY_HALF = at_least(0.5, null=0)
FASTER = at_most(1, null=1)
TWICE_AS_FAST = at_most(0.5, null=1)
ABOUT_ONE = between(0.8, 1.25)
ABOUT_ONE_NOT_NOTHING = between(0.8, 1.25, null=0)
TINY = 5e-324  # the smallest float above 0

# A grid as well as floats, so that intervals often touch bounds and null.
POINTS = st.integers(-3, 3).map(float) | st.floats(-4, 4)
INTERVALS = st.tuples(POINTS, POINTS).map(lambda ends: (min(ends), max(ends)))


def claim(judge: Judge | None) -> Claim:
    untestable = "" if judge else "nobody can"
    return Claim(id="C1", says="s", metric="m", setting="s", source="s", judge=judge, untestable=untestable)


def measured(low: float, high: float, value: float | None = None) -> Measurement:
    value = low if value is None else value
    return Measurement(claim="C1", value=value, low=low, high=high, interval="seeds", n=5, scale="same", setting="s")


def judged(judge: Judge, interval: tuple[float, float]) -> Verdict:
    return verdict(claim(judge), measured(*interval))


@st.composite
def judges(draw: st.DrawFn) -> Judge:
    low, high = draw(INTERVALS)
    low, high = draw(st.sampled_from([(low, math.inf), (-math.inf, high), (low, high)]))
    null = draw(st.none() | POINTS)
    assume(null is None or not (low < null < high or low == null == high))
    return Judge(low=low, high=high, null=null)


@st.composite
def nested_intervals(draw: st.DrawFn) -> tuple[tuple[float, float], tuple[float, float]]:
    """An interval, and one that lies in it."""
    a, b, c, d = sorted(draw(st.tuples(POINTS, POINTS, POINTS, POINTS)))
    return (a, d), (b, c)


class TestUntested:
    def test_no_result(self) -> None:
        assert verdict(claim(BETTER), None) is UNTESTED

    def test_a_reason_in_place_of_a_number(self) -> None:
        assert verdict(claim(BETTER), Untested(claim="C1", reason="needs --preset full")) is UNTESTED

    def test_a_claim_that_nobody_can_measure(self) -> None:
        assert verdict(claim(None), None) is UNTESTED
        assert verdict(claim(None), Untested(claim="C1", reason="nobody can")) is UNTESTED

    def test_a_number_for_a_claim_without_a_judge_decides_nothing(self) -> None:
        assert verdict(claim(None), measured(1, 2)) is UNTESTED


@pytest.mark.parametrize(
    ("judge", "low", "high", "expected"),
    [
        # Better than the baseline: the null is the edge of the range.
        (BETTER, 0.1, 0.2, HOLDS),
        (BETTER, TINY, 0.2, HOLDS),
        (BETTER, 0.0, 0.2, UNCLEAR),  # in the range, but it touches null
        (BETTER, -0.0, 0.2, UNCLEAR),
        (BETTER, -0.1, 0.2, UNCLEAR),
        (BETTER, 0.0, 0.0, UNCLEAR),  # an exact tie is no win
        (BETTER, -0.2, 0.0, UNCLEAR),  # and an interval that reaches up to a tie is no loss
        (BETTER, -0.2, -TINY, FAILS),
        (BETTER, -0.2, -0.1, FAILS),
        # Better by at least a half: between null and the range lies partly.
        (BY_HALF, 0.5, 0.9, HOLDS),  # the bound belongs to the range
        (BY_HALF, 0.5, 0.5, HOLDS),
        (BY_HALF, math.nextafter(0.5, 0), 0.9, PARTLY),
        (BY_HALF, 0.1, 0.9, PARTLY),  # better, and perhaps by half
        (BY_HALF, 0.1, 0.2, PARTLY),  # better, and not by half: wholly outside the range, yet on the claimed side
        (BY_HALF, TINY, 0.2, PARTLY),
        (BY_HALF, 0.0, 0.2, FAILS),  # not by half, perhaps not at all
        (BY_HALF, -0.1, 0.2, FAILS),
        (BY_HALF, 0.0, 0.0, FAILS),
        (BY_HALF, -0.2, -0.1, FAILS),
        (BY_HALF, 0.0, 0.5, UNCLEAR),  # touches null and the range
        (BY_HALF, -0.1, 0.5, UNCLEAR),
        (BY_HALF, -0.1, 0.9, UNCLEAR),
        # A smaller ratio than the baseline's: the same, mirrored, around 1.
        (FASTER, 0.8, 0.9, HOLDS),
        (FASTER, 0.8, math.nextafter(1, 0), HOLDS),
        (FASTER, 0.8, 1.0, UNCLEAR),
        (FASTER, 0.8, 1.1, UNCLEAR),
        (FASTER, 1.0, 1.1, UNCLEAR),
        (FASTER, math.nextafter(1, 2), 1.1, FAILS),
        (TWICE_AS_FAST, 0.4, 0.5, HOLDS),
        (TWICE_AS_FAST, 0.4, 0.6, PARTLY),
        (TWICE_AS_FAST, 0.6, 0.9, PARTLY),
        (TWICE_AS_FAST, 0.6, 1.0, FAILS),
        (TWICE_AS_FAST, 0.4, 1.0, UNCLEAR),
        # About one, without a null: never partly.
        (ABOUT_ONE, 0.8, 1.25, HOLDS),
        (ABOUT_ONE, 0.9, 1.1, HOLDS),
        (ABOUT_ONE, 0.7, 0.8, UNCLEAR),
        (ABOUT_ONE, 0.7, 1.3, UNCLEAR),
        (ABOUT_ONE, 1.25, 1.3, UNCLEAR),
        (ABOUT_ONE, 0.7, 0.79, FAILS),
        (ABOUT_ONE, 1.26, 1.3, FAILS),
        # About one, where 0 would be nothing: too large is partly as well.
        (ABOUT_ONE_NOT_NOTHING, 0.9, 1.1, HOLDS),
        (ABOUT_ONE_NOT_NOTHING, 0.1, 0.2, PARTLY),
        (ABOUT_ONE_NOT_NOTHING, 5.0, 6.0, PARTLY),
        (ABOUT_ONE_NOT_NOTHING, 0.0, 0.2, FAILS),
        (ABOUT_ONE_NOT_NOTHING, -0.1, 1.0, UNCLEAR),
        # A bound without a null: holds, fails or unclear.
        (at_most(0.07), 0.01, 0.07, HOLDS),
        (at_most(0.07), 0.06, 0.08, UNCLEAR),
        (at_most(0.07), 0.07, 0.08, UNCLEAR),
        (at_most(0.07), 0.08, 0.09, FAILS),
        # The null beyond the range, on the other side of the numbers that confirm.
        (at_most(1, null=2), 1.5, 1.9, PARTLY),
        (at_most(1, null=2), 1.5, 2.0, FAILS),
        (between(0, 1, null=1), 0.2, 1.0, UNCLEAR),  # in the range, but it touches null
        (between(0, 1, null=1), 0.2, 0.9, HOLDS),
        (between(0, 1, null=1), -0.2, 0.9, PARTLY),
        # A range of one number.
        (between(325, 325), 325, 325, HOLDS),
        (between(325, 325), 324, 326, UNCLEAR),
        (between(325, 325), 326, 326, FAILS),
    ],
)
def test_rule(judge: Judge, low: float, high: float, expected: Verdict) -> None:
    assert verdict(claim(judge), measured(low, high)) is expected


@pytest.mark.parametrize("result", [measured(1, 2), Untested(claim="C1", reason="no GPU")])
@pytest.mark.parametrize("judge", [BETTER, None])
def test_a_result_of_another_claim_is_refused(result: Measurement | Untested, judge: Judge | None) -> None:
    other = replace(claim(judge), id="C2")
    with pytest.raises(ValueError, match="a result for claim C1 cannot judge claim C2"):
        verdict(other, result)


def test_a_verdict_is_its_word() -> None:
    assert [str(word) for word in Verdict] == ["holds", "partly", "fails", "unclear", "untested"]
    assert json.dumps(verdict(claim(BETTER), measured(1, 2))) == '"holds"'


class TestLaws:
    @given(judges(), INTERVALS)
    def test_the_first_rule_that_is_true_decides(self, judge: Judge, interval: tuple[float, float]) -> None:
        """The contract's four sentences, written as comparisons of numbers, give exactly one word."""
        low, high = interval
        in_range = judge.low <= low and high <= judge.high
        outside = high < judge.low or low > judge.high
        null = judge.null
        touches = null is not None and low <= null <= high
        claimed_side = null is not None and (low > null if judge.low >= null else high < null)
        true = [in_range and not touches, claimed_side, outside, True]
        assert judged(judge, interval) is (HOLDS, PARTLY, FAILS, UNCLEAR)[true.index(True)]

    @given(judges(), INTERVALS)
    def test_each_word_keeps_its_promise(self, judge: Judge, interval: tuple[float, float]) -> None:
        match judged(judge, interval):
            case Verdict.HOLDS:
                assert judge.contains(*interval)
                assert not judge.touches_null(*interval)
                assert judge.null is None or judge.favours(*interval)
            case Verdict.PARTLY:
                assert judge.favours(*interval)
                assert not judge.contains(*interval)
            case Verdict.FAILS:
                assert judge.excludes(*interval)
                assert not judge.favours(*interval)
            case word:
                assert word is UNCLEAR
                assert not judge.favours(*interval)
                assert not judge.excludes(*interval)
                assert judge.touches_null(*interval) or not judge.contains(*interval)

    @given(judges(), nested_intervals())
    def test_knowing_more_never_takes_back_what_was_known(
        self, judge: Judge, intervals: tuple[tuple[float, float], tuple[float, float]]
    ) -> None:
        """A narrower interval in a wider one: holds stays; partly stays or becomes holds; fails never holds."""
        wider, narrower = intervals
        after = {HOLDS: {HOLDS}, PARTLY: {HOLDS, PARTLY}, FAILS: {FAILS, PARTLY}, UNCLEAR: set(Verdict)}
        assert judged(judge, narrower) in after[judged(judge, wider)]

    @given(judges(), INTERVALS, st.floats(0, 1))
    def test_only_the_interval_counts(self, judge: Judge, interval: tuple[float, float], share: float) -> None:
        low, high = interval
        value = min(max(low + share * (high - low), low), high)
        assert verdict(claim(judge), measured(low, high, value)) is judged(judge, interval)

    @given(judges(), INTERVALS)
    def test_less_is_more_with_the_sign_turned(self, judge: Judge, interval: tuple[float, float]) -> None:
        low, high = interval
        mirrored = Judge(low=-judge.high, high=-judge.low, null=None if judge.null is None else -judge.null)
        assert judged(mirrored, (-high, -low)) is judged(judge, interval)

    @given(POINTS, POINTS, INTERVALS)
    def test_at_least_and_at_most_are_each_other_mirrored(
        self, bound: float, null: float, interval: tuple[float, float]
    ) -> None:
        assume(null <= bound)
        low, high = interval
        assert judged(at_least(bound, null=null), (low, high)) is judged(at_most(-bound, null=-null), (-high, -low))

    @given(judges(), INTERVALS, st.floats(0, 3))
    def test_a_lower_bar_takes_back_no_success(self, judge: Judge, interval: tuple[float, float], more: float) -> None:
        """What holds for a range holds for a wider one, as long as null stays at its edge or outside."""
        assume(judged(judge, interval) is HOLDS)
        low, high = judge.low - more, judge.high + more
        if judge.null is not None:
            low, high = (max(low, judge.null), high) if judge.null <= judge.low else (low, min(high, judge.null))
        assert judged(Judge(low=low, high=high, null=judge.null), interval) is HOLDS

    @given(INTERVALS)
    def test_better_is_never_partly(self, interval: tuple[float, float]) -> None:
        """Where null is the only bound, its claimed side is the range."""
        assert judged(BETTER, interval) in {HOLDS, FAILS, UNCLEAR}

    @given(INTERVALS, st.floats(-3, 3), st.floats(0, 3))
    def test_without_a_null_never_partly(self, interval: tuple[float, float], low: float, width: float) -> None:
        assert judged(between(low, low + width), interval) in {HOLDS, FAILS, UNCLEAR}
