"""Missing cells: learnt as a value of their own, summed out where something is predicted (section 4)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp

from paperworks.nrgboost import table_model
from paperworks.nrgboost.density import NRGBoostDensity

SMALL: dict[str, Any] = {
    "n_estimators": 12,
    "learning_rate": 0.4,
    "max_leaf_nodes": 8,
    "n_model_samples": 600,
    "random_state": 0,
}


def table(n: int = 400, *, gaps: bool = True) -> pd.DataFrame:
    """Two related numbers, a category that follows from them, and, with ``gaps``, missing cells in two columns."""
    rng = np.random.default_rng(1)
    a = rng.integers(0, 5, n)
    frame = pd.DataFrame(
        {
            "a": a.astype(float),
            "b": np.minimum(a + rng.integers(0, 2, n), 4),
            "kind": np.where(a > 2, "high", "low"),
            "c": rng.integers(0, 3, n),
        }
    )
    if gaps:
        frame.loc[rng.random(n) < 0.2, "a"] = np.nan
        frame.loc[rng.random(n) < 0.2, "kind"] = None
    return frame


@pytest.fixture(scope="module")
def model() -> NRGBoostDensity:
    return NRGBoostDensity(**SMALL).fit(table())


def every_completion(
    model: NRGBoostDensity, row: pd.DataFrame, names: list[str]
) -> list[tuple[tuple[int, ...], float]]:
    """The energy of the row with each combination of codes, "missing" excepted, in the columns ``names``."""
    encoder = model.model_.encoder
    bins = encoder.encode(row).bins
    places = [encoder.index(name) for name in names]
    codes = [range(int(encoder.columns[p].has_missing), encoder.columns[p].cardinality) for p in places]
    found = []
    for combination in itertools.product(*codes):
        bins[0, places] = combination
        found.append((combination, float(model.model_.energies.energy(bins)[0])))
    return found


@pytest.mark.parametrize("lacking", [["a"], ["kind"], ["a", "kind"], ["a", "b", "kind"]])
def test_a_prediction_sums_over_every_value_of_the_missing_features(model: NRGBoostDensity, lacking: list[str]) -> None:
    row = table(gaps=False).iloc[[3]].astype({"b": "Int64"})
    row[lacking] = None
    completions = every_completion(model, row, ["c", *lacking])
    expected = [logsumexp([energy for codes, energy in completions if codes[0] == value]) for value in range(3)]
    found = model.conditional(row, "c").logits[0]
    assert np.allclose(found, expected - logsumexp(expected), atol=1e-5)


@pytest.mark.parametrize("lacking", [["a"], ["a", "b", "kind"]])
def test_beyond_the_limit_sweeps_average_to_the_same(
    model: NRGBoostDensity, lacking: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = table(gaps=False).iloc[:4].astype({"b": "Int64"})
    rows[lacking] = None
    rows = pd.concat([rows] * 40)
    exact = model.conditional(rows, "c").proba.reshape(40, 4, 3)
    monkeypatch.setattr(table_model, "MAX_ENUMERATED", 1)
    averaged = model.conditional(rows, "c").proba.reshape(40, 4, 3)
    assert np.allclose(averaged.mean(axis=0), exact[0], atol=0.02)
    assert averaged.std(axis=0).max() > 1e-6  # it was the other way


def test_a_missing_cell_is_scored_as_what_training_knew_of_it(model: NRGBoostDensity) -> None:
    row = table(gaps=False).iloc[[3]]
    row["a"] = np.nan
    bins = model.model_.encoder.encode(row).bins
    assert bins[0, 0] == 0
    assert model.energy(row)[0] == pytest.approx(model.model_.energies.energy(bins)[0])


def test_an_unknown_cell_is_summed_out_of_the_score(model: NRGBoostDensity) -> None:
    row = table(gaps=False).iloc[[3]].astype({"b": "Int64"})
    row.loc[:, "b"] = None
    expected = logsumexp([energy for _, energy in every_completion(model, row, ["b"])])
    assert model.energy(row)[0] == pytest.approx(expected, abs=1e-5)
    unseen = table(gaps=False).iloc[[3]].assign(kind="never seen")
    expected = logsumexp([energy for _, energy in every_completion(model, unseen, ["kind"])])
    assert model.energy(unseen)[0] == pytest.approx(expected, abs=1e-5)


def test_too_many_unknown_cells_are_an_error_that_says_what_to_do(
    model: NRGBoostDensity, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = table(gaps=False).iloc[[3]].astype({"b": "Int64", "c": "Int64"})
    row.loc[:, ["b", "c"]] = None
    monkeypatch.setattr("paperworks.nrgboost.model.MAX_ENUMERATED", 2)
    with pytest.raises(ValueError, match="impute the table first"):
        model.score_samples(row)


def test_missing_values_are_never_predicted_but_are_drawn(model: NRGBoostDensity) -> None:
    assert model.conditional(table(), "a").proba.shape == (400, 5)
    drawn = model.sample(2000, n_steps=20, random_state=3)
    assert drawn["a"].isna().mean() == pytest.approx(0.2, abs=0.06)
    assert drawn["b"].notna().all()


@pytest.mark.parametrize("method", ["gibbs", "mean", "mode"])
def test_imputation_fills_in_what_is_missing_and_nothing_else(model: NRGBoostDensity, method: Any) -> None:
    frame = table()
    filled = model.impute(frame, method=method)
    assert filled.notna().all().all()
    assert list(filled.dtypes) == list(frame.dtypes)
    for name in frame:
        known = frame[name].notna()
        assert (filled[name][known] == frame[name][known]).all()
    assert filled.index.equals(frame.index)


def test_imputed_cells_follow_from_the_rest_of_their_row(model: NRGBoostDensity) -> None:
    whole, frame = table(gaps=False), table()
    lost = frame["kind"].isna() & frame["a"].notna()
    filled = model.impute(frame, method="mode")
    assert (filled["kind"] == whole["kind"])[lost].mean() > 0.95
    lost = frame["a"].isna()
    error = (model.impute(frame, method="mean")["a"] - whole["a"])[lost].abs().mean()
    assert error < 0.6 * (whole["a"].mean() - whole["a"]).abs().mean()


def test_several_imputations_are_draws_from_the_conditional(model: NRGBoostDensity) -> None:
    row = table(gaps=False).iloc[[3]]
    row["a"] = np.nan
    rows = pd.concat([row] * 400)
    first, second = model.impute(rows, n_imputations=2, random_state=0)
    assert not first["a"].equals(second["a"])
    shares = pd.concat([first, second])["a"].value_counts(normalize=True).reindex(range(5), fill_value=0)
    assert np.allclose(shares, model.conditional(row, "a").proba[0], atol=0.05)
    assert model.impute(rows, random_state=0).equals(first)


def test_dates_flags_and_new_categories_are_filled_in_too() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "day": pd.Timestamp("2024-01-01", tz="Europe/Paris") + pd.to_timedelta(rng.integers(0, 20, 200), unit="D"),
            "flag": pd.Series(rng.random(200) < 0.5).astype("boolean"),
            "size": pd.Categorical(rng.choice(["s", "m"], 200)),
            "count": pd.Series(rng.integers(0, 9, 200)).astype("Int64"),
        }
    )
    model = NRGBoostDensity(**SMALL | {"n_estimators": 2}).fit(frame)
    holes = frame.iloc[:4].copy()
    for row, name in enumerate(frame):
        holes.loc[row, name] = None
    for method in ("gibbs", "mean", "mode"):
        filled = model.impute(holes.astype({"size": pd.CategoricalDtype(["m"])}), method=method)
        assert filled.notna().all().all()
        assert filled["day"].dtype == frame["day"].dtype
        assert filled["count"].dtype == frame["count"].dtype


def test_missing_values_can_be_refused_at_any_time() -> None:
    refusing = NRGBoostDensity(**SMALL, missing="error")
    with pytest.raises(ValueError, match="missing='error'"):
        refusing.fit(table())
    refusing.fit(table(gaps=False))
    with pytest.raises(ValueError, match="missing='error'; impute them first"):
        refusing.score_samples(table())


def test_wrong_arguments_of_an_imputation_are_named(model: NRGBoostDensity) -> None:
    with pytest.raises(ValueError, match="method is 'median'; it must be one of gibbs, mean, mode"):
        model.impute(table(), method="median")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="n_imputations is 0"):
        model.impute(table(), n_imputations=0)
