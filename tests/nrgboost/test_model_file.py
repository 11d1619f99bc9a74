"""Model files: the same model after a round trip, and one sentence for every file that is none."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.exceptions import NotFittedError

from paperworks.nrgboost import DensityForest, NRGBoostClassifier, NRGBoostDensity, NRGBoostRegressor, load_model

SMALL: dict[str, Any] = {"n_estimators": 3, "max_leaf_nodes": 6, "n_model_samples": 300, "random_state": 0}


def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "amount": rng.normal(size=150),
            "count": rng.integers(0, 9, 150),
            "far": rng.integers(2**62, 2**62 + 99, 150),
            "word": rng.choice([f"w{n}" for n in range(12)], 150),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 500, 150), unit="D"),
        }
    )
    frame.loc[::9, "amount"] = np.nan
    return frame


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return NRGBoostDensity(**SMALL).fit(table()).save(tmp_path_factory.mktemp("models") / "model.npz")


def test_a_density_comes_back_with_everything_that_it_knew(tmp_path: Path) -> None:
    model = NRGBoostDensity(**SMALL, categorical_features=["count"], early_stopping=True).fit(table())
    back = NRGBoostDensity.load(model.save(tmp_path / "folder" / "model.npz"))
    assert back.get_params() == model.get_params()
    assert back.score_samples(table()).tobytes() == model.score_samples(table()).tobytes()
    assert back.sample(20, n_steps=3).equals(model.sample(20, n_steps=3))
    assert back.impute(table()).equals(model.impute(table()))
    assert back.rounds_ == model.rounds_ or np.isnan(model.rounds_[0].kept_fraction)
    assert (back.ended_, back.validation_scores_) == (model.ended_, model.validation_scores_)
    assert back.feature_names_in_.tolist() == list(table().columns)
    with pytest.raises(ValueError, match="feature names should match"):
        back.score_samples(table().rename(columns={"word": "text"}))


def test_every_estimator_comes_back(tmp_path: Path) -> None:
    X = table().drop(columns=["word", "day"]).to_numpy()
    y = np.array(["no", "yes"])[(X[:, 1] > 4).astype(int)]
    for model in (
        NRGBoostClassifier(**SMALL).fit(X, y),
        NRGBoostRegressor(**SMALL).fit(X, X[:, 1]),
    ):
        back = load_model(model.save(tmp_path / "model.npz"))
        assert type(back) is type(model)
        assert np.array_equal(back.predict(X), model.predict(X))
    forest = DensityForest(n_estimators=3, random_state=0).fit(pl.from_pandas(table()))
    back = DensityForest.load(forest.save(tmp_path / "forest.npz"))
    assert np.array_equal(back.score_samples(table()), forest.score_samples(table()))
    assert back.sample(5).equals(forest.sample(5))


def test_a_model_goes_on_after_loading(saved: Path) -> None:
    model = NRGBoostDensity.load(saved).set_params(n_estimators=5, warm_start=True).fit(table())
    assert model.n_rounds_ == 5


def test_rare_categories_come_back(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": [f"i{n}" for n in range(300)] * 2})
    model = NRGBoostDensity(**SMALL, categorical_overflow="group").fit(frame)
    back = NRGBoostDensity.load(model.save(tmp_path / "m.npz"))
    assert back.sample(50, n_steps=2).equals(model.sample(50, n_steps=2))


def test_pickles_too_come_back() -> None:
    model = NRGBoostDensity(**SMALL).fit(table())
    assert np.array_equal(pickle.loads(pickle.dumps(model)).score_samples(table()), model.score_samples(table()))


def test_a_file_has_arrays_and_a_header_and_no_row_of_the_table(saved: Path) -> None:
    with np.load(saved, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    header = json.loads(arrays.pop("header").tobytes())
    assert header["format"] == 1
    assert header["kind"] == "NRGBoostDensity"
    assert [column["name"] for column in header["columns"]] == list(table().columns)
    assert not any(array.dtype.hasobject for array in arrays.values())
    assert not any(array.shape[:1] == (len(table()),) for array in arrays.values())
    with pytest.raises(ValueError, match="a saved model has no training rows to start at"):
        load_model(saved).sample(3, init="data")


def rewritten(saved: Path, path: Path, change: Any) -> Path:
    """The saved model with a changed header or arrays."""
    with np.load(saved) as file:
        arrays = {name: file[name] for name in file.files}
    header = json.loads(arrays["header"].tobytes())
    change(header, arrays)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    np.savez(path, **arrays)
    return path


CHANGES: dict[str, tuple[Any, str]] = {
    "newer": (lambda header, arrays: header.update(format=99), "written by a newer paperworks .*upgrade"),
    "other kind": (lambda header, arrays: header.update(kind="Oracle"), "no model file"),
    "no format": (lambda header, arrays: header.pop("format"), "no model file"),
    "an array gone": (lambda header, arrays: arrays.pop("model/masses"), "is damaged"),
    "a column gone": (lambda header, arrays: header["columns"].pop(), "is damaged"),
    "odd parameter": (lambda header, arrays: header["parameters"].update(magic=1), "is damaged"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_file_that_does_not_hold_together_is_refused(saved: Path, tmp_path: Path, case: str) -> None:
    change, message = CHANGES[case]
    with pytest.raises(ValueError, match=message):
        load_model(rewritten(saved, tmp_path / "model.npz", change))


@pytest.mark.parametrize("content", ["cut", "flipped", "text", "empty", "array", "pickle"])
def test_a_file_that_is_no_model_is_refused(saved: Path, tmp_path: Path, content: str) -> None:
    path, whole = tmp_path / "model.npz", saved.read_bytes()
    if content == "array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif content == "pickle":
        path.write_bytes(pickle.dumps({"a": 1}))
    else:
        half = len(whole) // 2
        damaged = {"cut": whole[:half], "flipped": whole[:half] + b"?" * 40 + whole[half + 40 :]}
        path.write_bytes({**damaged, "text": b"a,b\n1,2\n", "empty": b""}[content])
    with pytest.raises(ValueError, match=r"model\.npz is (no model file|damaged)"):
        load_model(path)


def test_other_mistakes_are_named(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no model file"):
        load_model(tmp_path / "absent.npz")
    with pytest.raises(ValueError, match="holds a NRGBoostDensity, not a NRGBoostClassifier"):
        NRGBoostClassifier.load(saved)
    with pytest.raises(NotFittedError):
        NRGBoostDensity().save(tmp_path / "model.npz")
    assert not (tmp_path / "model.npz").exists()
