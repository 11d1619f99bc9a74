"""What rules and horizon do to the shipped model's fillings is measured on the same holes."""

from __future__ import annotations

import pytest

from paperworks.core import Untested, paper, verdict
from paperworks.hlp import infill_effects
from paperworks.hlp.evaluation import Filled
from paperworks.hlp.infill_effects import rule_dependence
from paperworks.lab import Lab


@pytest.fixture
def lab(tmp_path):
    return Lab("hlp", home=tmp_path)


def test_the_claim_is_the_gain_of_all_rules_in_points(lab, monkeypatch):
    """Every filling is the truth with a line too many: no match as written, all of them after the rules."""

    def filled(lab, model, tokenizer, version, holes, end_bias):
        texts = (hole.truth + ("" if hole.truth.endswith("\n") else "\n") + "x ? (\n" for hole in holes)
        return [Filled(text=text, tokens=9 - int(end_bias), truth_tokens=5, stopped=not end_bias) for text in texts]

    monkeypatch.setattr(infill_effects, "_filled", filled)
    found = rule_dependence(lab, 4, end_biases=(2.0,))
    assert (found.value, found.baseline, found.unit) == (100, 0, "points")
    rows = {row["fillings"]: row for row in found.rows}
    assert list(rows) == [
        "as written",
        "after lines of the truth",
        "after syntax",
        "after overlap with the suffix",
        "all rules",
        "end bias 2",
    ]
    assert rows["as written"]["length error, tokens"] == 4
    assert rows["end bias 2"]["length error, tokens"] == 2
    assert rows["end bias 2"]["stopped, %"] == 0
    assert "the length error changes by -2.00 tokens [-2.00, -2.00]" in found.note
    assert str(verdict(paper("hlp").claim("H6"), found)) == "holds"


def test_where_nothing_matches_the_claim_is_untested_and_the_horizon_told_of(lab, monkeypatch):
    def filled(lab, model, tokenizer, version, holes, end_bias):
        return [Filled(text="?", tokens=7, truth_tokens=5, stopped=True) for _ in holes]

    monkeypatch.setattr(infill_effects, "_filled", filled)
    found = rule_dependence(lab, 4, end_biases=(2.0,))
    assert isinstance(found, Untested)
    assert found.reason.startswith("the shipped model fills none of 16 held-out holes exactly")
    assert "the length error changes by +0.00 tokens" in found.reason


def test_the_shipped_model_is_measured_and_the_same_again(lab):
    found = rule_dependence(lab, 3, end_biases=(4.0,))
    assert found.claim == "H6"
    assert rule_dependence(lab, 3, end_biases=(4.0,)) == found
