"""How often each verdict comes up where the truth is known: null, small, as claimed, large and opposite.

The paper claims an effect x. Intervals come from five seeds (Student's t) or from ten thousand answers of a benchmark,
each right or wrong (paired differences, -1, 0 or 1). ``docs/verdicts.md`` shows the table that `markdown` draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from scipy.special import bdtr, bdtrc, stdtrit

from paperworks.core import Claim, Judge, Measurement, Verdict, at_least, between, verdict

DOCS = Path(__file__).resolve().parents[2] / "docs" / "verdicts.md"
START, END = "<!-- simulation -->", "<!-- /simulation -->"

RUNS = 40_000
SEEDS, SEED_SD = 5, 0.25  # the standard deviation from seed to seed, in units of x
ITEMS, X_IN_ITEMS, DIFFERING = 10_000, 0.1, 0.25  # x is 10 points; a quarter of the answers differ in their rightness
TAIL = 0.025  # each side of a 95 % interval
LUCK = 1e-4  # a count is too high where the guaranteed rate would give it with less than this probability

X = 1.0
JUDGES = {
    "at_least(0, null=0)": at_least(0, null=0),
    "at_least(x, null=0)": at_least(X, null=0),
    "between(x / 1.25, 1.25 * x)": between(X / 1.25, 1.25 * X),
}
TRUTHS = {"-x": -X, "0": 0.0, "x / 4": X / 4, "x": X, "1.25 x": 1.25 * X, "2 x": 2 * X}
WORDS = (Verdict.HOLDS, Verdict.PARTLY, Verdict.FAILS, Verdict.UNCLEAR)
KINDS = {
    "seeds": f"Intervals from {SEEDS} seeds whose results differ with a standard deviation of x / {1 / SEED_SD:.0f}",
    "items": f"Intervals from {ITEMS} right or wrong answers, paired; x is {100 * X_IN_ITEMS:.0f} points, and "
    f"{DIFFERING:.0%} of the answers differ",
}
Floats: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One row of the table: of `RUNS` runs, how many ended in each verdict."""

    kind: str
    judge: str
    truth: str
    counts: dict[Verdict, int]

    def rate(self, *words: Verdict) -> float:
        return self.count(*words) / RUNS

    def count(self, *words: Verdict) -> int:
        return sum(self.counts[word] for word in words)


@cache
def intervals(kind: str, truth: str) -> tuple[Floats, Floats]:
    """The low and high ends [RUNS] of 95 % intervals of an effect that really is ``truth``, in units of x."""
    seed = sum(map(ord, kind + truth))
    # The stream of RandomState is frozen by NumPy's policy: the table in the docs must not change with NumPy.
    random = np.random.RandomState(seed)
    if kind == "seeds":
        effects = random.normal(TRUTHS[truth], SEED_SD, size=(RUNS, SEEDS))
        centre, spread = effects.mean(axis=1), effects.std(axis=1, ddof=1)
        half = stdtrit(SEEDS - 1, 1 - TAIL) * spread / math.sqrt(SEEDS)
        return centre - half, centre + half
    effect = TRUTHS[truth] * X_IN_ITEMS
    shares = [(DIFFERING + effect) / 2, (DIFFERING - effect) / 2, 1 - DIFFERING]
    won, lost, _ = random.multinomial(ITEMS, shares, size=RUNS).T
    centre = (won - lost) / ITEMS
    spread = np.sqrt(((won + lost) / ITEMS - centre**2) * ITEMS / (ITEMS - 1))
    half = stdtrit(ITEMS - 1, 1 - TAIL) * spread / math.sqrt(ITEMS)
    return (centre - half) / X_IN_ITEMS, (centre + half) / X_IN_ITEMS


def words(judge: Judge, low: Floats, high: Floats) -> np.ndarray[Any, Any]:
    """The verdicts [RUNS] as indices into `WORDS`: the contract's rules on arrays, apart from the code under test."""
    touches, claimed_side = np.zeros_like(low, dtype=bool), np.zeros_like(low, dtype=bool)
    if judge.null is not None:
        touches = (low <= judge.null) & (judge.null <= high)
        claimed_side = low > judge.null  # the claimed side of each judge here is above
    in_range = (judge.low <= low) & (high <= judge.high)
    outside = (high < judge.low) | (low > judge.high)
    return np.select([in_range & ~touches, claimed_side, outside], [0, 1, 2], default=3)


@cache
def table() -> tuple[Cell, ...]:
    """A `Cell` for each kind of interval, judge and truth."""
    cells = []
    for kind in KINDS:
        for name, judge in JUDGES.items():
            for truth in TRUTHS:
                counts = np.bincount(words(judge, *intervals(kind, truth)), minlength=len(WORDS))
                by_word = dict(zip(WORDS, counts.tolist(), strict=True))
                cells.append(Cell(kind=kind, judge=name, truth=truth, counts=by_word))
    return tuple(cells)


def markdown() -> str:
    """The table as it stands in the docs, between its markers: percentages of the runs."""
    lines = []
    for kind, caption in KINDS.items():
        lines += [f"{caption}; % of {RUNS} runs:", ""]
        lines += ["| judge | truth | " + " | ".join(WORDS) + " |", "|---|---:|" + "---:|" * len(WORDS)]
        for cell in table():
            if cell.kind == kind:
                rates = " | ".join(_percent(cell.rate(word)) for word in WORDS)
                lines.append(f"| `{cell.judge}` | {cell.truth} | {rates} |")
        lines.append("")
    return "\n".join(lines).strip()


def _percent(rate: float) -> str:
    """One decimal; 0 and 100 stand for never and always alone."""
    if rate in (0, 1):
        return f"{100 * rate:.0f}"
    if rate < 0.0005:
        return "<0.1"
    return ">99.9" if rate > 0.9995 else f"{100 * rate:.1f}"


def rows(condition: Callable[[Judge, float], bool]) -> pytest.MarkDecorator:
    """Run a test with every row (kind, judge, truth) whose judge and true effect meet the condition."""
    keys = [
        (kind, name, truth)
        for kind in KINDS
        for name, judge in JUDGES.items()
        for truth, effect in TRUTHS.items()
        if condition(judge, effect)
    ]
    return pytest.mark.parametrize(("kind", "judge", "truth"), keys)


def of(kind: str, judge: str, truth: str) -> Cell:
    return next(cell for cell in table() if (cell.kind, cell.judge, cell.truth) == (kind, judge, truth))


def assert_at_most(rate: float, cell: Cell, *which: Verdict) -> None:
    """A binomial test: were the true rate ``rate``, so many would hardly ever come up."""
    count = cell.count(*which)
    assert count <= rate * RUNS or bdtrc(count - 1, RUNS, rate) > LUCK, (cell, which, rate)


def assert_at_least(rate: float, cell: Cell, *which: Verdict) -> None:
    count = cell.count(*which)
    assert count >= rate * RUNS or bdtr(count, RUNS, rate) > LUCK, (cell, which, rate)


class TestEveryRow:
    @rows(lambda judge, effect: True)
    def test_counts_what_verdict_says(self, kind: str, judge: str, truth: str) -> None:
        claim = Claim(id="C1", says="s", metric="m", setting="s", source="s", judge=JUDGES[judge])
        lows, highs = (ends[:200].tolist() for ends in intervals(kind, truth))
        said = [verdict(claim, _measured(low, high)) for low, high in zip(lows, highs, strict=True)]
        assert said == [WORDS[i] for i in words(JUDGES[judge], np.array(lows), np.array(highs))]
        assert of(kind, judge, truth).count(*WORDS) == RUNS

    @rows(lambda judge, effect: not judge.low < effect < judge.high)
    def test_a_truth_that_does_not_confirm_the_claim_seldom_holds(self, kind: str, judge: str, truth: str) -> None:
        """Outside the range or at its edge, null among them: `holds` needs a miss of the interval on one side."""
        assert_at_most(TAIL, of(kind, judge, truth), Verdict.HOLDS)

    @rows(lambda judge, effect: judge.low < effect < judge.high)
    def test_a_truth_that_confirms_the_claim_holds_more_often_than_luck_would(
        self, kind: str, judge: str, truth: str
    ) -> None:
        assert of(kind, judge, truth).rate(Verdict.HOLDS) > 2 * TAIL

    @rows(lambda judge, effect: judge.null is not None and effect <= judge.null)
    def test_a_truth_on_the_wrong_side_of_null_seldom_succeeds(self, kind: str, judge: str, truth: str) -> None:
        assert_at_most(TAIL, of(kind, judge, truth), Verdict.HOLDS, Verdict.PARTLY)

    @rows(lambda judge, effect: judge.contains(effect, effect))
    def test_a_truth_in_the_range_seldom_fails(self, kind: str, judge: str, truth: str) -> None:
        """`fails` needs a miss beyond one of the bounds there are."""
        bounds = sum(math.isfinite(bound) for bound in (JUDGES[judge].low, JUDGES[judge].high))
        assert_at_most(TAIL * bounds, of(kind, judge, truth), Verdict.FAILS)

    @rows(lambda judge, effect: judge.null is None)
    def test_without_a_null_there_is_no_partly(self, kind: str, judge: str, truth: str) -> None:
        assert of(kind, judge, truth).count(Verdict.PARTLY) == 0


@pytest.mark.parametrize("kind", KINDS)
class TestRates:
    def test_no_effect_holds_and_fails_as_often_as_a_95_percent_interval_misses(self, kind: str) -> None:
        cell = of(kind, "at_least(0, null=0)", "0")
        for word in (Verdict.HOLDS, Verdict.FAILS):
            assert_at_most(TAIL, cell, word)
            assert_at_least(TAIL, cell, word)
        assert_at_least(1 - 2 * TAIL, cell, Verdict.UNCLEAR)

    def test_a_large_effect_holds(self, kind: str) -> None:
        for judge in ("at_least(0, null=0)", "at_least(x, null=0)"):
            assert of(kind, judge, "2 x").rate(Verdict.HOLDS) > 0.95

    def test_an_opposite_effect_fails_by_every_judge(self, kind: str) -> None:
        for judge in JUDGES:
            assert of(kind, judge, "-x").rate(Verdict.FAILS) > 0.95

    def test_no_effect_refutes_one_of_size_x(self, kind: str) -> None:
        assert of(kind, "at_least(x, null=0)", "0").rate(Verdict.FAILS) > 0.95

    def test_an_effect_of_exactly_x_is_seldom_shown_to_be_at_least_x(self, kind: str) -> None:
        cell = of(kind, "at_least(x, null=0)", "x")
        assert_at_least(TAIL, cell, Verdict.HOLDS)
        assert cell.rate(Verdict.PARTLY) > 0.95

    @pytest.mark.parametrize("truth", TRUTHS)
    def test_a_higher_bound_turns_some_holds_into_partly_and_no_other(self, kind: str, truth: str) -> None:
        better, by_x = (of(kind, judge, truth) for judge in ("at_least(0, null=0)", "at_least(x, null=0)"))
        assert by_x.count(Verdict.HOLDS, Verdict.PARTLY) == better.count(Verdict.HOLDS)

    def test_a_larger_truth_holds_more_often(self, kind: str) -> None:
        for judge in ("at_least(0, null=0)", "at_least(x, null=0)"):
            rates = [of(kind, judge, truth).rate(Verdict.HOLDS) for truth in TRUTHS]
            assert rates == sorted(rates)


def test_few_seeds_see_a_small_effect_less_often_than_many_items_do() -> None:
    """Five seeds leave a small effect unclear more often than not; fails stays rarer than at null."""
    seeds, items = (of(kind, "at_least(0, null=0)", "x / 4") for kind in ("seeds", "items"))
    assert seeds.rate(Verdict.UNCLEAR) > 0.5
    assert items.rate(Verdict.HOLDS) > 0.95
    assert_at_most(TAIL, seeds, Verdict.FAILS)


def test_about_x_needs_an_interval_narrower_than_its_range() -> None:
    seeds, items = (of(kind, "between(x / 1.25, 1.25 * x)", "x") for kind in ("seeds", "items"))
    assert items.rate(Verdict.HOLDS) > 0.95
    assert seeds.rate(Verdict.UNCLEAR) > 0.5


def test_the_docs_show_this_table() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert text.count(START) == text.count(END) == 1
    shown = text.split(START)[1].split(END)[0].strip()
    assert shown == markdown(), f"put this between the markers of {DOCS}:\n\n{markdown()}"


def _measured(low: float, high: float) -> Measurement:
    return Measurement(claim="C1", value=low, low=low, high=high, interval="items", n=5, scale="same", setting="s")
