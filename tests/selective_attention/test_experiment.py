"""The experiment gives every claim a result, its task and counts are right, and its language models compare fairly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from paperworks.core import Measurement, Untested, Verdict, paper, verdict
from paperworks.lab import Lab, corpus, stats
from paperworks.lab.tiny_lm import Recipe
from paperworks.lab.train_tiny_lm import Training
from paperworks.selective_attention import experiment, language, language_claims, texts
from paperworks.selective_attention import variable_assignment as task
from paperworks.selective_attention.operations import PAPERS, Decoder
from paperworks.selective_attention.sizes import LanguageSizes

CLAIMS = {claim.id: claim for claim in paper("selective_attention").claims if claim.judge}
TINY = Recipe(
    vocabulary=300,
    hidden=16,
    intermediate=16,
    layers=2,
    heads=2,
    kv_heads=2,
    context=64,
    tokens=6 * 4 * 64,
    batch=4,
    learning_rate=1e-2,
    optimizer="adamw",
)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    events = []
    lab = Lab("selective_attention", seeds=3, home=tmp_path_factory.mktemp("steps"), emit=events.append)
    return {result.claim: result for result in experiment.run(lab, experiment.PRESETS["smoke"])}, events


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A library that a tiny model reads in no time."""
    folder = tmp_path / "library"
    (folder / "json").mkdir(parents=True)
    for number in range(120):
        (folder / "json" / f"part{number}.py").write_text("x = x\n" * 8 + f"# {number}\n")
    small = corpus.standard_library(folder)
    monkeypatch.setattr(corpus, "standard_library", lambda: small)
    return small


@pytest.fixture
def new_lab(tmp_path):
    def make(home="home"):
        return Lab(
            "selective_attention", seeds=3, home=tmp_path / home, cache=tmp_path / "cache", emit=lambda event: None
        )

    return make


def study_of(lab):
    return language.Study(lab, TINY, texts.read(lab, None), checkpoints=2)


def test_every_claim_that_can_be_judged_has_a_result(smoke):
    found, _ = smoke
    assert set(found) == set(CLAIMS)
    untested = {claim: result.reason for claim, result in found.items() if isinstance(result, Untested)}
    assert untested.pop("S3-1024") == "needs --preset gpu"
    assert {untested.pop(claim) for claim in ("S3-2048", "S5")} == {"needs --preset paper"}
    assert untested == dict.fromkeys(["S1", "S2", "S3-512", "S6", "S6-window"], "needs --preset full")


def test_figures_are_drawn_before_they_are_named(smoke):
    found, events = smoke
    drawn = {event["name"] for event in events if event["event"] == "figure"}
    named = {name for result in found.values() if isinstance(result, Measurement) for name in result.figures}
    assert named == drawn == {"assignment", "assignment-pruned", "overwritten"}


def test_the_value_of_a_task_is_the_mean_of_its_rows(smoke):
    found, _ = smoke
    rows = [row["48 assignments"] for row in found["S4-longer"].rows if row["attention"] == "selective"]
    assert len(rows) == 3
    assert found["S4-longer"].value == pytest.approx(np.mean(rows))


def test_operations_of_a_decoder_small_enough_to_count_by_hand():
    """Two tokens, three visible pairs; 12 weights a width squared, a product and a sum each."""
    decoder = Decoder(layers=1, heads=1, width=2, vocabulary=3)
    assert decoder.forward(2) == 2 * 12 * 4 * 2 + 2 * 2 * 2 * 3 + 2 * 2 * 3 * 2
    assert decoder.selection(2) == 3 * (1 + 1 + 1)
    assert decoder.recomputed(2) == decoder.selection(2) + 3 * 2 * 2


def test_selection_is_negligible_at_the_papers_size(smoke):
    found, _ = smoke
    assert verdict(CLAIMS["S7"], found["S7"]) is Verdict.HOLDS
    assert found["S7"].value == pytest.approx(100 * PAPERS.selection(512) / PAPERS.forward(512))


def assigned(tokens):
    """The answers that a sequence gives, and the values that it leaves each variable with: the last ones count."""
    spoken = tokens.index(task.ASK)
    values = dict(zip(tokens[1:spoken:2], tokens[2:spoken:2], strict=True))
    asked = dict(zip(tokens[spoken + 1 :: 2], tokens[spoken + 2 :: 2], strict=True))
    return asked, values


@pytest.mark.parametrize("count", [3, 4, 12, 48])
def test_answers_are_the_last_values_of_every_variable(count):
    for row in task.assignments(count, 20, np.random.default_rng(0)).tolist():
        asked, values = assigned(row)
        assert asked == values
        assert sorted(asked) == [1, 2, 3]
        assert len(row) == 1 + 2 * count + 1 + task.ANSWER
        assert row[0] == task.BOS
        assert max(row) < task.VOCABULARY
        assert sorted(row[1:7:2]) == [1, 2, 3]


def test_the_example_of_the_figure_is_a_sequence_of_the_task():
    asked, values = assigned(list(task.EXAMPLE))
    assert asked == values == {1: 11, 2: 6, 3: 5}
    assert "".join(map(task.spelled, task.EXAMPLE)) == "BOSx3y5z1x7y2?x7z1y2"


def test_too_few_assignments_are_refused():
    with pytest.raises(ValueError, match="2 assignments leave some of the 3 variables"):
        task.assignments(2, 1, np.random.default_rng(0))


@pytest.fixture(scope="module")
def weights():
    return task.train(seed=0, attention="selective", steps=2)


def test_training_is_the_same_again(weights):
    again = task.train(seed=0, attention="selective", steps=2)
    other = task.train(seed=1, attention="selective", steps=2)
    assert all(np.array_equal(weights[name], again[name]) for name in weights)
    assert any(not np.array_equal(weights[name], other[name]) for name in weights)


def test_both_attentions_start_from_the_same_draw():
    first, second = (task.train(seed=0, attention=attention, steps=0) for attention in ("selective", "standard"))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_a_budget_of_the_whole_sequence_prunes_nothing(weights):
    (whole,) = task.accuracy(weights, attention="selective", seed=0, counts=[6], rows=32)
    pruned = task.pruned_accuracy(weights, seed=0, count=6, rows=32, budgets=[40])
    assert pruned == {"selection": [whole], "window": [whole]}


def test_overwritten_values_are_those_whose_variable_comes_again(weights):
    tokens = task.assignments(6, 8, np.random.default_rng([0, 1, 6]))
    penalty = task.penalties(weights, tokens)
    sums = {"overwritten": [], "standing": []}
    for row, sequence in enumerate(tokens.tolist()):
        for place in range(1, 13, 2):
            kind = "overwritten" if sequence[place] in sequence[place + 2 : 13 : 2] else "standing"
            sums[kind].append(penalty[:, row, 13, place + 1])
    found = task.overwritten_and_standing(weights, seed=0, count=6, rows=8)
    for kind, parts in sums.items():
        np.testing.assert_allclose(found[kind], np.mean(parts, axis=0), rtol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_selective_attention_solves_the_task_at_four_times_the_length(seed):
    """Section 2 of the paper."""
    reached = {}
    for attention in ("selective", "standard"):
        trained = task.train(seed=seed, attention=attention, steps=900)
        reached[attention] = task.accuracy(trained, attention=attention, seed=seed, counts=[12, 48], rows=256)
        if attention == "selective":
            acting = task.overwritten_and_standing(trained, seed=seed, count=12, rows=64)
    assert min(reached["selective"]) >= 0.99
    assert reached["standard"][1] <= 0.7
    assert max(acting["overwritten"]) > 5 > max(acting["standing"])


def test_language_claims_are_measured_on_tiny_models(library, new_lab):
    sizes = LanguageSizes(
        recipes=(TINY, replace(TINY, context=32)),
        checkpoints=2,
        pruned_tokens_per_file=20,
        budget_sequences=3,
        budget_step=16,
    )
    found = {result.claim: result for result in language_claims.claims(new_lab(), sizes)}
    assert {claim for claim, result in found.items() if isinstance(result, Untested)} == {"S3-1024", "S3-2048", "S5"}
    measured = {claim: result for claim, result in found.items() if isinstance(result, Measurement)}
    assert set(measured) == {"S1", "S2", "S3-512", "S6", "S6-window"}
    assert all(result.n == 3 for result in measured.values())
    assert measured["S1"].value == min(row["difference"] for row in measured["S1"].rows)
    assert [row["tokens stored"] for row in measured["S6"].rows] == [32, 16, 8, 4]
    assert "64 tokens" in measured["S3-512"].setting
    for row in measured["S3-512"].rows:
        if row["not pruned, nats"] <= row["standard, nats"]:
            assert row["pruned, nats"] <= row["standard, nats"]
            assert row["factor"] >= 1
            assert row["factor of a sliding window"] > 1
        else:
            assert row["factor"] == row["factor of a sliding window"] == 1


def test_losses_are_paired_by_file_and_a_wide_budget_changes_nothing(library, new_lab):
    study = study_of(new_lab())
    plain, roomy, narrow = (study.losses("selective", budget=budget) for budget in (None, 64, 4))
    for one, other, less in zip(plain, roomy, narrow, strict=True):
        assert len(one["nats"]) == len(library.split("validation"))
        assert one["tokens"].sum() == len(study.stream("validation")) - len(one["tokens"])
        np.testing.assert_allclose(one["nats"], other["nats"], rtol=1e-5)
        assert not np.allclose(one["nats"], less["nats"], rtol=1e-5)


def test_a_window_limits_standard_models_too(library, new_lab):
    study = study_of(new_lab())
    plain, roomy, narrow = (study.losses("standard", window=window) for window in (None, 64, 2))
    for one, other, less in zip(plain, roomy, narrow, strict=True):
        np.testing.assert_allclose(one["nats"], other["nats"], rtol=1e-5)
        assert not np.allclose(one["nats"], less["nats"], rtol=1e-5)


def test_a_training_that_is_cut_off_goes_on_to_the_same_end(library, new_lab, monkeypatch):
    whole = study_of(new_lab("whole")).curves("memory")
    step = Training._step

    def cut(self):
        if self.done == 4:
            raise KeyboardInterrupt
        step(self)

    with monkeypatch.context() as patched:
        patched.setattr(Training, "_step", cut)
        with pytest.raises(KeyboardInterrupt):
            study_of(new_lab("cut")).curves("memory")
    done = []
    monkeypatch.setattr(Training, "_step", lambda self: done.append(self.done) or step(self))
    resumed = study_of(new_lab("cut")).curves("memory")
    assert done == [4, 5, *range(6), *range(6)]
    for ours, theirs in zip(resumed, whole, strict=True):
        assert [(point["step"], point["nats"]) for point in ours] == [
            (point["step"], point["nats"]) for point in theirs
        ]
        assert [point["step"] for point in ours] == [3, 6]
        assert 0 < ours[0]["seconds"] < ours[1]["seconds"]


def test_twice_the_heads_are_as_wide_and_share_the_other_weights_shapes():
    standard, wide = (language.built(TINY, language.VARIANTS[name]) for name in ("standard", "wide"))
    heads = [model.model.layers[0].self_attn.q_proj.weight.shape for model in (standard, wide)]
    assert heads == [(16, 16), (32, 16)]
    assert standard.model.layers[0].mlp.gate_proj.weight.shape == wide.model.layers[0].mlp.gate_proj.weight.shape


def test_models_of_a_seed_start_alike_and_the_memory_loss_is_added():
    kinds = {name: language.built(TINY, language.VARIANTS[name]) for name in ("standard", "selective", "memory")}
    states = [model.state_dict() for model in kinds.values()]
    assert all(torch.equal(states[0][name], state[name]) for state in states[1:] for name in states[0])
    tokens = torch.randint(300, (2, 17), generator=torch.Generator().manual_seed(0))
    losses = {
        name: language.objective(language.VARIANTS[name])(model, tokens[:, :-1], tokens[:, 1:]).item()
        for name, model in kinds.items()
    }
    assert 0 < losses["memory"] - losses["selective"] < language.VARIANTS["memory"].memory


def test_a_curve_whose_pace_was_lost_takes_the_usual_one():
    points = [{"step": 10, "nats": 3.0, "pace": 0.1}, {"step": 20, "nats": 2.0, "pace": None}]
    assert [point["seconds"] for point in language._timed(points)] == pytest.approx([1.0, 2.0])


def test_presets_have_enough_seeds_for_an_interval():
    assert set(experiment.PRESETS) == {"smoke", "quick", "full", "gpu", "paper"}
    assert all(sizes.seeds >= 3 for sizes in experiment.PRESETS.values())


def test_differences_weigh_files_by_their_tokens(new_lab):
    above = [{"nats": np.array([2.0, 9.0]) + seed, "tokens": np.array([1, 3])} for seed in range(3)]
    below = [{"nats": np.array([1.0, 3.0]) + seed, "tokens": np.array([1, 3])} for seed in range(3)]
    found = language_claims._difference(new_lab(), above, below)
    assert found.value == pytest.approx((11 - 4) / 4)
    assert isinstance(found, stats.Estimate)
