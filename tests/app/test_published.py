"""The published evidence in this tree is whole, and judged by the claims as they stand today."""

import json
from pathlib import Path

import pytest

import paperworks
from paperworks.app.evidence import MAX_FILE_BYTES, Evidence
from paperworks.core import Measurement, papers

PACKAGE = Path(paperworks.__file__).parent
FILES = [
    pytest.param(slug, file, id=f"{slug}-{file.stem}")
    for slug in papers()
    for file in sorted((PACKAGE / slug / "evidence").glob("*.json"))
]
RUNS = [param for param in FILES if param.values[1].stem != "bench"]


def test_every_paper_has_published_a_quick_run():
    assert {slug for slug, file in (param.values for param in FILES) if file.stem == "quick"} == set(papers())


@pytest.mark.parametrize(("slug", "file"), FILES)
def test_published_evidence_is_complete_and_of_its_paper(slug, file):
    evidence = Evidence.from_json(json.loads(file.read_bytes()))
    assert (evidence.slug, evidence.preset, evidence.state) == (slug, file.stem, "complete")
    assert evidence.preset in {"quick", "full", "gpu", "bench"}
    assert file.stat().st_size <= MAX_FILE_BYTES
    assert set(evidence.source) == {"paper", "house"}
    assert evidence.environment["cpu"]
    if evidence.preset == "bench":
        assert evidence.bench
        assert not evidence.results


@pytest.mark.parametrize(("slug", "file"), RUNS)
def test_no_published_result_was_judged_otherwise(slug, file):
    evidence = Evidence.from_json(json.loads(file.read_bytes()))
    claims = {claim.id: claim for claim in papers()[slug].claims}
    assert set(evidence.results) == set(claims)
    assert [claim.id for claim in claims.values() if evidence.is_stale(claim)] == []
    figures = {
        name for result in evidence.results.values() if isinstance(result.of, Measurement) for name in result.of.figures
    }
    assert figures <= set(evidence.figures)
