"""What people do with the estimators: predict, score, stop early, go on, and give them wrong things."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from scipy.special import log_softmax, logsumexp
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from paperworks.nrgboost import (
    DensityForest,
    NRGBoostClassifier,
    NRGBoostDensity,
    NRGBoostImputer,
    NRGBoostRegressor,
)

SMALL: dict[str, Any] = {"n_estimators": 10, "max_leaf_nodes": 8, "n_model_samples": 800, "random_state": 0}


def iris() -> pd.DataFrame:
    features, species = load_iris(return_X_y=True, as_frame=True)
    return features.assign(species=pd.Categorical.from_codes(species, ["setosa", "versicolor", "virginica"]))


def tiny() -> pd.DataFrame:
    """Three columns whose domain of 4 x 3 x 2 cells can be summed over."""
    rng = np.random.default_rng(0)
    a = rng.integers(0, 4, 300)
    return pd.DataFrame({"a": a, "b": np.minimum(a, rng.integers(0, 3, 300)), "c": (a > 1) ^ (rng.random(300) < 0.2)})


def every_tiny_row() -> pd.DataFrame:
    a, b, c = np.unravel_index(np.arange(24), (4, 3, 2))
    return pd.DataFrame({"a": a, "b": b, "c": c.astype(bool)})


@pytest.fixture(scope="module")
def flowers() -> NRGBoostDensity:
    return NRGBoostDensity(**SMALL | {"n_estimators": 25, "max_leaf_nodes": 16}).fit(iris())


def test_one_model_predicts_every_column(flowers: NRGBoostDensity) -> None:
    frame = iris()
    assert (flowers.conditional(frame, "species").mode() == frame["species"]).mean() > 0.93
    for name in frame.columns[:4]:
        residual = flowers.conditional(frame, name).mean() - frame[name]
        assert residual.std() < 0.75 * frame[name].std()


def test_conditionals_are_what_scores_imply() -> None:
    model = NRGBoostDensity(**SMALL).fit(tiny())
    scores = model.score_samples(every_tiny_row()).reshape(4, 3, 2)
    found = model.conditional(every_tiny_row(), "b").logits.reshape(4, 3, 2, 3)
    assert np.allclose(found[:, 0], log_softmax(np.moveaxis(scores, 1, 2), axis=2), atol=1e-5)


def test_log_partition_makes_the_density_sum_to_one() -> None:
    model = NRGBoostDensity(**SMALL).fit(tiny())
    exact = logsumexp(model.energy(every_tiny_row()))
    estimate, error = model.log_partition(n_particles=400, random_state=1)
    assert abs(estimate - exact) < 3 * error + 1e-3
    assert model.score(tiny()) == pytest.approx(model.score_samples(tiny()).mean())


def test_densities_are_per_unit_of_the_numbers() -> None:
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=300)})
    metres = NRGBoostDensity(**SMALL, max_bins=20).fit(frame)
    millimetres = NRGBoostDensity(**SMALL, max_bins=20).fit(frame * 1000)
    assert np.allclose(metres.score_samples(frame) - np.log(1000), millimetres.score_samples(frame * 1000))
    grid = np.linspace(frame["x"].min(), frame["x"].max() - 1e-9, 20_001)
    density = np.exp(metres.score_samples(pd.DataFrame({"x": grid})) - metres.log_partition(400)[0])
    assert density.mean() * (grid[-1] - grid[0]) == pytest.approx(1, abs=0.02)


def test_a_regressor_gives_the_whole_distribution() -> None:
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    model = NRGBoostRegressor(**SMALL | {"n_estimators": 40, "n_model_samples": 2000}).fit(X, y)
    assert model.target_name_ == "target"
    assert model.score(X, y) > 0.3
    low, high = model.predict_distribution(X).interval(0.9)
    assert 0.85 < ((low <= y) & (y <= high)).mean() < 0.99
    assert model.predict_quantiles(X, [0.1, 0.5, 0.9]).shape == (len(X), 3)
    stages = list(model.staged_predict(X))
    assert len(stages) == model.n_rounds_
    assert np.allclose(stages[-1], model.predict(X))
    assert np.allclose(stages[4], model.predict_distribution(X, n_rounds=5).mean())


@pytest.mark.parametrize("labels", [np.array(["no", "yes"]), np.array([False, True]), np.array([7, -3]), [0.0, 1.0]])
def test_a_classifier_keeps_its_labels_whatever_they_are(labels: Any) -> None:
    frame = tiny()
    y = np.asarray(labels)[frame.pop("c").astype(int)]
    model = NRGBoostClassifier(**SMALL).fit(frame, y)
    assert model.classes_.tolist() == sorted(labels)
    assert model.predict(frame).dtype == y.dtype
    assert model.score(frame, y) > 0.7
    assert np.allclose(np.exp(model.predict_log_proba(frame)), model.predict_proba(frame))
    assert np.allclose(list(model.staged_predict_proba(frame))[-1], model.predict_proba(frame))
    assert (list(model.staged_predict(frame))[-1] == model.predict(frame)).all()
    features, drawn = model.sample(40, given={"target": labels[0]}, n_steps=5)
    assert set(drawn) == {labels[0]}
    assert list(features.columns) == list(frame.columns)


def test_a_classifiers_score_sums_the_class_out_where_it_is_not_given() -> None:
    frame = tiny()
    y = frame.pop("c")
    model = NRGBoostClassifier(**SMALL).fit(frame, y)
    assert model.target_name_ == "c"
    each = [model.score_samples(frame, np.full(len(frame), label)) for label in (False, True)]
    assert np.allclose(model.score_samples(frame), np.logaddexp(*each), atol=1e-5)
    assert model.feature_importances_.shape == (2,)
    assert model.feature_importances_.sum() == pytest.approx(1)


def test_columns_in_another_order_or_of_another_name_are_refused(flowers: NRGBoostDensity) -> None:
    frame = iris()
    with pytest.raises(ValueError, match="same order"):
        flowers.score_samples(frame[frame.columns[::-1]])
    with pytest.raises(ValueError, match="feature names should match"):
        flowers.score_samples(frame.rename(columns={"species": "kind"}))
    with pytest.raises(ValueError, match="5 features"), pytest.warns(UserWarning, match="valid feature names"):
        flowers.score_samples(frame.to_numpy()[:, :4])


def test_flags_and_texts_are_columns_like_others_and_an_unseen_text_is_no_crash() -> None:
    frame = pd.DataFrame({"flag": [True, False] * 50, "word": pd.Series(["a", "b"] * 50, dtype=object)})
    model = NRGBoostDensity(**SMALL).fit(frame)
    assert np.isfinite(model.score_samples(pd.DataFrame({"flag": [True], "word": ["never seen"]}))).all()
    assert model.conditional(frame, "word").mode().tolist() == ["a", "b"] * 50


def test_values_of_a_column_of_few_values_are_predicted_and_drawn_as_they_are() -> None:
    values = np.array([1 / 3, 2 / 3, 10.0])
    frame = pd.DataFrame({"x": np.random.default_rng(0).choice(values, 200)})
    model = NRGBoostDensity(**SMALL, few_values="values").fit(frame)
    assert set(model.sample(50, n_steps=2)["x"]) == set(values)
    assert model.conditional(frame[:1], 0).values.tolist() == values.tolist()


def test_a_weight_counts_a_row_as_often() -> None:
    frame = tiny()
    weights = np.where(frame["c"], 3.0, 1.0)
    model = NRGBoostDensity(**SMALL | {"n_estimators": 1}).fit(frame, sample_weight=weights)
    counts = model.model_.encoder.columns[2].counts
    assert counts.tolist() == [(weights * ~frame["c"]).sum(), (weights * frame["c"]).sum()]
    repeated = frame.loc[frame.index.repeat(weights.astype(int))]
    again = NRGBoostDensity(**SMALL | {"n_estimators": 1}).fit(repeated)
    assert np.allclose(model.score_samples(frame), again.score_samples(frame))


def test_early_stopping_keeps_the_best_round_by_the_score_it_names() -> None:
    frame = tiny()
    held_out = frame[:100]
    for scoring, names in (("joint", ["a", "b", "c"]), ("c", ["c"])):
        model = NRGBoostDensity(
            **SMALL | {"n_estimators": 60, "learning_rate": 1.0},
            early_stopping=True,
            n_iter_no_change=4,
            scoring=scoring,
        ).fit(frame[100:], X_val=held_out)
        scores = model.validation_scores_
        assert model.ended_ == "early"
        assert model.n_rounds_ == int(np.argmax(scores))
        assert len(scores) == model.n_rounds_ + 1 + 4
        for rounds in (1, model.n_rounds_):
            rescored = np.mean([model.conditional(held_out, n, n_rounds=rounds).log_prob(held_out[n]) for n in names])
            assert scores[rounds] == pytest.approx(rescored, abs=1e-5)


def test_the_target_is_what_a_classifier_is_stopped_by() -> None:
    frame = tiny()
    y = frame.pop("c")
    model = NRGBoostClassifier(**SMALL, early_stopping=True, n_iter_no_change=20).fit(
        frame[100:], y[100:], X_val=frame[:100], y_val=y[:100]
    )
    proba = model.predict_proba(frame[:100])[np.arange(100), y[:100].astype(int)]
    assert max(model.validation_scores_) == pytest.approx(np.log(proba).mean(), abs=1e-5)


def test_early_stopping_holds_rows_out_by_itself() -> None:
    model = NRGBoostDensity(**SMALL, early_stopping=True, validation_fraction=0.25).fit(tiny())
    assert len(model._training_bins) == 225
    assert len(model.validation_scores_) > 1


def test_warm_start_adds_trees_to_those_that_there_are() -> None:
    frame = tiny()
    model = NRGBoostDensity(**SMALL | {"n_estimators": 4}, warm_start=True).fit(frame)
    before = model.score_samples(frame)
    model.set_params(n_estimators=9).fit(frame)
    assert model.n_rounds_ == 9
    assert len(model.rounds_) == 9
    assert np.array_equal(model.score_samples(frame, n_rounds=4), before)
    with pytest.raises(ValueError, match="at least 9, the trees of the earlier fit"):
        model.set_params(n_estimators=5).fit(frame)


def test_ctrl_c_keeps_the_trees_so_far() -> None:
    def impatient(stage: str, done: int, total: int) -> None:
        assert (stage, total) == ("training", 10)
        if done == 3:
            raise KeyboardInterrupt

    model = NRGBoostDensity(**SMALL)
    with pytest.warns(ConvergenceWarning, match="interrupted after 3 of 10 rounds; the trees so far are kept"):
        model.fit(tiny(), progress=impatient)
    assert model.n_rounds_ == 3
    assert model.ended_ == "interrupted"
    assert np.isfinite(model.score(tiny()))


def test_nothing_is_printed_unless_it_is_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    NRGBoostDensity(**SMALL | {"n_estimators": 2}).fit(tiny()).sample(3, n_steps=2)
    assert capfd.readouterr() == ("", "")
    NRGBoostDensity(**SMALL | {"n_estimators": 2}, verbose=1, early_stopping=True).fit(tiny())
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("round 2 of 2: ")
    assert "held-out score" in lines[1]


def test_the_number_of_threads_changes_nothing() -> None:
    frame = iris()
    frame.iloc[::7, 0] = np.nan
    one, two = (NRGBoostDensity(**SMALL | {"n_estimators": 4}, n_jobs=jobs).fit(frame) for jobs in (1, 2))
    assert one.score_samples(frame).tobytes() == two.score_samples(frame).tobytes()
    assert one.sample(30, n_steps=5, random_state=0).equals(two.sample(30, n_steps=5, random_state=0))
    assert one.impute(frame, random_state=0).equals(two.impute(frame, random_state=0))


def test_sample_weight_is_routed_and_the_density_can_be_searched_over() -> None:
    frame = tiny()
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            NRGBoostDensity(**SMALL).set_fit_request(sample_weight=True).set_score_request(sample_weight=True),
            {"n_estimators": [1, 3]},
            cv=2,
        )
        search.fit(frame, sample_weight=np.arange(len(frame)) % 2)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.model_.encoder.columns[0].counts.sum() == 150
    assert np.isfinite(cross_val_score(DensityForest(n_estimators=3, bagging_fraction=None), frame, cv=2)).any()


def test_imputation_is_a_step_of_a_pipeline() -> None:
    X, y = load_iris(return_X_y=True, as_frame=True)
    holes = X.mask(np.random.default_rng(0).random(X.shape) < 0.2)
    settings = SMALL | {"n_estimators": 20, "learning_rate": 0.3}
    imputer = NRGBoostImputer(NRGBoostDensity(**settings))
    assert imputer.fit(holes).get_feature_names_out().tolist() == list(X.columns)
    filled = imputer.transform(holes)
    assert filled.notna().all().all()
    error = np.abs(filled - X).to_numpy()[holes.isna()].mean()
    assert error < 0.6 * np.abs(X.mean() - X).to_numpy()[holes.isna()].mean()
    names = imputer.set_output(transform="polars").fit_transform(holes)
    assert isinstance(names, pl.DataFrame)
    pipeline = make_pipeline(make_column_transformer((clone(imputer), X.columns)), NRGBoostClassifier(**settings))
    assert pipeline.fit(holes, y).score(holes, y) > 0.85


def test_outliers_are_implausible_and_the_cells_that_make_them_so_are_named(flowers: NRGBoostDensity) -> None:
    frame = iris()
    odd = frame.iloc[[0]].copy()
    odd["petal length (cm)"] = 6.0  # a setosa's are below 2
    assert flowers.plausibility(odd, 200, random_state=0)[0] < 0.1
    assert flowers.cell_plausibility(odd)[0, 2] < 0.1
    usual = flowers.plausibility(frame, 200, random_state=0)
    assert 0.3 < usual.mean() < 0.8
    cells = flowers.cell_plausibility(frame)
    assert cells.shape == (150, 5)
    assert ((cells > 0) & (cells <= 1 + 1e-12)).all()
    assert np.isnan(flowers.cell_plausibility(odd.assign(species="rose"))[0, 4])


def test_cells_are_scored_and_filled_in_a_block_of_rows_at_a_time(
    flowers: NRGBoostDensity, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, told = iris(), []
    holes = frame.mask(np.random.default_rng(0).random(frame.shape) < 0.2)
    cells, filled = flowers.cell_plausibility(frame), flowers.impute(holes, method="mean")
    monkeypatch.setattr("paperworks.nrgboost.plausibility._BLOCK", 64)
    monkeypatch.setattr("paperworks.nrgboost.imputation._ROWS", 7)
    assert (flowers.cell_plausibility(frame, lambda *each: told.append(each)) == cells).all()
    numbers = list(frame.columns[:4])
    assert np.allclose(flowers.impute(holes, method="mean")[numbers], filled[numbers], atol=0.2)
    assert told == [("scoring cells", done, 150) for done in (64, 128, 150)]


def test_plausibility_of_a_cell_is_the_mass_of_what_is_no_more_likely() -> None:
    model = NRGBoostDensity(**SMALL).fit(tiny())
    proba = model.conditional(every_tiny_row(), "b").proba
    own = np.take_along_axis(proba, every_tiny_row()[["b"]].to_numpy(), axis=1)
    expected = np.where(proba <= own * (1 + 1e-6), proba, 0).sum(axis=1)
    assert np.allclose(model.cell_plausibility(every_tiny_row())[:, 1], expected, atol=1e-5)


def test_a_forest_is_a_normalised_density_with_exact_samples() -> None:
    for criterion in ("likelihood", "brier"):
        forest = DensityForest(n_estimators=5, criterion=criterion, random_state=0).fit(tiny())
        density = np.exp(forest.score_samples(every_tiny_row()))
        assert density.sum() == pytest.approx(1)
        drawn = forest.sample(20_000, random_state=0).value_counts(normalize=True)
        expected = pd.Series(density, index=pd.MultiIndex.from_frame(every_tiny_row()))
        assert (drawn.reindex(expected.index, fill_value=0) - expected).abs().max() < 0.015
        joint = density.reshape(4, 3, 2)
        conditional = forest.conditional(every_tiny_row(), "a").proba.reshape(4, 3, 2, 4)
        assert np.allclose(conditional[0, 1, 1], joint[:, 1, 1] / joint[:, 1, 1].sum())
    with pytest.raises(ValueError, match="column 'b' has a missing or unknown value"):
        forest.score_samples(every_tiny_row().assign(b=np.nan))


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("n_estimators", 0, "n_estimators is 0"),
        ("max_leaf_nodes", 1, "max_leaf_nodes is 1"),
        ("max_ratio_in_leaf", 1.0, "max_ratio_in_leaf"),
        ("refresh_fraction", 0.0, "refresh_fraction"),
        ("refresh_fraction", 1.5, "refresh_fraction"),
        ("learning_rate", 0.0, "learning_rate"),
        ("max_bins", 1, "max_bins"),
        ("initial_uniform_mixture", -0.1, "initial_uniform_mixture"),
        ("max_features", 0.0, "max_features"),
        ("growth", "wide", "growth"),
        ("categorical_split", "some", "categorical_split"),
        ("scoring", "colour", "there is no column 'colour'"),
        ("validation_fraction", 1.0, "validation_fraction is 1.0"),
        ("n_iter_no_change", 0, "n_iter_no_change is 0"),
    ],
)
def test_a_wrong_setting_is_named(setting: str, value: Any, message: str) -> None:
    model = NRGBoostDensity(**{**SMALL, "early_stopping": True, setting: value})
    with pytest.raises(ValueError, match=message):
        model.fit(tiny())


def test_wrong_weights_are_named() -> None:
    with pytest.raises(ValueError, match="Negative"):
        NRGBoostDensity(**SMALL).fit(tiny(), sample_weight=np.full(300, -1.0))
    with pytest.raises(ValueError, match=r"sample_weight is zero|one non-zero number"):
        NRGBoostDensity(**SMALL).fit(tiny(), sample_weight=np.zeros(300))
    with pytest.raises(ValueError, match=r"sample_weight.shape == \(2,\)"):
        NRGBoostDensity(**SMALL).fit(tiny(), sample_weight=np.ones(2))


def test_questions_that_cannot_be_answered_are_refused(flowers: NRGBoostDensity) -> None:
    frame = iris()
    for ask in (
        lambda model: model.score_samples(frame),
        lambda model: model.sample(1),
        lambda model: model.conditional(frame, "species"),
        lambda model: model.feature_importances_,
        lambda model: model.impute(frame),
        lambda model: model.log_partition(),
        lambda model: model.n_rounds_,
    ):
        with pytest.raises(NotFittedError):
            ask(NRGBoostDensity())
    with pytest.raises(ValueError, match=r"there is no column 'colour'; the columns are 'sepal length"):
        flowers.conditional(frame, "colour")
    with pytest.raises(ValueError, match="n_rounds=26"):
        flowers.score_samples(frame, n_rounds=26)
    with pytest.raises(ValueError, match="the target's name 'species' is that of a feature too"):
        NRGBoostClassifier(**SMALL).fit(frame, frame["species"])
    with pytest.raises(ValueError, match="too few to hold some out"):
        NRGBoostDensity(**SMALL, early_stopping=True).fit(frame[:1])
