"""The experiment gives every claim a result, and what it compares is compared fairly."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy import stats as distributions
from sklearn.metrics import r2_score

from paperworks.core import Measurement, Untested, paper
from paperworks.lab import Lab
from paperworks.nrgboost import (
    datasets,
    experiment,
    forecasts,
    generators,
    hidden_cells,
    open_tables,
    plane,
    refreshing,
)
from paperworks.nrgboost.contenders import DISCRIMINATIVE, FORESTS, NRGBOOST
from paperworks.nrgboost.datasets import TARGET
from paperworks.nrgboost.density import NRGBoostDensity

TABLES = ("wine", "diabetes", "breast_cancer", "digits")


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """The results of a smoke run by claim, the events it gave off, and a function that runs it again."""
    home, events = tmp_path_factory.mktemp("steps"), []

    def run(emit):
        lab = Lab("nrgboost", seeds=3, home=home, emit=emit)
        return {result.claim: result for result in experiment.run(lab, experiment.PRESETS["smoke"])}

    return run(events.append), events, run


def test_every_claim_that_can_be_judged_has_a_result(smoke):
    found, _, _ = smoke
    assert set(found) == {claim.id for claim in paper("nrgboost").claims if claim.judge is not None}
    assert all(isinstance(result, Measurement) for result in found.values())


def test_intervals_are_over_seeds(smoke):
    found, _, _ = smoke
    assert all((one.interval, one.n) == ("seeds", 3) for one in found.values() if isinstance(one, Measurement))


def test_figures_are_drawn_before_they_are_named(smoke):
    found, events, _ = smoke
    drawn = {event["name"] for event in events if event["event"] == "figure"}
    named = {name for result in found.values() if isinstance(result, Measurement) for name in result.figures}
    assert named == drawn == {"planes", "divergence", "scores", "calibration", "hidden-cells", "pictures", "kept"}


def test_a_second_run_is_replayed_to_the_same_numbers(smoke):
    found, _, run = smoke
    assert run(lambda event: None) == found


def test_the_divergence_falls_and_is_what_the_rows_say(smoke):
    found, _, _ = smoke
    rows = {(row["density"], row["trees"]): row["KL from the truth, nats"] for row in found["C7"].rows}
    for density in plane.PLANES:
        curve = [rows[density, trees] for trees in (0, 1, 3, 10, 100)]
        assert all(later < before for before, later in pairwise(curve))
    falls = [rows[density, 1] - rows[density, 100] for density in plane.PLANES]
    assert found["C7"].value == pytest.approx(np.mean(falls))


def test_the_smallest_margin_is_no_larger_than_any_tables(smoke):
    found, _, _ = smoke
    assert found["C2"].value <= min(row["margin"] for row in found["C2"].rows) + 1e-12


def test_rejection_keeps_at_most_what_is_not_drawn_anew(smoke):
    found, _, _ = smoke
    assert 0 < found["C6"].value <= 0.9
    kept = {row["drawn anew at least"]: row["pool kept"] for row in found["C6-time"].rows}
    assert 0 < kept["10%"] <= 0.9
    assert kept["100%"] == 0


def test_samples_of_every_generator_are_judged(smoke):
    found, _, _ = smoke
    generators_named = {row["samples of"] for row in found["C3"].rows}
    assert generators_named == {"real rows", NRGBOOST, *FORESTS, *generators.SIMPLE}
    assert found["C3"].rows == found["C4"].rows


def test_the_reader_of_pictures_knows_real_digits(smoke):
    found, _, _ = smoke
    read = {row["pictures"]: row["class as given, %"] for row in found["C5"].rows}
    assert set(read) == {"real digits", NRGBOOST, *FORESTS}
    assert read["real digits"] > 95
    assert found["C5"].value == pytest.approx(read[NRGBOOST] - max(read[name] for name in FORESTS), abs=5)


def test_hidden_cells_are_filled_in_better_than_by_means():
    split = datasets.split(datasets.load("wine", 0), 0)
    joint = NRGBoostDensity(n_estimators=25, max_leaf_nodes=16, n_model_samples=2000, random_state=0).fit(split.train)
    errors = hidden_cells.errors(split, joint, 0)
    assert errors["column means"] == pytest.approx(1, abs=0.1)
    assert all(errors[name] < 0.85 * errors["column means"] for name in errors if name != "column means")


def test_intervals_are_shown_as_they_are_and_calibrated(smoke):
    found, _, _ = smoke
    rows = [row for row in found["C1"].rows if row["table"] == "diabetes"]
    assert all(row["their width"] > 0 and 50 < row["90 % intervals held, %"] <= 100 for row in rows)
    (calibrated,) = [row for row in rows if row["calibrated, width"] is not None]
    assert calibrated["model"] == NRGBOOST
    assert 75 < calibrated["calibrated, held, %"] <= 100
    classes = [row for row in found["C1"].rows if row["table"] == "wine"]
    assert all(row["their width"] is row["calibrated, held, %"] is None for row in classes)


def test_more_is_done_by_larger_presets():
    assert set(experiment.PRESETS) == {"smoke", "quick", "full", "gpu", "paper"}
    for preset, sizes in experiment.PRESETS.items():
        tables = open_tables.OPEN if preset == "paper" else datasets.BUNDLED
        assert sizes.seeds >= 3
        assert {*sizes.sampled, sizes.pictured, *sizes.filled} <= set(sizes.tables) <= set(tables)
        assert {0.1, 1.0} <= set(sizes.refreshes)
    assert set(experiment.PRESETS["quick"].tables) == set(datasets.BUNDLED)


def test_no_ratio_is_made_of_a_score_that_is_not_above_zero():
    models = {NRGBOOST: {"score": -0.1}, DISCRIMINATIVE: {"score": 0.2}}
    result = experiment._against_discriminative(None, None, {"diabetes": [{"scores": models}] * 3})
    assert result == Untested(claim="C1", reason="a test score is not above 0, so that there is no ratio")


def test_a_model_of_two_rounds_says_nothing_of_rejection(tmp_path):
    lab = Lab("nrgboost", seeds=3, home=tmp_path, emit=lambda event: None)
    training = {"rounds": 2, "kept": [], "phases": dict.fromkeys(refreshing.PHASES, 0.0)}
    longer = training | {"rounds": 4, "kept": [0.6, 0.8]}
    found = {"wine": [{"training": training}] * 3, "diabetes": [{"training": longer}] * 3}
    result = experiment._kept(lab, experiment.PRESETS["smoke"], found)
    assert result.value == pytest.approx(0.7)
    assert [row["pool kept"] for row in result.rows] == [None, pytest.approx(0.7)]
    assert isinstance(experiment._kept(lab, None, {"wine": found["wine"]}), Untested)


@pytest.mark.parametrize("name", TABLES)
def test_five_seeds_test_every_row_once(name):
    table = datasets.load(name, 0)
    tested = pd.concat([datasets.split(table, seed).test for seed in range(5)])
    assert sorted(map(tuple, tested.to_numpy().tolist())) == sorted(map(tuple, table.frame.to_numpy().tolist()))


def test_parts_of_a_split_share_no_row_and_lose_none():
    table = datasets.load("friedman1", 400)
    parts = datasets.split(table, 3)
    together = pd.concat([parts.train, parts.validation, parts.test])
    assert len(together) == 400
    assert not together.duplicated().any()
    assert [len(parts.train), len(parts.validation), len(parts.test)] == [272, 48, 80]


def test_classes_keep_their_shares():
    parts = datasets.split(datasets.load("breast_cancer", 0), 1)
    shares = [part[TARGET].value_counts(normalize=True)[1] for part in (parts.train, parts.validation, parts.test)]
    assert shares == pytest.approx([0.627] * 3, abs=0.02)


def test_an_unknown_table_is_refused_by_name():
    with pytest.raises(ValueError, match=r"there is no table 'iris'; there are digits, breast_cancer.*covertype"):
        datasets.load("iris", 0)


def test_normal_crps_is_the_integral_of_its_definition():
    forecast = forecasts.NormalForecast(np.array([1.0]), 2.0)
    x = np.linspace(-30, 30, 200_001)
    below = distributions.norm.cdf(x, 1.0, 2.0)
    for came in (-3.0, 1.0, 2.5):
        integral = np.trapezoid((below - (x >= came)) ** 2, x)
        assert forecast.crps(np.array([came]))[0] == pytest.approx(integral, abs=1e-3)


def test_normal_intervals_hold_as_often_as_they_say():
    rng = np.random.default_rng(0)
    centre = rng.normal(size=20_000)
    came = centre + rng.normal(scale=0.5, size=20_000)
    judged = forecasts.judge_numbers(forecasts.NormalForecast(centre, 0.5), came)
    assert judged["coverage"] == pytest.approx(forecasts.LEVELS, abs=0.015)
    assert judged["score"] == pytest.approx(r2_score(came, centre))


def test_class_forecast_by_hand():
    proba = np.array([[0.7, 0.2, 0.1], [0.5, 0.5, 0.0], [0.0, 0.1, 0.9]])
    judged = forecasts.judge_classes(forecasts.ClassForecast(proba, np.array([3, 5, 8])), np.array([3, 8, 8]))
    assert judged["score"] == pytest.approx(2 / 3)
    assert judged["loss"] == pytest.approx(-np.mean(np.log([0.7, 1e-6, 0.9])))


@pytest.mark.parametrize("draw", generators.SIMPLE.values(), ids=list(generators.SIMPLE))
def test_simple_generators_keep_marginals_and_types(draw):
    table = datasets.load("wine", 0).frame
    drawn = draw(table, 4000, np.random.default_rng(0))
    assert drawn.dtypes.equals(table.dtypes)
    for name, cells in table.items():
        assert set(drawn[name]) <= set(cells)
    assert drawn["alcohol"].mean() == pytest.approx(table["alcohol"].mean(), abs=0.05)


def test_only_the_copula_keeps_how_columns_depend_on_each_other():
    table = datasets.load("wine", 0).frame[["flavanoids", "total_phenols"]]
    rng = np.random.default_rng(0)
    ranks = {name: draw(table, 4000, rng).corr("spearman").iloc[0, 1] for name, draw in generators.SIMPLE.items()}
    assert ranks["independent columns"] == pytest.approx(0, abs=0.05)
    assert ranks["Gaussian copula"] == pytest.approx(table.corr("spearman").iloc[0, 1], abs=0.05)


@pytest.mark.parametrize("name", plane.PLANES)
def test_masses_of_a_plane_are_those_of_its_draws(name):
    """Points of the curve with noise, counted in cells, against the masses; what leaves the square is left out."""
    masses = plane.cell_masses(name)
    assert masses.sum() == pytest.approx(1)
    rng = np.random.default_rng(0)
    curve = plane.PLANES[name]()
    points = curve[rng.integers(len(curve), size=400_000)] + rng.normal(0, 0.08, (400_000, 2))
    counts, _, _ = np.histogram2d(*points.T, bins=plane.SIDE, range=[[-1.5, 1.5]] * 2)
    assert np.abs(counts / counts.sum() - masses).sum() / 2 < 0.03
