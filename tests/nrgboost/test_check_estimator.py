"""scikit-learn's own checks, in full, on small settings. Correct predictions of the checks' toy data need few trees."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from paperworks.nrgboost.classifier import NRGBoostClassifier
from paperworks.nrgboost.density import NRGBoostDensity
from paperworks.nrgboost.forest import DensityForest
from paperworks.nrgboost.imputer import NRGBoostImputer
from paperworks.nrgboost.regressor import NRGBoostRegressor

SMALL: dict[str, Any] = {"n_estimators": 4, "max_leaf_nodes": 8, "n_model_samples": 400, "max_bins": 15, "n_chains": 4}
LEARNS: dict[str, Any] = {**SMALL, "n_estimators": 8, "learning_rate": 0.5, "n_model_samples": 1000, "burn_in": 20}


@parametrize_with_checks(
    [
        NRGBoostDensity(**SMALL, burn_in=5),
        NRGBoostClassifier(**LEARNS),
        NRGBoostRegressor(**LEARNS | {"n_estimators": 20, "max_leaf_nodes": 24, "n_model_samples": 2000}),
        NRGBoostImputer(NRGBoostDensity(**SMALL, burn_in=5)),
        DensityForest(n_estimators=4, max_leaf_nodes=8, max_bins=15),
    ]
)
def test_scikit_learns_checks(estimator: Any, check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # without it the check of numpy arrays under array API dispatch skips
    check(estimator)
