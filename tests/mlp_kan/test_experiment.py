"""The experiment gives every claim a result, its networks keep to the budget, and times are made equal."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from paperworks.core import Measurement, paper
from paperworks.lab import Lab
from paperworks.mlp_kan import (
    contenders,
    digits,
    experiment,
    feed_forward,
    feynman,
    formula_claims,
    image_claims,
    source_lines,
    text_claims,
)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    sizes, events = experiment.PRESETS["smoke"], []
    lab = Lab("mlp_kan", seeds=sizes.seeds, home=tmp_path_factory.mktemp("smoke"), emit=events.append)
    return {result.claim: result for result in experiment.run(lab, sizes)}, events


def test_every_claim_has_a_result_and_splines_converge_with_the_fourth_power(smoke):
    results, _ = smoke
    assert set(results) == {claim.id for claim in paper("mlp_kan").claims}
    assert all(isinstance(result, Measurement) for result in results.values())
    assert results["MK7"].value == pytest.approx(-4, abs=0.3)


def test_figures_are_those_that_the_results_name(smoke):
    results, events = smoke
    named = {name for result in results.values() for name in getattr(result, "figures", ())}
    assert named == {"convergence", "formula-errors", "digits"}
    assert {event["name"] for event in events if event["event"] == "figure"} == named


def test_the_papers_own_errors_stand_beside_ours(smoke):
    results, _ = smoke
    rows = {row["equation"]: row for row in results["MK1"].rows}
    assert rows["I.12.1"]["paper: MLP / std of the target"] == pytest.approx(1.0, abs=0.01)
    assert "I.6.20, I.12.1" in results["MK1"].note


def _errors():
    """Of three seeds and two equations: MLP-KAN has half the MLP's error everywhere, and the KAN's on one equation."""
    ours = np.array([[0.1, 0.4], [0.1, 0.4], [0.2, 0.8]])
    return {"MLP": 2 * ours, "KAN": ours * [0.5, 2.0], "MLP-KAN": ours}


def test_ratios_and_wins_are_those_of_known_errors():
    sizes = dataclasses.replace(experiment.PRESETS["smoke"], equations=("I.6.20", "I.12.1"))
    results = {result.claim: result for result in formula_claims._at_equal_sizes(sizes, _errors(), "a-figure")}
    assert results["MK1"].value == pytest.approx(2)
    assert results["MK1-wins"].value == 1
    assert results["MK2"].value == 0.5
    assert results["MK2-mean"].value == pytest.approx(1)
    shares = {row["network"]: row["best on, share"] for row in results["MK2"].rows}
    assert shares == {"MLP": 0, "KAN": 0.5, "MLP-KAN": 0.5}


def test_a_network_that_is_twice_as_fast_takes_twice_as_many_steps(tmp_path, monkeypatch):
    seconds = {"MLP": 1.0, "KAN": 2.0, "MLP-KAN": 4.0}
    monkeypatch.setattr(formula_claims.contenders, "seconds_of_steps", lambda **_: seconds)
    lab, sizes = Lab("mlp_kan", home=tmp_path), experiment.PRESETS["smoke"]
    steps = formula_claims._steps_of_equal_time(lab, sizes)
    assert {kind: by_equation["I.12.1"] for kind, by_equation in steps.items()} == {
        "MLP": 4 * sizes.steps,
        "KAN": 2 * sizes.steps,
        "MLP-KAN": sizes.steps,
    }


@pytest.mark.parametrize("inputs", [1, 4, 9])
@pytest.mark.parametrize("kind", contenders.CONTENDERS)
def test_networks_use_most_of_the_budget_and_no_more(kind, inputs):
    network = contenders.build(kind, inputs=inputs, budget=6000)
    assert 0.9 * 6000 < contenders.parameters(network) <= 6000


def test_a_fit_follows_its_seed_and_beats_the_mean():
    settings = {"kind": "KAN", "equation": "I.12.1", "budget": 1000, "steps": 100}
    error = contenders.rmse_of_fit(seed=1, **settings)
    assert error == contenders.rmse_of_fit(seed=1, **settings)
    assert error != contenders.rmse_of_fit(seed=2, **settings)
    assert error < 0.5 * feynman.target_std("I.12.1")


def test_seconds_are_measured_for_every_network():
    assert set(contenders.seconds_of_steps(inputs=2, budget=1000)) == set(contenders.CONTENDERS)


def test_a_budget_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match="too small"):
        contenders.build("MLP", inputs=4, budget=2)


@pytest.mark.parametrize("kind", ["MLP", "KAN"])
def test_feed_forward_parts_are_as_large_as_the_mixture(kind):
    shape = experiment.PRESETS["full"].shape
    mixture = feed_forward.size("MLP-KAN", experts=8, shape=shape)
    assert 0.97 * mixture < feed_forward.size(kind, experts=8, shape=shape) <= mixture


def test_a_small_vision_transformer_learns_to_read_digits():
    settings = {"experts": 4, "top_k": 2, "shape": feed_forward.Shape(width=16, layers=1, expert=8), "threads": 1}
    before, after = (digits.correct_answers(seed=0, kind="MLP", steps=n, **settings).mean() for n in (1, 150))
    assert before < 0.3
    assert after > 0.6


def test_images_wait_for_a_larger_preset(tmp_path):
    results = list(image_claims.images(Lab("mlp_kan", home=tmp_path), experiment.PRESETS["quick"]))
    assert [result.claim for result in results] == list(image_claims.CLAIMS)
    assert {result.reason for result in results} == {"needs --preset full"}


def test_lines_are_of_two_kinds_and_of_other_files_where_held_out():
    (train, labels), (held_out, answers) = source_lines._lines()
    for (inputs, kinds), count in (((train, labels), source_lines.TRAIN), ((held_out, answers), source_lines.HELD_OUT)):
        assert inputs["input_ids"].shape == (count, 32)
        assert kinds.sum() == count / 2
        assert (inputs["attention_mask"].sum(1) > 1).all()
    rows = [{tuple(row) for row in part["input_ids"].tolist()} for part in (train, held_out)]
    assert len(rows[0] & rows[1]) < 0.1 * source_lines.HELD_OUT  # a few lines stand in several files


def test_docstrings_are_found_wherever_they_may_stand():
    text = '''"""What the module is good for."""

import os  # not a docstring


class Shape:
    """A thing with sides and corners.

    It goes on for a second paragraph.
    """

    def area(self, width, height):
        """How much of the plane it covers."""
        # a comment that nobody counts
        label = "this one is no docstring at all"
        return width * height * len(label)
'''
    code, documentation = source_lines._of_file(text)
    assert documentation == [
        "What the module is good for.",
        "A thing with sides and corners.",
        "It goes on for a second paragraph.",
        "How much of the plane it covers.",
    ]
    assert code == [
        "import os  # not a docstring",
        "def area(self, width, height):",
        'label = "this one is no docstring at all',
        "return width * height * len(label)",
    ]


def test_a_small_bert_learns_to_tell_lines_apart():
    settings = {"experts": 4, "top_k": 2, "shape": feed_forward.Shape(width=16, layers=1, expert=8), "threads": 1}
    before, after = (source_lines.correct_answers(seed=0, kind="KAN", steps=n, **settings).mean() for n in (1, 100))
    assert before < 0.6
    assert after > 0.65


def test_text_waits_for_a_larger_preset(tmp_path):
    (result,) = text_claims.text(Lab("mlp_kan", home=tmp_path), experiment.PRESETS["quick"])
    assert (result.claim, result.reason) == ("MK4", "needs --preset full")
