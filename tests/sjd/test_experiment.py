"""The experiment gives every claim a result, and C11's number is the exact one."""

from __future__ import annotations

import pytest

from paperworks.core import Measurement, Untested, paper
from paperworks.core.verdict import verdict
from paperworks.lab import Lab
from paperworks.sjd import experiment
from paperworks.sjd.goodness import sampled_law


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    sizes = experiment.PRESETS["smoke"]
    return list(experiment.run(Lab("sjd", seeds=sizes.seeds, home=tmp_path_factory.mktemp("lab")), sizes))


def test_every_claim_that_can_be_judged_has_a_result(results):
    judged = {claim.id for claim in paper("sjd").claims if claim.judge}
    assert {result.claim for result in results} == judged
    assert len(results) == len(judged)


def test_the_law_is_exact_and_wrong_schemes_are_not(results):
    law = next(result for result in results if isinstance(result, Measurement))
    assert verdict(paper("sjd").claim("C11"), law) == "holds"
    wrong = [row for row in law.rows if str(row["scheme"]).startswith("wrong")]
    right = [row for row in law.rows if "largest total variation" in row and row not in wrong]
    assert max(row["largest total variation"] for row in right) == law.value < 1e-12
    assert len(wrong) == 5
    assert all(row["p of the G-test"] > 1e-3 for row in law.rows if "p of the G-test" in row)


def test_what_needs_a_trained_model_is_untested_with_the_reason(results):
    waiting = [result for result in results if isinstance(result, Untested)]
    assert {result.claim for result in waiting} == {"C1", "C2", "C7", "C8", "C9", "C10"}
    assert all("image model" in result.reason for result in waiting)


def test_every_preset_is_there():
    assert set(experiment.PRESETS) == {"smoke", "quick", "full", "gpu", "paper"}


def test_the_test_of_fit_finds_a_wrong_law_out(monkeypatch):
    from paperworks.sjd import verification

    assert sampled_law(coupling="independent", verify="mrs", draws=20_000) > 1e-3
    monkeypatch.setattr(verification, "residual", lambda p, q: p)
    assert sampled_law(coupling="independent", verify="mrs", draws=20_000) < 1e-10
