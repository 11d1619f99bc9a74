"""Which run speaks for a claim; C1 to C8 and the runs are those of the invented day."""

import pytest

from paperworks.app.report.choice import choose
from paperworks.core import Untested, Verdict


@pytest.fixture
def adder(day):
    return day.of["fake_adder"]


def test_the_largest_preset_with_a_number_speaks(day, adder):
    full = day.published["fake_adder"]["full"]
    quick = day.local["fake_adder"]["quick"]
    both = {"quick": quick, "full": full}
    assert choose(adder.claim("C1"), both).preset == "full"
    assert choose(adder.claim("C1"), {"quick": quick}).preset == "quick"
    assert choose(adder.claim("C8"), both).verdict is Verdict.HOLDS


def test_a_smoke_run_and_a_bench_are_no_evidence(day, adder):
    full = day.published["fake_adder"]["full"]
    chosen = choose(adder.claim("C1"), {"smoke": full, "bench": full})
    assert (chosen.verdict, chosen.preset, chosen.reason) == (Verdict.UNTESTED, None, "not run yet")


def test_a_result_of_a_claim_that_has_changed_is_shown_and_not_judged(day, adder):
    chosen = choose(adder.claim("C7"), day.local["fake_adder"])
    assert chosen.stale
    assert chosen.verdict is Verdict.UNTESTED
    assert chosen.measurement is None
    assert chosen.reason == "judged anew: run again (--preset quick)"


def test_without_a_number_the_reason_is_given(day, adder):
    local = day.local["fake_adder"]
    assert choose(adder.claim("C8"), local).reason == "needs --preset full"
    assert choose(adder.claim("C5"), local).reason == "the paper prints no netlist to count"
    assert isinstance(choose(adder.claim("C8"), local).result, Untested)


def test_a_number_that_counts_goes_before_an_outdated_one_of_a_larger_run(day, adder):
    from dataclasses import replace

    quick = day.local["fake_adder"]["quick"]
    current = replace(quick, results={}).with_result(adder.claim("C7"), replace(quick.results["C7"].of))
    chosen = choose(adder.claim("C7"), {"full": quick, "quick": current})
    assert (chosen.preset, chosen.stale) == ("quick", False)
