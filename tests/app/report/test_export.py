"""What report.json holds, and that its form is the one that docs/report.md describes."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from paperworks.app.evidence import Evidence
from paperworks.app.report.export import SCHEMA, export
from paperworks.app.report.methods import methods
from paperworks.core import papers

DOCS = Path(__file__).resolve().parents[3] / "docs" / "report.md"


@pytest.fixture(scope="module")
def data(site):
    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads((site / "report.json").read_text(), parse_constant=refuse)


@pytest.fixture
def adder(data):
    return data["papers"][0]


def names_in(value):
    """Every name of every object, but not those of what evidence itself names freely."""
    free = {"sizes", "environment", "cost", "source", "rows", "bench"}
    if isinstance(value, list):
        return {name for item in value for name in names_in(item)}
    if not isinstance(value, dict):
        return set()
    return set(value) | {name for key, inner in value.items() if key not in free for name in names_in(inner)}


def described():
    """The names in the outline of the form, left of what is said about them, and those set as code below it."""
    section = DOCS.read_text().partition("## `report.json`")[2]
    outline, _, below = section.partition("```text\n")[2].partition("```")
    left = {part for line in outline.splitlines() for part in re.split(r"\s{2,}", line.strip())[0].split(", ")}
    return {name.removesuffix("[]") for name in left} | set(re.findall(r"`([a-z_]+)`", below))


def test_every_field_is_described(data):
    own = {"full", "quick", "smoke", "bench", "error", "strange"}  # presets, and the day's figures
    assert names_in(data) - own - described() == set()
    assert f"is the version of the form, now {SCHEMA}." in DOCS.read_text()


def test_the_verdicts_are_those_of_the_pages(adder):
    assert [claim["published"]["verdict"] for claim in adder["claims"]] == [
        "holds", "partly", "fails", "unclear", "untested", "holds", "untested", "holds",
    ]  # fmt: skip
    first = adder["claims"][0]
    assert first["published"]["measurement"]["value"] == 0.9944
    assert (first["link"], first["judge"]) == ("fake-adder.html#C1", {"low": 0.8, "high": 1.25, "null": None})
    assert adder["claims"][2]["judge"] == {"low": None, "high": 1, "null": 1}
    assert adder["claims"][4]["judge"] is None
    assert adder["claims"][5]["published"]["stand_in"]
    assert adder["claims"][6]["yours"]["reason"] == "judged anew: run again (--preset quick)"


def test_every_run_is_there_with_its_verdicts_and_is_read_back_without_its_figures(adder, day):
    runs = adder["runs"]
    assert {origin: set(held) for origin, held in runs.items()} == {
        "published": {"full", "bench"}, "yours": {"quick", "smoke"},
    }  # fmt: skip
    results = {one["claim"]: one for one in runs["yours"]["quick"]["results"]}
    assert (results["C2"]["verdict"], results["C7"]["verdict"], results["C8"]["verdict"]) == (
        "holds",
        "untested",
        "untested",
    )
    assert results["C7"]["value"] == 1.02, "what is judged anew is not judged, and not lost"
    assert runs["yours"]["quick"]["environment"]["packages"]["torch"] == "2.13.0"
    assert runs["published"]["bench"]["bench"][0]["ratio"] == 2.02
    read = Evidence.from_json(runs["published"]["full"] | {"figures": {}})
    assert read == replace(day.published["fake_adder"]["full"], figures={})


def test_the_comparison_is_there(adder, data):
    changes = {one["id"]: one for one in adder["comparison"]["claims"]}
    assert changes["C3"]["change"] == "changed"
    assert changes["C3"]["difference"]["value"] == pytest.approx(0.97 - 1.234)
    assert changes["C8"]["because"] == "yours: needs --preset full"
    assert data["papers"][1]["comparison"]["claims"][0]["because"] == "published: not run yet"


def test_a_result_of_a_claim_that_is_no_more_has_no_verdict(day):
    paper = replace(day.of["fake_adder"], claims=day.of["fake_adder"].claims[1:])
    (one,) = export({"fake_adder": paper}, published={}, local=day.local)["papers"]
    gone = one["runs"]["yours"]["quick"]["results"][0]
    assert (gone["claim"], gone["verdict"]) == ("C1", None)


def test_without_any_run_the_claims_are_there(day):
    bare = export(day.of, published={}, local={})
    assert bare["schema"] == SCHEMA
    assert {claim["yours"]["reason"] for claim in bare["papers"][1]["claims"]} == {"not run yet"}


@pytest.mark.parametrize("slug", list(papers()))
def test_a_paper_lists_what_its_package_offers(slug):
    offered = methods(slug)
    assert offered
    assert len(set(offered)) == len(offered)
    stub = (Path(__file__).resolve().parents[3] / "src" / "paperworks" / slug / "__init__.pyi").read_text()
    assert all(re.search(rf"\bas {name}\b", stub) for name in offered)


def test_a_folder_without_a_stub_offers_nothing():
    assert methods("no_such_paper") == ()
