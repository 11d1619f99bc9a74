"""Two sides of a paper: which runs are compared, what cannot be, and what else differs between them."""

from dataclasses import replace

import pytest

from paperworks.app.evidence import Evidence
from paperworks.app.report import words
from paperworks.app.report.comparison import Side, compare
from paperworks.app.report.difference import Change
from paperworks.app.report.surroundings import differing
from paperworks.core import Claim, Measurement, Paper, Untested, at_least, at_most

CLAIM = Claim(
    id="C1", says="It is better.", metric="ours minus theirs", setting="s", source="s", judge=at_least(0, null=0)
)
OTHER = replace(CLAIM, id="C2", judge=at_most(1))
HOPELESS = replace(CLAIM, id="C3", judge=None, untestable="nobody has the data")
PAPER = Paper(
    slug="fake", arxiv="2410.00001", title="A fake", authors=("A. Author",), field="testing", gist="For tests.",
    claims=(CLAIM, OTHER, HOPELESS),
)  # fmt: skip


def result(value=0.5, half=0.1, claim="C1", **more):
    settings = {"interval": "seeds", "n": 5, "scale": "smaller", "setting": "digits"} | more
    return Measurement(claim=claim, value=value, low=value - half, high=value + half, **settings)


def run(*results, preset="quick", judged_by=PAPER, **more):
    settings = {
        "sizes": {"seeds": 5, "items": 100}, "seeds": 5, "source": {"paper": "a" * 64, "house": "b" * 64},
        "commit": "c" * 40, "started": "2026-11-20T08:00:00+00:00", "finished": "2026-11-20T08:01:00+00:00",
        "state": "complete", "error": None, "cost": {"wall_s": 60.0},
        "environment": {"python": "3.11.9", "device": "cpu", "packages": {"numpy": "2.3.1"}},
    }  # fmt: skip
    made = Evidence(slug="fake", preset=preset, **(settings | more))
    for one in results:
        made = made.with_result(judged_by.claim(one.claim), one)
    return made


def against(first, second, paper=PAPER):
    """The comparison of two runs, or of two lists of them."""
    sides = ([one] if isinstance(one, Evidence) else one for one in (first, second))
    named = zip(("published", "yours"), sides, strict=True)
    return compare(paper, *(Side(name=name, runs={one.preset: one for one in runs}) for name, runs in named))


def only(first, second, **more):
    return against(first, second, **more).claims[0]


def test_a_claim_on_both_sides_is_compared():
    one = only(run(result(0.5)), run(result(0.9)))
    assert (one.change, one.because, one.caveats) == (Change.CHANGED, "", ())
    assert (one.first.verdict, one.second.verdict) == ("holds", "holds")
    assert one.difference.value == pytest.approx(0.4)
    assert words.change(one) == "changed, by more than the noise of seeds"
    assert words.difference(one) == "+0.40 [0.26, 0.54]"


def test_a_verdict_that_differs_within_noise_is_said_and_is_no_change():
    one = only(run(result(0.11)), run(result(0.05)))
    assert one.change is Change.NOISE
    assert words.change(one) == "within the noise of seeds; judged holds and unclear"
    assert words.difference(one) == "-0.06 [-0.20, 0.08]"


@pytest.mark.parametrize(
    ("first", "second", "because"),
    [
        (run(result()), run(Untested(claim="C1", reason="needs a GPU")), "yours: needs a GPU"),
        (run(Untested(claim="C1", reason="needs a GPU")), run(result()), "published: needs a GPU"),
        (run(result()), [], "yours: not run yet"),
        (run(result()), run(state="partial", finished=None), "yours: the run has not come to this claim"),
        (run(result()), run(state="failed", error="E"), "yours: the run failed before it came to this claim"),
        (run(result()), run(), "yours: the claim is newer than the run"),
        ([], [], "not run yet"),
        (
            run(Untested(claim="C1", reason="needs a GPU")),
            run(state="failed", error="E"),
            "published: needs a GPU; yours: the run failed before it came to this claim",
        ),
        (run(result(unit="%")), run(result(unit="points")), "in two units, '%' and 'points'"),
        (
            run(result(), judged_by=replace(PAPER, claims=(replace(CLAIM, metric="another"),))),
            run(result()),
            "measured for two forms of the claim, whose metric or judge has changed in between: run again",
        ),
    ],
)
def test_what_cannot_be_compared_says_why(first, second, because):
    one = only(first, second)
    assert (one.change, one.difference, one.because) == (Change.APART, None, because)
    assert words.change(one) == f"not compared: {because}"


def test_a_claim_that_nobody_can_test_says_so_once():
    apart = against(run(result()), run(result())).claims[2]
    assert apart.because == "nobody has the data"


def test_two_results_of_the_same_earlier_form_are_compared_and_not_judged():
    before = replace(PAPER, claims=(replace(CLAIM, judge=at_least(0.3, null=0)),))
    one = only(run(result(0.5), judged_by=before), run(result(0.9), judged_by=before))
    assert one.change is Change.CHANGED
    assert (one.first.verdict, one.second.verdict) == ("untested", "untested")
    assert one.caveats == ("both were measured for an earlier form of the claim: run again",)


def test_a_partial_and_a_failed_run_are_compared_as_far_as_they_came():
    compared = against(run(result(), result(0.5, claim="C2")), run(result(), state="failed", error="E"))
    assert [one.change for one in compared.claims] == [Change.SAME, Change.APART, Change.APART]
    assert compared.compared == 1
    assert [(one.kind, one.name, one.second) for one in compared.runs[0].differing] == [("run", "state", "failed")]


def test_runs_of_the_same_preset_are_compared_where_both_sides_have_its_number():
    full, quick = run(result(0.5), result(claim="C2"), preset="full"), run(result(0.6))
    compared = against([full, quick], run(result(0.6), result(claim="C2")))
    assert [one.first.preset for one in compared.claims[:2]] == ["quick", "full"]
    assert compared.claims[0].change is Change.SAME
    assert [(pair.first.preset, pair.second.preset) for pair in compared.runs] == [
        ("quick", "quick"),
        ("full", "quick"),
    ]


def test_what_a_number_was_measured_at_is_named_where_it_differs():
    other = {"scale": "stand-in", "setting": "a simulated market"}
    bigger = {"preset": "full", "sizes": {"seeds": 9, "items": 4000}}
    one = only(run(result(0.5)), run(result(0.5, **other), **bigger))
    assert one.caveats == (
        "at other sizes (quick and full)",
        "at other scales (smaller and stand-in)",
        "in other settings",
    )
    assert only(run(result()), run(result(), sizes={"seeds": 9, "items": 100}, seeds=9)).caveats == ()


def test_a_smoke_run_is_compared_only_where_it_is_named():
    smoke = run(result(0.9), preset="smoke")
    assert against(run(result()), smoke).compared == 0
    named = compare(
        PAPER,
        Side(name="quick", runs={"quick": run(result())}),
        Side(name="smoke", runs={"smoke": smoke}, order=("smoke",)),
    )
    assert named.claims[0].change is Change.CHANGED


def test_results_of_claims_that_are_no_more_are_named():
    before = replace(PAPER, claims=(CLAIM, replace(CLAIM, id="C9")))
    assert against(run(result(), result(claim="C9"), judged_by=before), run(result())).gone == ("C9",)


def test_what_else_differs_is_everything_but_time_and_cost():
    first = run()
    second = run(
        preset="full",
        seeds=7,
        sizes={"seeds": 7, "items": 100, "rate": 0.1},
        source={"paper": "a" * 64, "house": "d" * 64},
        commit="e" * 40,
        started="2026-11-21T08:00:00+00:00",
        cost={"wall_s": 99.0},
        environment={
            "python": "3.11.9",
            "device": "cuda",
            "gpu": "H100",
            "packages": {"numpy": "2.4.6", "torch": "2.13.0"},
        },
    )
    assert [(one.kind, one.name, one.first, one.second) for one in differing(first, second)] == [
        ("run", "preset", "quick", "full"),
        ("run", "seeds", "5", "7"),
        ("sizes", "rate", "none", "0.1"),
        ("source", "house", "b" * 12, "d" * 12),
        ("environment", "Device", "cpu", "cuda"),
        ("environment", "GPU", "none", "H100"),
        ("packages", "numpy", "2.3.1", "2.4.6"),
        ("packages", "torch", "none", "2.13.0"),
    ]
    assert differing(first, first) == ()


def test_sizes_that_differ_in_a_digit_that_is_not_usually_written_are_told_apart():
    (one,) = differing(run(sizes={"rate": 0.123456}), run(sizes={"rate": 0.123457}))
    assert (one.first, one.second) == ("0.123456", "0.123457")


def test_what_strangers_wrote_into_an_environment_does_no_harm():
    odd = run(environment={"packages": ["not", "a", "mapping"], "cpu": {"nested": [1]}}, source={"paper": 7})
    assert {one.kind for one in differing(run(), odd)} == {"source", "environment", "packages"}


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((0.5, 0.5), "Of 2 claims with a number on both sides, 2 are the same. 1 claim could not be compared."),
        (
            (0.9, 0.55),
            "Of 2 claims with a number on both sides, 1 changed and 1 is within noise. 1 claim could not be compared.",
        ),
        ((None, 0.9), "Of 1 claim with a number on both sides, 1 changed. 2 claims could not be compared."),
        ((None, None), "No claim has a number on both sides that can be compared. 3 claims could not be compared."),
    ],
)
def test_a_comparison_in_a_sentence(values, text):
    yours = [result(value, claim=name) for name, value in zip(("C1", "C2"), values, strict=True) if value is not None]
    said = words.summary(against(run(result(), result(claim="C2")), run(*yours)))
    assert said.replace("\u00a0", " ") == text
