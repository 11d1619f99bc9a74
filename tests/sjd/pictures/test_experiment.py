"""The experiment gives every claim a result; its numbers are what they say, on tiny pictures and small tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paperworks.core import Untested, paper
from paperworks.core.verdict import verdict
from paperworks.lab import Lab
from paperworks.sjd import claims_on_pictures, drawing, experiment
from paperworks.sjd.drawing import FAST, PAPER
from paperworks.sjd.goodness import sampled_law

SIZES = replace(experiment.PRESETS["smoke"], timed=1)


@pytest.fixture(scope="module")
def pictures(image, tmp_path_factory):
    """What an experiment draws, by a tiny model in the shipped one's place."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (drawing, claims_on_pictures):
            patch.setattr(module, "shipped", lambda device: image)
        yield claims_on_pictures.Pictures(Lab("sjd", seeds=1, home=tmp_path_factory.mktemp("lab")), SIZES)


@pytest.fixture(scope="module")
def results(pictures):
    return {result.claim: result for result in experiment.run(pictures.lab, SIZES)}


def test_every_claim_that_can_be_judged_has_a_result(results):
    assert set(results) == {claim.id for claim in paper("sjd").claims if claim.judge}
    untested = {name for name, result in results.items() if isinstance(result, Untested)}
    assert untested == {"C4", "C5", "C6"}
    assert all("--preset paper" in results[name].reason for name in untested)


def test_the_law_is_exact_and_wrong_schemes_are_not(results):
    law = results["C11"]
    assert verdict(paper("sjd").claim("C11"), law) == "holds"
    wrong = [row for row in law.rows if str(row["scheme"]).startswith("wrong")]
    right = [row for row in law.rows if "largest total variation" in row and row not in wrong]
    assert max(row["largest total variation"] for row in right) == law.value < 1e-12
    assert len(wrong) == 5
    assert all(row["p of the G-test"] > 1e-3 for row in law.rows if "p of the G-test" in row)


def test_the_note_on_the_law_states_the_smallest_p(results):
    law = results["C11"]
    fits = [row["p of the G-test"] for row in law.rows if "p of the G-test" in row]
    assert f"has p of {min(fits):.2g} or more" in law.note
    told = [
        cell
        for row in law.rows
        for key, cell in row.items()
        if key.startswith("p, ") and "another" not in row["scheme"]
    ]
    assert len(told) == 6
    assert f"below p of {min(told):.2g}" in law.note


def test_rows_of_passes_add_up(results, pictures):
    rows = {(row["scheme"], row["window"]): row for row in results["C1"].rows}
    papers = rows["the paper's", 16.0]
    assert papers["passes"] == pytest.approx(pictures.drawn(PAPER)["passes"].mean())
    assert papers["passes"] * papers["times fewer"] == pytest.approx(16)
    assert results["C1"].value == papers["times fewer"]
    assert results["C1"].figures == ("pictures", "accepted")


def test_what_others_published_is_marked_and_consistent(results):
    rows = {row["scheme"]: row for row in results["C1"].rows if row["scheme"].startswith("published: ")}
    assert len(rows) == 14
    assert all("arXiv" in scheme or "as quoted" in scheme for scheme in rows)
    coupled = rows["published: coupled, Lumina-mGPT 7B on MS-COCO (arXiv 2510.24211)"]
    assert 2390 / coupled["passes"] == pytest.approx(coupled["times fewer"], abs=0.01)


def test_projections_say_that_they_are_none_of_our_measurements(results):
    projected = [row for row in results["C2"].rows if row["scheme"].startswith("projected")]
    assert len(projected) == 3
    assert projected[0]["times faster"] == pytest.approx(2.22)
    assert "no measurement" in results["C2"].note


def test_accepted_codes_by_region_add_up_to_the_passes(pictures):
    found = pictures.drawn(PAPER)
    everywhere = np.ones_like(found["taken"], dtype=bool)
    assert claims_on_pictures._codes_a_pass(found["taken"], everywhere) == pytest.approx(16 / found["passes"].mean())
    busy = claims_on_pictures._busy(pictures, found["codes"])
    assert 0.3 < busy.mean() <= 0.5


def test_what_is_too_long_for_smoke_is_untested_with_the_reason(pictures, tmp_path):
    smoke = claims_on_pictures.Pictures(Lab("sjd", seeds=1, home=tmp_path), experiment.PRESETS["smoke"])
    found = [*claims_on_pictures.gains(smoke), *claims_on_pictures.on_pictures(smoke)]
    untested = [result for result in found if isinstance(result, Untested)]
    assert {result.claim for result in untested} == {"C2", "C7"}
    assert all("--preset quick" in result.reason for result in untested)


def test_rivals_are_run_where_they_are_asked_for():
    sizes = replace(experiment.PRESETS["smoke"], rivals=True)
    ways = claims_on_pictures._ways(sizes)
    assert len(ways) == 7 * len(sizes.windows)
    assert ("Gumbel coupling", replace(FAST, window=16)) in ways


def test_every_preset_is_there():
    assert set(experiment.PRESETS) == {"smoke", "quick", "full", "gpu", "paper"}


def test_the_test_of_fit_finds_a_wrong_law_out(monkeypatch):
    from paperworks.sjd import verification

    assert sampled_law(coupling="independent", verify="mrs", draws=20_000) > 1e-3
    monkeypatch.setattr(verification, "residual", lambda p, q: p)
    assert sampled_law(coupling="independent", verify="mrs", draws=20_000) < 1e-10
