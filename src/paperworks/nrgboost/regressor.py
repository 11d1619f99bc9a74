"""Regression by the joint density of features and target: the whole predictive distribution, not its mean alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import validate_data

from .fitting import Progress
from .target import TargetEstimator


class NRGBoostRegressor(RegressorMixin, TargetEstimator):
    """A regressor that has learnt the joint density of features and target: means, quantiles, intervals, samples.

    The parameters are those of `NRGBoostDensity`; with ``early_stopping`` the held-out score is that of the target
    unless ``scoring`` says otherwise.
    """

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        progress: Progress | None = None,
    ) -> Self:
        """Fit the model to features ``X`` and numbers ``y`` [N]; ``sample_weight`` [N] counts rows.

        With ``early_stopping`` rows are held out, or ``X_val`` and ``y_val`` are. ``progress`` is told (stage, rounds
        done, rounds in all). Ctrl-C keeps the trees so far. Raises ValueError for settings or data that do not fit.
        """
        if y is None:
            validate_data(self, X, y, skip_check_array=True)  # raises in scikit-learn's words
        target = pd.Series(_numbers(y), name=getattr(y, "name", None))
        validation = None if X_val is None else (X_val, pd.Series(_numbers(y_val)))
        self._fit_with_target(X, target, sample_weight, validation, progress)
        return self

    def predict(self, X: Any) -> np.ndarray[Any, Any]:
        """The expected target, [N]."""
        return self.predict_distribution(X).mean()

    def predict_quantiles(self, X: Any, q: ArrayLike) -> np.ndarray[Any, Any]:
        """Quantiles of the target: [N] for one level ``q`` in [0, 1], [N, Q] for a list of them."""
        return self.predict_distribution(X).quantile(q)

    def staged_predict(self, X: Any) -> Iterator[np.ndarray[Any, Any]]:
        """`predict` after 1, 2, ... rounds, in one pass over the trees."""
        for stage in self._fitted().staged_conditional(self._rows(X), self._last()):
            yield stage.mean()


def _numbers(y: Any) -> np.ndarray[Any, Any]:
    return check_array(column_or_1d(y, warn=True), ensure_2d=False, dtype="numeric", input_name="y")
