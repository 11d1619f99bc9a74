"""The estimators pass scikit-learn's own checks, in full, and learn what splines can."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, make_moons
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from paperworks.mlp_kan import KANClassifier, KANRegressor

SMALL: dict[str, Any] = {"hidden": (3,), "max_iter": 100, "batch_size": 64, "learning_rate": 0.03}


@parametrize_with_checks([KANRegressor(**SMALL), KANClassifier(**SMALL)])
def test_scikit_learns_checks(estimator: Any, check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # without it the check of numpy arrays under array API dispatch skips
    check(estimator)


@pytest.fixture
def wave():
    rng = np.random.default_rng(0)
    x = rng.uniform(-3, 5, (600, 3))
    return x, 10 * np.sin(x[:, 0]) + x[:, 1] ** 2 - 4


def test_a_sum_of_curves_is_learned_and_the_idle_feature_is_known(wave):
    x, y = wave
    model = KANRegressor((), random_state=0, max_iter=300, learning_rate=0.05).fit(x[:400], y[:400])
    assert model.score(x[400:], y[400:]) > 0.99
    importances = model.feature_importances_
    assert importances.sum() == pytest.approx(1)
    assert importances[2] < 0.05 < importances[:2].min()


def test_a_penalty_quiets_the_idle_feature(wave):
    x, y = wave
    settings = {"hidden": (), "random_state": 0, "max_iter": 300, "learning_rate": 0.05}
    plain, penalised = (KANRegressor(**settings, l1=l1).fit(x, y) for l1 in (0.0, 0.01))
    assert penalised.feature_importances_[2] < plain.feature_importances_[2]


def test_a_fit_follows_its_seed_and_survives_pickling(wave):
    x, y = wave
    first, second, other = (KANRegressor(**SMALL, random_state=seed).fit(x, y).predict(x) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.allclose(first, other)
    model = KANRegressor(**SMALL, random_state=1).fit(x, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(x), first)


def test_beyond_the_training_rows_the_answer_is_that_of_the_edge(wave):
    x, y = wave
    model = KANRegressor(**SMALL, random_state=0).fit(x, y)
    np.testing.assert_allclose(model.predict([[99.0, 0, 0]]), model.predict([[x[:, 0].max(), 0, 0]]))


def test_classes_keep_their_names_and_curved_borders_are_found():
    x, y = make_moons(400, noise=0.1, random_state=0)
    names = np.array(["south", "north"])[y]
    model = KANClassifier(**SMALL, random_state=0).fit(x[:300], names[:300])
    assert set(model.predict(x)) == {"south", "north"}
    assert model.score(x[300:], names[300:]) > 0.95
    np.testing.assert_allclose(model.predict_proba(x).sum(axis=1), 1)


def test_the_score_is_over_all_rows_not_over_the_last_batch():
    x, y = load_breast_cancer(return_X_y=True)
    assert cross_val_score(KANClassifier(**SMALL, random_state=0), x, y, cv=3).min() > 0.9


@pytest.mark.parametrize("wrong", [{"max_iter": 0}, {"batch_size": 0}, {"hidden": (0,)}, {"grid_size": 0}])
def test_settings_that_cannot_be_are_refused(wrong, wave):
    with pytest.raises(ValueError, match="at least 1"):
        KANRegressor(**wrong).fit(*wave)
