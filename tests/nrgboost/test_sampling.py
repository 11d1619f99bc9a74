"""Samples: from the right distribution, under conditions, from a given start, in the make of the training table."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.special import softmax
from scipy.stats import chisquare

from paperworks.nrgboost import NRGBoostDensity, NRGBoostRegressor

SMALL: dict[str, Any] = {"n_estimators": 8, "max_leaf_nodes": 8, "n_model_samples": 800, "random_state": 0}


def table(n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    a = rng.integers(0, 4, n)
    return pd.DataFrame(
        {
            "a": a,
            "word": np.array(["x", "y", "z"])[np.minimum(a, rng.integers(0, 3, n))],
            "price": np.round(rng.gamma(2, 20, n) + 30 * a, 2),
            "size": pd.Categorical(rng.choice(["s", "m", "l"], n), categories=["s", "m", "l"], ordered=True),
        }
    )


@pytest.fixture(scope="module")
def model() -> NRGBoostDensity:
    return NRGBoostDensity(**SMALL, max_bins=12).fit(table())


def test_samples_have_the_models_own_frequencies() -> None:
    frame = table()[["a", "word"]]
    small = NRGBoostDensity(**SMALL).fit(frame)
    cells = pd.MultiIndex.from_product([range(4), ["x", "y", "z"]], names=["a", "word"]).to_frame(index=False)
    expected = softmax(small.energy(cells))
    drawn = small.sample(20_000, n_steps=20, random_state=1).value_counts()
    observed = drawn.reindex(pd.MultiIndex.from_frame(cells), fill_value=0).to_numpy()
    assert chisquare(observed, expected * observed.sum()).pvalue > 1e-3
    cold = softmax(small.energy(cells) / 0.5)
    observed = small.sample(20_000, n_steps=40, temperature=0.5, random_state=2).value_counts()
    observed = observed.reindex(pd.MultiIndex.from_frame(cells), fill_value=0).to_numpy()
    assert chisquare(observed, cold * observed.sum()).pvalue > 1e-3


def test_the_last_free_column_is_drawn_from_its_conditional(model: NRGBoostDensity) -> None:
    row = table().iloc[[5]]
    given = {name: row[name].iloc[0] for name in ("a", "price", "size")}
    drawn = model.sample(4000, given=given, n_steps=1, random_state=0)
    assert (drawn[["a", "price", "size"]] == row[["a", "price", "size"]].iloc[0]).all().all()
    shares = drawn["word"].value_counts(normalize=True).reindex(["x", "y", "z"])
    assert np.allclose(shares, model.conditional(row, "word").proba[0], atol=0.03)


def test_every_kind_of_condition_holds(model: NRGBoostDensity) -> None:
    prices = np.linspace(20.01, 99.99, 60)
    drawn = model.sample(60, given={"price": prices, "word": {"x", "z"}, "a": slice(1, 2)}, n_steps=5)
    assert drawn["price"].tolist() == np.round(prices, 2).tolist()
    assert set(drawn["word"]) <= {"x", "z"}
    assert drawn["a"].between(1, 2).all()
    drawn = model.sample(200, given={"price": slice(40.005, 60), "size": slice("m", None)}, n_steps=5)
    assert drawn["price"].between(40.01, 60).all()
    assert set(drawn["size"]) == {"m", "l"}


def test_a_range_that_cuts_through_bins_weighs_them_by_their_part() -> None:
    frame = pd.DataFrame({"x": np.linspace(0, 1, 2000) + 1e-7})
    flat = NRGBoostDensity(**SMALL | {"n_estimators": 1}, max_bins=4).fit(frame)
    drawn = flat.sample(8000, given={"x": slice(0.2, 0.4)}, n_steps=2, random_state=0)["x"]
    assert np.histogram(drawn, bins=4, range=(0.2, 0.4))[0] / 8000 == pytest.approx([0.25] * 4, abs=0.03)


def test_a_condition_can_fix_everything(model: NRGBoostDensity) -> None:
    row = table().iloc[5].to_dict()
    assert model.sample(2, given=row).to_dict("records") == [row, row]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"colour": 1}, ValueError, "there is no column 'colour'"),
        ({"word": "w"}, ValueError, "'w', which training never saw; it has 'x', 'y', 'z'"),
        ({"word": slice("x", "y")}, TypeError, "its categories have no order"),
        ({"a": [1, 2]}, ValueError, "has 2 values; give one, or one for each of the 5 rows"),
        ({"a": set()}, ValueError, "an empty set"),
        ({"a": slice(90, 99)}, ValueError, "nothing lies between 90 and 99; its values lie from 0 to 3"),
        ({"a": slice(0, 3, 2)}, ValueError, "two ends and no step"),
        ({"a": None}, ValueError, "is missing, and that column had no missing value in training"),
        ({"a": "many"}, ValueError, "column 'a' holds numbers, and 'many'"),
    ],
)
def test_a_condition_that_cannot_be_met_is_refused(
    model: NRGBoostDensity, given: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        model.sample(5, given=given)


def test_chains_start_where_they_are_told_to(model: NRGBoostDensity) -> None:
    rows = table().iloc[:5]
    cold: dict[str, Any] = {"n_steps": 1, "temperature": 1e-3, "random_state": 0}
    assert model.sample(5, init=rows, **cold).equals(model.sample(5, init=rows, **cold))
    fixed = {name: rows[name].to_numpy() for name in ("a", "word", "price")}
    assert (model.sample(5, init=rows, given=fixed, **cold)["a"] == rows["a"]).all()
    assert len(model.sample(30, init="data", n_steps=1)) == 30
    with pytest.raises(ValueError, match="init has 5 rows; it needs one for each of the 7"):
        model.sample(7, init=rows)
    with pytest.raises(ValueError, match="init is 'rows'"):
        model.sample(7, init="rows")


def test_chains_that_start_outside_of_a_condition_come_into_it(model: NRGBoostDensity) -> None:
    rows = table()
    outside = rows[rows["word"] == "z"].iloc[:10]
    assert set(model.sample(10, init=outside, given={"word": {"x"}}, n_steps=1)["word"]) == {"x"}


def test_the_whole_chain_can_be_had(model: NRGBoostDensity) -> None:
    rows, chain = model.sample(6, n_steps=9, return_chain=True, given={"word": "y"}, random_state=4)
    encoder = model.model_.encoder
    assert chain.shape == (6, 9, 4)
    assert np.array_equal(chain[:, -1], encoder.encode(rows).bins)
    assert (chain[:, :, 1] == encoder.encode(rows).bins[0, 1]).all()
    assert (chain[:, 1:] != chain[:, :-1]).any()


def test_an_earlier_round_can_be_sampled(model: NRGBoostDensity) -> None:
    independent = model.sample(4000, n_rounds=0, n_steps=2, random_state=0)
    joint = model.sample(4000, n_steps=10, random_state=0)
    assert abs(np.corrcoef(independent["a"], independent["price"])[0, 1]) < 0.06
    assert np.corrcoef(joint["a"], joint["price"])[0, 1] > 0.2


def test_samples_repeat_with_their_seed_alone(model: NRGBoostDensity) -> None:
    assert model.sample(20, n_steps=3).equals(model.sample(20, n_steps=3))  # random_state of the model is a number
    assert not model.sample(20, n_steps=3, random_state=1).equals(model.sample(20, n_steps=3, random_state=2))


@pytest.mark.parametrize("make", [pl.from_pandas, lambda frame: pa.Table.from_pandas(frame, preserve_index=False)])
def test_samples_are_of_the_make_of_the_training_table(make: Any) -> None:
    given = make(table())
    drawn = NRGBoostDensity(**SMALL | {"n_estimators": 1}).fit(given).sample(3, n_steps=1)
    assert type(drawn) is type(given)
    names = (lambda each: {f.name: f.type for f in each}) if isinstance(given, pa.Table) else dict
    assert names(drawn.schema) == names(given.schema)


def test_arrays_come_back_as_arrays() -> None:
    X = np.random.default_rng(0).normal(size=(80, 3)).astype(np.float32)
    drawn = NRGBoostDensity(**SMALL | {"n_estimators": 1}).fit(X).sample(5, n_steps=1, given={0: 0.5})
    assert drawn.dtype == np.float32
    assert drawn.shape == (5, 3)
    assert (drawn[:, 0] == 0.5).all()


def test_a_regressor_draws_features_and_targets() -> None:
    frame = table()
    model = NRGBoostRegressor(**SMALL).fit(frame[["a", "word"]], frame["price"])
    features, target = model.sample(50, given={"price": slice(100, None)}, n_steps=5)
    assert list(features.columns) == ["a", "word"]
    assert (target >= 100).all()


def test_progress_is_told_and_memory_is_that_of_the_rows(model: NRGBoostDensity) -> None:
    told: list[tuple[str, int, int]] = []
    model.sample(10, n_steps=2)
    tracemalloc.start()
    model.sample(3000, n_steps=20, progress=lambda *each: told.append(each))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert told == [("sampling", 1024, 3000), ("sampling", 2048, 3000), ("sampling", 3000, 3000)]
    assert peak < 3_000_000


@pytest.mark.parametrize("wrong", [{"n_samples": 0}, {"n_steps": 0}, {"temperature": 0.0}, {"n_rounds": 99}])
def test_wrong_arguments_are_named(model: NRGBoostDensity, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        model.sample(**{"n_samples": 3, **wrong})
