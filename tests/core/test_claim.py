"""What a claim, its judge and its paper refuse, in words that say what would be right; and what a digest stands for."""

from __future__ import annotations

import copy
import math
import pickle
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperworks.core import Claim, Judge, Paper, Published, at_least, at_most, between

NUMBERS = st.floats(-1e6, 1e6)
TOO_LARGE = 10**400  # an integer that no float can hold


def claim(**given: Any) -> Claim:
    settings: dict[str, Any] = {
        "id": "C1",
        "says": "Ours is better.",
        "metric": "accuracy, ours - baseline",
        "setting": "digits",
        "source": "Table 1",
        "judge": at_least(0, null=0),
    }
    return Claim(**(settings | given))


def paper(**given: Any) -> Paper:
    settings: dict[str, Any] = {
        "slug": "made_up",
        "arxiv": "2410.00907",
        "title": "A Title",
        "authors": ("A. Author",),
        "field": "testing",
        "gist": "One sentence.",
        "claims": (claim(),),
    }
    return Paper(**(settings | given))


class TestPublished:
    def test_holds_a_number_or_the_verified_sentence(self) -> None:
        assert Published(value=95.0, unit="%").value == 95.0
        assert Published(value=None, note='"comparable precision"').value is None

    @pytest.mark.parametrize(
        ("given", "lesson"),
        [
            ({"value": None}, "needs a note: the sentence that is verified"),
            ({"value": None, "note": " \n"}, "needs a note: the sentence that is verified"),
            ({"value": 1.0, "verified": False}, "give value=None and put the verified sentence into note"),
            ({"value": math.nan}, "a published value is nan; give a finite number"),
            ({"value": math.inf}, "a published value is inf; give a finite number"),
            ({"value": TOO_LARGE}, "an integer that no float can hold"),
            ({"value": "95"}, r"must be a Python number, not str \('95'\)"),
            ({"value": True}, "must be a Python number, not bool"),
            ({"value": np.float32(1)}, "must be a Python number, not float32"),
            ({"value": 1.0, "label": 3}, "a published number's label must be a string, not int"),
            ({"value": 1.0, "unit": None}, "a published number's unit must be a string, not NoneType"),
            ({"value": None, "note": None}, "a published number's note must be a string, not NoneType"),
        ],
    )
    def test_refuses(self, given: dict[str, Any], lesson: str) -> None:
        with pytest.raises(ValueError, match=lesson):
            Published(**given)


class TestJudge:
    def test_three_ways_to_build_one(self) -> None:
        assert at_least(0.5, null=0) == Judge(low=0.5, high=math.inf, null=0)
        assert at_most(0.5, null=1) == Judge(low=-math.inf, high=0.5, null=1)
        assert between(0.8, 1.25) == Judge(low=0.8, high=1.25, null=None)

    @pytest.mark.parametrize(
        ("given", "lesson"),
        [
            ({}, "confirms everything: use at_least, at_most or between"),
            ({"null": 0}, "confirms everything"),
            ({"low": 2, "high": 1}, r"runs from low to high; \[2, 1\] is empty"),
            ({"low": math.inf}, "low is inf; give a finite number"),
            ({"high": -math.inf}, "high is -inf; give a finite number"),
            ({"low": math.nan}, "low is nan; give a finite number"),
            ({"low": 0, "high": math.nan}, "high is nan; give a finite number"),
            ({"low": TOO_LARGE}, "low is an integer that no float can hold"),
            ({"low": "0"}, "low must be a Python number, not str"),
            ({"low": None}, "low must be a Python number, not NoneType"),
            ({"high": True}, "high must be a Python number, not bool"),
            ({"low": 0, "null": math.inf}, "null is inf; give a finite number"),
            ({"low": 0, "null": math.nan}, "null is nan; give a finite number"),
            ({"low": 0, "null": False}, "null must be a Python number, not bool"),
            ({"low": 0, "null": 1}, "put null at an edge of the range or outside it"),
            ({"high": 0, "null": -1}, "put null at an edge of the range or outside it"),
            ({"low": 0, "high": 2, "null": 1}, r"null=1 lies inside the range \[0, 2\]"),
            ({"low": 1, "high": 1, "null": 1}, "the same single number 1: nothing could ever hold"),
        ],
    )
    def test_refuses(self, given: dict[str, Any], lesson: str) -> None:
        with pytest.raises(ValueError, match=lesson):
            Judge(**given)

    @pytest.mark.parametrize("null", [0.8, 0.0, -3.0, 1.25, 7.0])
    def test_a_null_at_an_edge_or_outside_leaves_one_claimed_side(self, null: float) -> None:
        judge = between(0.8, 1.25, null=null)
        assert judge.favours(0.9, 1.1)
        assert not judge.favours(null, null)

    def test_a_range_of_one_number_may_be_judged(self) -> None:
        assert between(325, 325).contains(325, 325)
        assert between(325, 325, null=0).favours(1, 2)

    def test_without_a_null_nothing_is_favoured_or_touched(self) -> None:
        judge = at_least(1)
        assert not judge.favours(2, 3)
        assert not judge.touches_null(-1, 1)

    @pytest.mark.parametrize(
        ("low", "high", "contained", "excluded"),
        [
            (0.0, 1.0, True, False),  # the edges belong to the range
            (0.2, 0.4, True, False),
            (-0.1, 0.4, False, False),
            (0.6, 1.1, False, False),
            (-0.1, 1.1, False, False),
            (-0.2, -0.1, False, True),
            (1.1, 1.2, False, True),
            (-0.2, 0.0, False, False),  # touching an edge from outside is not wholly outside
            (1.0, 1.2, False, False),
        ],
    )
    def test_edges_belong_to_the_range(self, low: float, high: float, contained: bool, excluded: bool) -> None:
        judge = between(0, 1)
        assert (judge.contains(low, high), judge.excludes(low, high)) == (contained, excluded)


class TestClaim:
    @pytest.mark.parametrize("claim_id", ["C1", "C3-dot", "c12", "C1.2", "GPU-a.1"])
    def test_takes_an_id(self, claim_id: str) -> None:
        assert claim(id=claim_id).id == claim_id

    @pytest.mark.parametrize("claim_id", ["", "1C", "C 1", "C1-", "-C1", "C1--a", "C_1", "C1\n", "../C1", "C/1", "Ü1"])
    def test_refuses_an_id_that_could_not_stand_in_a_link(self, claim_id: str) -> None:
        with pytest.raises(ValueError, match="a letter, then letters and digits, like 'C1' or 'C3-dot'"):
            claim(id=claim_id)

    @pytest.mark.parametrize(
        ("given", "lesson"),
        [
            ({"id": 1}, "a claim's id must be a string, not int"),
            ({"says": ""}, "claim C1: says is blank; say it in a sentence"),
            ({"metric": "  "}, "claim C1: metric is blank"),
            ({"setting": "\n"}, "claim C1: setting is blank"),
            ({"source": ""}, "claim C1: source is blank"),
            ({"metric": None}, "claim C1: metric must be a string, not NoneType"),
            ({"judge": None}, "exactly one of judge= .how it is decided. and untestable="),
            ({"judge": None, "untestable": " "}, "exactly one of judge="),
            ({"untestable": "no GPU"}, "exactly one of judge="),
            ({"judge": None, "untestable": None}, "untestable must be a string, not NoneType"),
            ({"judge": 0.5}, "judge is built by at_least, at_most or between; 0.5 is no Judge"),
            ({"judge": (0, 1)}, "judge is built by at_least, at_most or between"),
            ({"published": Published(value=1.0)}, r"published must be a tuple, written \(one,\)"),
            ({"published": [Published(value=1.0)]}, "published must be a tuple, .* not list"),
            ({"published": (95.0,)}, "published must be a tuple of Published; 95.0 is float"),
        ],
    )
    def test_refuses(self, given: dict[str, Any], lesson: str) -> None:
        with pytest.raises(ValueError, match=lesson):
            claim(**given)

    def test_what_cannot_be_measured_says_why(self) -> None:
        assert claim(judge=None, untestable="the paper prints no netlist").judge is None

    def test_never_changes_and_has_no_room_for_more(self) -> None:
        with pytest.raises(FrozenInstanceError):
            claim().says = "Ours is best."  # type: ignore[misc]
        assert not hasattr(claim(), "__dict__")

    def test_survives_pickling_and_copying(self) -> None:
        before = claim(published=(Published(value=1.0),))
        assert pickle.loads(pickle.dumps(before)) == before == copy.deepcopy(before)
        assert hash(before) == hash(copy.deepcopy(before))


class TestDigest:
    def test_is_a_sha256_that_stays_as_it_is(self) -> None:
        """Evidence files store it: another value would call every published result stale."""
        assert claim().digest == "2013122a36bb3f4d610850531e143b6d977ca336533d8ee0373f7f11ecae6fd9"
        assert (
            claim(judge=None, untestable="no").digest
            == "f75f7018a5e887564f0fb8171a86a7f063e2c9201af8fe815517df762f259b8f"
        )

    @pytest.mark.parametrize(
        "given",
        [
            {"says": "Other words."},
            {"setting": "elsewhere"},
            {"source": "Table 2"},
            {"published": (Published(value=3.0),)},
        ],
    )
    def test_is_blind_to_what_no_verdict_depends_on(self, given: dict[str, Any]) -> None:
        assert claim(**given).digest == claim().digest
        assert claim(judge=None, untestable="this").digest == claim(judge=None, untestable="that").digest

    @pytest.mark.parametrize(
        "given",
        [
            {"id": "C2"},
            {"metric": "accuracy, ours / baseline"},
            {"judge": at_least(0.1, null=0)},
            {"judge": at_least(0, null=-1)},
            {"judge": at_least(0)},
            {"judge": at_most(0, null=0)},
            {"judge": between(0, 1, null=0)},
            {"judge": at_least(5e-324, null=0)},
            {"judge": None, "untestable": "no"},
        ],
    )
    def test_changes_with_id_metric_and_judge(self, given: dict[str, Any]) -> None:
        assert claim(**given).digest != claim().digest

    @pytest.mark.parametrize("zero", [0, 0.0, -0.0, np.float64(0)])
    def test_equal_judges_have_equal_digests(self, zero: float) -> None:
        judge = at_least(zero, null=zero)
        assert judge == at_least(0, null=0)
        assert claim(judge=judge).digest == claim().digest

    @given(NUMBERS, NUMBERS)
    def test_differs_exactly_where_the_judge_differs(self, one: float, other: float) -> None:
        digests = {claim(judge=at_least(one)).digest, claim(judge=at_least(other)).digest}
        assert len(digests) == (1 if one == other else 2)

    def test_no_two_fields_run_into_each_other(self) -> None:
        assert claim(id="C1", metric="2 of m").digest != claim(id="C12", metric=" of m").digest


class TestPaper:
    def test_names_itself_for_people_and_machines(self) -> None:
        found = paper(slug="nl_eye")
        assert (found.command, found.url) == ("nl-eye", "https://arxiv.org/abs/2410.00907")

    @pytest.mark.parametrize(
        ("given", "lesson"),
        [
            ({"slug": slug}, "lower-case words joined by '_', like 'nl_eye'")
            for slug in ("", "NL_eye", "nl-eye", "_nl", "nl__eye", "nl_", "1x", "nl eye", "nl.eye", "nl_eye\n")
        ]
        + [
            ({"arxiv": arxiv}, "an arXiv id looks like '2410.00907'")
            for arxiv in ("", "2410.00907v2", "arXiv:2410.00907", "2410.1", "hep-th/9901001", "２４１０.00907")
        ]
        + [
            ({"slug": None}, "a paper's slug must be a string, not NoneType"),
            ({"arxiv": 2410.00907}, "a paper's arxiv must be a string, not float"),
            ({"title": " "}, "made_up: title is blank"),
            ({"field": ""}, "made_up: field is blank"),
            ({"gist": ""}, "made_up: gist is blank"),
            ({"authors": ()}, "name at least one author"),
            ({"authors": ("A. Author", " ")}, "none of them blank"),
            ({"authors": "A. Author"}, r"made_up: authors must be a tuple, written \(one,\) .* not str"),
            ({"claims": ()}, "give at least one Claim"),
            ({"claims": claim()}, r"made_up: claims must be a tuple, written \(one,\) .* not Claim"),
            ({"claims": ("C1",)}, "claims must be a tuple of Claim; 'C1' is str"),
            ({"claims": (claim(), claim(id="C2"), claim())}, "claim ids must differ, but C1 stands there twice"),
        ],
    )
    def test_refuses(self, given: dict[str, Any], lesson: str) -> None:
        with pytest.raises(ValueError, match=lesson):
            paper(**given)

    def test_finds_a_claim_by_its_id(self) -> None:
        second = claim(id="C2")
        assert paper(claims=(claim(), second)).claim("C2") is second

    def test_a_claim_that_is_not_there_is_answered_with_those_that_are(self) -> None:
        with pytest.raises(KeyError, match="made_up has no claim 'C3'; it has C1, C2"):
            paper(claims=(claim(), claim(id="C2"))).claim("C3")

    def test_a_copy_with_a_change_is_checked_too(self) -> None:
        with pytest.raises(ValueError, match="gist is blank"):
            replace(paper(), gist="")
