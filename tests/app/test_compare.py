"""``paperworks compare`` as a person and a script see it. What it compares by is in report/test_comparison.py."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

RESULTS = """
import json
with open(HERE / "values.json") as file:
    values = json.load(file)
for claim, value in values.items():
    yield found(claim, value) if value is not None else Untested(claim=claim, reason="needs --preset full")
"""


@pytest.fixture(scope="module")
def compared(shared_house: Any) -> Any:
    """A house with a paper that was run at quick and at full, with other numbers."""
    house = shared_house
    house.variables["FAKE_PLACE"] = str(house.root)
    house.paper("fine", RESULTS, ("C1", "C2", "C3"))
    house.paper("never_run", "yield", ("C1",))
    for preset, values in (
        ("quick", {"C1": 1.0, "C2": 1.0, "C3": None}),
        ("full", {"C1": 3.0, "C2": 1.05, "C3": 1.0}),
        ("smoke", {"C1": 1.0, "C2": 1.0, "C3": None}),
    ):
        (house.root / "values.json").write_text(json.dumps(values))
        assert house.call("run", "fine", "--preset", preset).code == 0
    return house


def file_of(house: Any, preset: str) -> Path:
    return Path(house.home / "runs" / "fine" / f"{preset}.json")


def changed(house: Any, **fields: Any) -> str:
    """The quick run's evidence with other fields, as text, and without the digest of what it was."""
    kept = json.loads(file_of(house, "quick").read_text())
    kept.pop("sha256", None)
    return json.dumps(kept | fields)


def test_two_of_yours_claim_by_claim(compared: Any) -> None:
    done = compared.call("compare", "fine", "quick", "full")
    assert done.code == 3
    blocks = done.out.split("\n\n")
    assert blocks[0].splitlines() == ["A fake called fine", "your full run against your quick run"]
    assert blocks[1].splitlines() == [
        "C1  Claim C1 of fine.",
        "    your quick run  ● holds  1.00 [0.90, 1.10]  quick run",
        "    your full run   ● holds  3.00 [2.90, 3.10]  full run",
        "    change          ≠ changed, by more than the noise of seeds",
        "                      +2.00 [1.86, 2.14]",
    ]
    assert blocks[2].splitlines()[-2:] == [
        "    change          ≈ within the noise of seeds",
        "                      +0.05 [-0.09, 0.19]",
    ]
    assert blocks[3].splitlines()[-1] == "    change          – not compared: your quick run: needs --preset full"
    assert blocks[4].splitlines()[0] == "What else differs"
    assert re.fullmatch(r"  run +preset: quick → full", blocks[4].splitlines()[-1])
    assert blocks[5] == (
        "Of 2 claims with a number on both sides, 1 changed and 1 is within noise. 1 claim could not be compared.\n"
    )


def test_as_json_with_the_same_exit_code(compared: Any) -> None:
    done = compared.call("compare", "fine", "full", "quick", "--json")
    assert (done.code, done.err) == (3, "")
    assert [one["change"] for one in done.json["claims"]] == ["changed", "within noise", "not compared"]
    assert done.json["claims"][0]["difference"]["value"] == -2.0
    assert done.json["slug"] == "fine"


def test_where_nothing_changed_it_exits_0(compared: Any) -> None:
    done = compared.call("compare", "fine", "smoke", "quick")
    assert done.code == 0
    assert "change          = the same" in done.out


def test_evidence_files_of_one_name_are_told_apart(compared: Any, tmp_path: Path) -> None:
    copy = tmp_path / "quick.json"
    copy.write_bytes(file_of(compared, "quick").read_bytes())
    done = compared.call("compare", "fine", str(copy), str(file_of(compared, "quick")))
    assert done.code == 0
    assert f"{file_of(compared, 'quick')} against {copy}" in done.out
    assert "the same sizes, seeds, source, packages and machine" in done.out


def test_where_no_claim_has_two_numbers_it_exits_4(compared: Any, tmp_path: Path) -> None:
    bare = tmp_path / "bare.json"
    bare.write_text(changed(compared, results=[], state="failed"))
    done = compared.call("compare", "fine", "local", str(bare))
    assert done.code == 4
    assert "No claim has a number on both sides that can be compared." in done.out
    assert "bare.json: the run failed before it came to this claim" in done.out


def test_yours_against_the_published_unless_asked_otherwise(compared: Any) -> None:
    folder = compared.package / "fine" / "evidence"
    folder.mkdir()
    (folder / "quick.json").write_bytes(file_of(compared, "quick").read_bytes())
    done = compared.call("compare", "fine")
    assert done.code == 0, "the two quick runs are compared, not the published quick with your full one"
    assert "yours against published" in done.out
    report = compared.call("report", "--json")
    assert json.loads((compared.home / "report" / "report.json").read_text()) == report.json
    assert report.json["papers"][0]["comparison"]["summary"] in done.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["never-run"], "never-run has no published run"),
        (["never-run", "local", "quick"], "no run of never-run here is evidence: `paperworks run never-run`"),
        (["fine", "gpu", "quick"], "there is no gpu run of fine here: `paperworks run fine --preset gpu`"),
        (["fine", "quick", "quick"], "both sides are quick; name two, e.g. `paperworks compare fine published local`"),
        (["fine", "quick", "ful"], "there is no run 'ful'; did you mean full?"),
        (["fine", "quick", "x"], "there is no run 'x'; give an evidence file or one of published, local, smoke, quick"),
        (["fine", "quick", "gone.json"], "there is no file gone.json; `paperworks run` prints where it keeps"),
        (["fine", "quick", "values.json"], "values.json is no evidence of a run: "),
        (["fine", "quick", "bench.json"], "bench.json is a bench, which has times and no claims"),
        (["fine", "quick", "other.json"], "other.json is a run of never_run, not of fine"),
        (["nine"], "there is no paper 'nine'; did you mean fine?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_is_told_in_a_sentence_and_exits_2(compared: Any, arguments: list[str], says: str) -> None:
    (compared.root / "bench.json").write_text(changed(compared, preset="bench"))
    (compared.root / "other.json").write_text(changed(compared, slug="never_run"))
    done = compared.call("compare", *arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith(f"error: {says}")
    assert done.err.count("\n") == 1
