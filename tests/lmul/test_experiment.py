"""The experiment gives every claim a result, with the known numbers, and the arithmetics it compares are right."""

import math

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from paperworks.core import Measurement, Untested, Verdict, paper, verdict
from paperworks.lab import Lab
from paperworks.lmul import experiment, matmul, quantize
from paperworks.lmul.contenders import CONTENDERS, attention_by, everywhere


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    events = []
    lab = Lab("lmul", seeds=3, home=tmp_path_factory.mktemp("steps"), emit=events.append)
    found = {result.claim: result for result in experiment.run(lab, experiment.PRESETS["smoke"])}
    return found, events


@pytest.fixture
def llama():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    return LlamaForCausalLM(config).eval()


def test_every_claim_that_can_be_judged_has_a_result(results):
    found, _ = results
    assert set(found) == {claim.id for claim in paper("lmul").claims if claim.judge is not None}
    assert isinstance(found["C6"], Untested)
    assert found["C6"].reason == "needs --preset full"


def test_the_finding_adder_holds_and_formula_fails(results):
    """Section 2.6: the comparison with fp8 holds for the carry with truncation, and not for the formula as printed."""
    found, _ = results
    verdicts = {claim.id: verdict(claim, found.get(claim.id)) for claim in paper("lmul").claims}
    assert verdicts["C1"] is verdicts["C2"] is Verdict.HOLDS
    assert verdicts["C1-formula"] is verdicts["C2-formula"] is Verdict.FAILS


def test_rows_hold_the_known_errors_of_uniform_operands(results):
    """Section 2.6's table; a coarse grid, hence three digits."""
    found, _ = results
    (uniform,) = (row for row in found["C1"].rows if row["operands"] == "uniform")
    assert uniform["L-Mul k = 4, RMS"] == pytest.approx(0.03586, abs=5e-4)
    assert uniform["e4m3, RMS"] == pytest.approx(0.0361, abs=5e-4)
    (uniform,) = (row for row in found["C2-formula"].rows if row["operands"] == "uniform")
    assert uniform["L-Mul k = 3, RMS"] == pytest.approx(0.11762, abs=1e-3)


def test_value_is_the_geometric_mean_of_its_rows(results):
    found, _ = results
    for claim in ("C1", "C1-formula", "C2", "C2-formula"):
        ratios = [row["ratio"] for row in found[claim].rows]
        assert len(ratios) == 3
        assert found[claim].value == pytest.approx(math.exp(np.mean(np.log(ratios))), rel=1e-9)


def test_energy_is_the_smaller_saving_of_the_two_formats(results):
    found, _ = results
    assert found["C3"].value == pytest.approx(100 * (1 - 0.05 / 1.1))
    assert found["C3-dot"].value == pytest.approx(70.0)
    assert {row["format"] for row in found["C3"].rows} == {"fp32", "fp16"}


def test_figures_are_drawn_before_they_are_named(results):
    found, events = results
    drawn = {event["name"] for event in events if event["event"] == "figure"}
    named = {name for result in found.values() if isinstance(result, Measurement) for name in result.figures}
    assert named == drawn == {"errors", "digits", "language"}


def test_a_second_run_is_replayed_to_the_same_numbers(tmp_path):
    sizes = experiment.PRESETS["smoke"]
    runs = [list(experiment.run(Lab("lmul", seeds=3, home=tmp_path, emit=lambda event: None), sizes)) for _ in range(2)]
    assert runs[0] == runs[1]


def test_presets_but_smoke_try_every_arithmetic():
    assert set(experiment.PRESETS) == {"smoke", "quick", "full"}
    for name, sizes in experiment.PRESETS.items():
        assert sizes.seeds >= 3
        assert name == "smoke" or sizes.contenders == tuple(CONTENDERS)
    assert experiment.PRESETS["full"].tuning_steps > 0


def test_ordinary_contender_multiplies_shortened_operands():
    a, b = torch.randn(3, 5, 8), torch.randn(3, 8, 4)
    e5m2 = CONTENDERS["e5m2"].product(a, b)
    expected = quantize(a, 2, rounding="nearest") @ quantize(b, 2, rounding="nearest")
    torch.testing.assert_close(e5m2, expected, rtol=0, atol=0)
    assert torch.equal(CONTENDERS["float32"].product(a, b), a @ b)


def test_lmul_contender_is_lmul():
    a, b = torch.randn(4, 8), torch.randn(8, 3)
    assert torch.equal(CONTENDERS["carry3"].product(a, b), matmul(a, b, mantissa_bits=3))
    assert torch.equal(CONTENDERS["formula4"].product(a, b), matmul(a, b, mantissa_bits=4, variant="formula"))


@pytest.mark.parametrize("name", ["e4m3", "carry3"])
def test_gradients_are_the_ordinary_products(name):
    """Straight through: dA = dO·B' and dB = A'·dO, with the operands as the contender saw them."""
    a, b = torch.randn(4, 8, requires_grad=True), torch.randn(8, 3, requires_grad=True)
    CONTENDERS[name].product(a, b).sum().backward()
    ones = torch.ones(4, 3)
    torch.testing.assert_close(a.grad, ones @ b.detach().T, rtol=0.15, atol=0.4)
    torch.testing.assert_close(b.grad, a.detach().T @ ones, rtol=0.15, atol=0.4)


@torch.no_grad()
def test_attention_alone_changes_and_comes_back(llama):
    tokens = torch.randint(64, (2, 12))
    before = llama(tokens).logits
    with attention_by(llama, CONTENDERS["float32"]):
        torch.testing.assert_close(llama(tokens).logits, before, rtol=1e-5, atol=1e-6)
    with attention_by(llama, CONTENDERS["truncated2"]):
        assert not torch.equal(llama(tokens).logits, before)
    assert torch.equal(llama(tokens).logits, before)


@torch.no_grad()
def test_everywhere_reaches_linear_layers_and_comes_back_after_an_error(llama):
    tokens = torch.randint(64, (2, 12))
    before, names = llama(tokens).logits, set(llama.state_dict())
    with everywhere(llama, CONTENDERS["float32"]):
        torch.testing.assert_close(llama(tokens).logits, before, rtol=1e-5, atol=1e-6)
    with everywhere(llama, CONTENDERS["carry2"]):
        changed = llama(tokens).logits
    with attention_by(llama, CONTENDERS["carry2"]):
        assert not torch.equal(llama(tokens).logits, changed)
    with pytest.raises(IndexError), everywhere(llama, CONTENDERS["carry2"]):
        llama(tokens + 64)
    assert torch.equal(llama(tokens).logits, before)
    assert set(llama.state_dict()) == names
