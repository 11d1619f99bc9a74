"""The estimators pass scikit-learn's own checks, in full, and learn what splines can."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_breast_cancer, make_moons
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from paperworks.mlp_kan import DirectMixture, KANClassifier, KANRegressor, MLPKANRegressor

SMALL: dict[str, Any] = {"hidden": (3,), "max_iter": 100, "batch_size": 64, "learning_rate": 0.03}


MIXED: dict[str, Any] = {"hidden": 8, "num_experts": 2, "max_iter": 120, "batch_size": 64, "learning_rate": 0.03}


@parametrize_with_checks(
    [
        KANRegressor(**SMALL),
        KANClassifier(**SMALL),
        KANRegressor(hidden=(2,), solver="lbfgs", max_iter=15, early_stopping=True),
        MLPKANRegressor(**MIXED),
        MLPKANRegressor("residual", **MIXED, width=8, blocks=1),
    ]
)
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


@pytest.mark.parametrize("mode", ["direct", "residual"])
def test_a_mixture_learns_a_wave_by_its_seed(mode, wave):
    x, y = wave
    settings = {"random_state": 0, "max_iter": 300, "num_experts": 4}
    first, second = (MLPKANRegressor(mode, **settings).fit(x[:400], y[:400]) for _ in range(2))
    assert first.score(x[400:], y[400:]) > 0.9
    np.testing.assert_array_equal(first.predict(x), second.predict(x))


def test_a_direct_mixture_is_its_experts_weighed_by_its_gate():
    torch.manual_seed(0)
    network = DirectMixture(3, hidden=4, kan_hidden=2, num_experts=4).double()
    x = torch.rand(7, 3, dtype=torch.float64) * 2 - 1
    silu, answers = torch.nn.functional.silu, []
    for e in range(2):
        state = x
        for weight, bias in zip((network.first, network.second), network.biases, strict=False):
            state = silu(state @ weight[e] + bias[e])
        answers.append((state @ network.third[e] + network.biases[2][e])[:, 0])
    nodes = network.rise(x)
    for e in range(2):
        others = nodes.clone()
        others[:, 2 * e : 2 * e + 2] = 5.0  # beyond the splines of the last layer, where its edges are w silu(x) alone
        without = network.fall(others) - network.fall(torch.full_like(nodes, 5.0)).expand(7, 1)
        rest = network.fall.edges(nodes)[:, 0, [i for i in range(4) if i // 2 != e]].sum(1)
        same = network.fall.edges(torch.full_like(nodes, 5.0))[:, 0, [i for i in range(4) if i // 2 != e]].sum(1)
        torch.testing.assert_close(without[:, 0], rest - same)
        answers.append(network.fall(nodes)[:, 0] - rest)
    gate = (x @ network.gate.weight.T + network.gate.bias).softmax(-1)
    torch.testing.assert_close(network(x)[:, 0], (gate * torch.stack(answers, dim=1)).sum(1))


def test_lbfgs_comes_closer_on_a_smooth_function():
    x = np.random.default_rng(0).uniform(-1, 1, (300, 1))
    y = np.exp(-((3 * x[:, 0]) ** 2))
    errors = [
        np.abs(
            KANRegressor((), solver=solver, grid_size=20, max_iter=60, random_state=0).fit(x, y).predict(x) - y
        ).max()
        for solver in ("lbfgs", "adam")
    ]
    assert errors[0] < 0.03 < errors[1]


def test_early_stopping_keeps_the_weights_that_did_best(wave):
    x, y = wave
    noisy = y[:80] + np.random.default_rng(1).normal(0, 8, 80)
    settings = {"hidden": (12,), "grid_size": 20, "max_iter": 3000, "random_state": 0, "learning_rate": 0.05}
    stopped = KANRegressor(**settings, early_stopping=True, validation_fraction=0.3).fit(x[:80], noisy)
    assert stopped.n_iter_ == len(stopped.loss_curve_) < 3000
    through = KANRegressor(**settings | {"max_iter": stopped.n_iter_}).fit(x[:80], noisy)
    assert through.loss_curve_[-1] < through.loss_curve_[0]
    assert stopped.score(x[80:], y[80:]) > through.score(x[80:], y[80:])


def test_the_formula_is_of_the_features_in_their_units():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"speed": rng.uniform(2, 6, 400), "load": rng.uniform(-10, 30, 400)})
    y = 3 * table["speed"] ** 2 - 0.5 * table["load"]
    model = KANRegressor((), solver="lbfgs", max_iter=40, random_state=0).fit(table, y)
    for found in (model.formula(), model.formula(table)):
        assert {variable.name for variable in found.variables} == {"speed", "load"}
        assert found.r2 > 0.999
        at = dict(zip(found.variables, (4.0, 10.0), strict=True))
        assert float(found.expression.subs(at)) == pytest.approx(3 * 16 - 5, abs=0.5)


def test_other_settings_that_cannot_be_are_refused(wave):
    with pytest.raises(ValueError, match="one of adam, lbfgs"):
        KANRegressor(solver="sgd").fit(*wave)
    with pytest.raises(ValueError, match="between 0 and 1"):
        KANRegressor(validation_fraction=1.0).fit(*wave)
    with pytest.raises(ValueError, match="'direct' or 'residual'"):
        MLPKANRegressor("both").fit(*wave)
    with pytest.raises(ValueError, match="even number"):
        MLPKANRegressor(num_experts=3).fit(*wave)


@pytest.mark.parametrize("wrong", [{"max_iter": 0}, {"batch_size": 0}, {"hidden": (0,)}, {"grid_size": 0}])
def test_settings_that_cannot_be_are_refused(wrong, wave):
    with pytest.raises(ValueError, match="at least 1"):
        KANRegressor(**wrong).fit(*wave)
