"""The experiment gives every claim a result, with the known numbers, and the arithmetics it compares are right."""

import math
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from paperworks.core import Measurement, Untested, Verdict, paper, verdict
from paperworks.lab import Lab, corpus, tiny_lm
from paperworks.lmul import cost, digits, experiment, language, matmul, quantize, text_claims
from paperworks.lmul.backends import BACKENDS
from paperworks.lmul.contenders import CONTENDERS, attention_by, everywhere
from paperworks.lmul.tuning import TUNED_WITH

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


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


def test_presets_try_every_arithmetic_and_their_seeds_are_enough():
    assert set(experiment.PRESETS) == {"smoke", "quick", "full", "gpu", "paper"}
    for name, sizes in experiment.PRESETS.items():
        assert sizes.seeds >= 3
        assert name in ("smoke", "paper") or sizes.contenders == tuple(CONTENDERS)
        assert name in ("smoke", "quick") or sizes.tuning_steps > 0


@pytest.mark.parametrize("recipe", sorted(tiny_lm.RECIPES))
def test_settings_name_the_models_true_size(recipe):
    with torch.device("meta"):
        parameters = LlamaForCausalLM(tiny_lm.RECIPES[recipe].config()).num_parameters()
    assert float(text_claims._parameters(recipe)) == pytest.approx(parameters / 1e6, rel=0.05)


def test_the_gpu_preset_goes_through_the_gpus_kernels(tmp_path, monkeypatch):
    """Its own code path with a tiny model, on the Triton interpreter where there is no GPU."""
    tiny = replace(
        tiny_lm.RECIPES["large"],
        vocabulary=300,
        hidden=16,
        intermediate=16,
        layers=1,
        heads=2,
        kv_heads=1,
        context=32,
        tokens=4000,
        batch=4,
        learning_rate=1e-2,
    )
    monkeypatch.setattr(tiny_lm, "RECIPES", {**tiny_lm.RECIPES, "large": tiny})

    def choice(device, dtype, threads, variant, mantissa_bits, sizes):
        if variant == "formula":
            return "gemm"
        return "fp8" if mantissa_bits <= 3 else "triton" if sizes[1] <= 8 else "table"  # few terms: it is interpreted

    monkeypatch.setattr(cost, "_choice", choice)
    monkeypatch.setattr(digits, "HELD_OUT", 10)
    monkeypatch.setattr(text_claims, "_READ_BESIDE", "large")
    library = tmp_path / "library"
    (library / "json").mkdir(parents=True)
    for number in range(50):  # text that a tiny model can learn in a second
        (library / "json" / f"part{number}.py").write_text("x = x\n" * 8 + f"# {number}\n")
    monkeypatch.setattr(tiny_lm, "standard_library", lambda: corpus.standard_library(library))
    used = Counter()
    for name in ("triton", "fp8", "gemm"):
        backend = BACKENDS[name]
        spy = partial(lambda name, multiply, *given: used.update([name]) or multiply(*given), name, backend.multiply)
        monkeypatch.setitem(BACKENDS, name, replace(backend, multiply=spy))
    monkeypatch.setattr(language, "_documentation", lambda: (["Names bind values. " * 40], ["Values have types. " * 4]))
    sizes = replace(
        experiment.PRESETS["gpu"],
        training_steps=1,
        grid=16,
        pairs=50,
        tokens_per_file=6,
        judged_tokens_per_file=7,
        tuning_steps=1,
        contenders=("float32", "e5m2", "carry3", "carry4", "formula4"),
    )
    lab = Lab("lmul", preset="gpu", device=DEVICE, seeds=3, home=tmp_path / "home", cache=tmp_path / "cache")
    found = {result.claim: result for result in experiment.run(lab, sizes)}
    assert set(used) == {"triton", "fp8", "gemm"}
    assert found["C4"].n == found["C6"].n == 3
    assert found["C4"].interval == "seeds+items"
    assert "3 Llamas" in found["C5b"].setting
    assert {row["every product"] for row in found["C6"].rows} == {c.says for c in TUNED_WITH.values()}


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
