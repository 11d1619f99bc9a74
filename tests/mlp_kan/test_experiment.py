"""The experiment gives every claim a result, its formulas are right, and its networks keep to the budget."""

from __future__ import annotations

import numpy as np
import pytest

from paperworks.core import paper
from paperworks.lab import Lab
from paperworks.mlp_kan import contenders, experiment, feynman


def test_every_claim_has_a_result_and_splines_converge_with_the_fourth_power(tmp_path):
    sizes = experiment.PRESETS["smoke"]
    results = {
        result.claim: result for result in experiment.run(Lab("mlp_kan", seeds=sizes.seeds, home=tmp_path), sizes)
    }
    assert set(results) == {claim.id for claim in paper("mlp_kan").claims}
    assert results["MK7"].value == pytest.approx(-4, abs=0.3)


def test_formulas_have_their_known_values():
    assert feynman.TABLE["I.16.6"].formula(0.5, 0.5, 1.0) == pytest.approx(0.8)
    assert feynman.TABLE["I.8.4"].formula(0.0, 3.0, 1.0, 5.0) == pytest.approx(5)
    assert feynman.TABLE["I.12.11"].formula(2.0, 1.0, 3.0, 1.0, np.pi / 2) == pytest.approx(8)
    assert feynman.TABLE["I.13.12"].formula(1.0, 1.0, 1.0, 2.0, 0.5) == pytest.approx(1.5)
    assert feynman.TABLE["I.6.20"].formula(0.0, 1.0) == pytest.approx(0.398942, abs=1e-6)
    assert feynman.target_std("I.12.1") == pytest.approx(1 / 3, rel=0.01)


def test_the_papers_mlp_learned_nothing_of_a_product():
    assert feynman.TABLE["I.12.1"].mlp / feynman.target_std("I.12.1") == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("kind", contenders.CONTENDERS)
def test_networks_use_most_of_the_budget_and_no_more(kind):
    network = contenders.build(kind, inputs=4, budget=6000)
    assert 0.75 * 6000 < sum(parameter.numel() for parameter in network.parameters()) <= 6000


def test_a_fit_follows_its_seed_and_beats_the_mean():
    settings = {"kind": "KAN", "equation": "I.12.1", "budget": 1000, "steps": 100}
    error = contenders.rmse_of_fit(seed=1, **settings)
    assert error == contenders.rmse_of_fit(seed=1, **settings)
    assert error < 0.5 * feynman.target_std("I.12.1")


def test_what_there_is_not_is_refused():
    with pytest.raises(ValueError, match=r"the equations are I\.6\.20"):
        feynman.load("I.99", n=3, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="too small"):
        contenders.build("MLP", inputs=4, budget=2)
