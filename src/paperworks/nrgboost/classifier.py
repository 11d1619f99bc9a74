"""Classification by the joint density of features and class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, validate_data

from .binning import Floats
from .cells import plain
from .column_distribution import ColumnDistribution
from .fitting import Progress
from .target import TargetEstimator


class NRGBoostClassifier(ClassifierMixin, TargetEstimator):
    """A classifier that has learnt the joint density of features and class, and can draw both.

    The parameters are those of `NRGBoostDensity`; with ``early_stopping`` the held-out score is that of the class
    unless ``scoring`` says otherwise.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The class labels, sorted.
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
        """Fit the model to features ``X`` and labels ``y`` [N]; ``sample_weight`` [N] counts rows.

        With ``early_stopping`` rows are held out, or ``X_val`` and ``y_val`` are. ``progress`` is told (stage, rounds
        done, rounds in all). Ctrl-C keeps the trees so far. Raises ValueError for settings or data that do not fit.
        """
        if y is None:
            validate_data(self, X, y, skip_check_array=True)  # raises in scikit-learn's words
        labels = _labels(y)
        if not self._goes_on:
            self.classes_ = np.unique(labels)
        target = self._as_column(labels, getattr(y, "name", None))
        validation = None if X_val is None else (X_val, self._as_column(_labels(y_val), None))
        self._fit_with_target(X, target, sample_weight, validation, progress)
        return self

    def predict_proba(self, X: Any) -> Floats:
        """The probability of each class, [N, n_classes], in the order of ``classes_``."""
        return self.predict_distribution(X).proba

    def predict_log_proba(self, X: Any) -> Floats:
        """The logarithm of `predict_proba`, [N, n_classes]."""
        return self.predict_distribution(X).logits

    def predict(self, X: Any) -> np.ndarray[Any, Any]:
        """The most probable class, [N]."""
        return self._most_probable(self.predict_distribution(X))

    def staged_predict_proba(self, X: Any) -> Iterator[Floats]:
        """`predict_proba` after 1, 2, ... rounds, in one pass over the trees."""
        for stage in self._fitted().staged_conditional(self._rows(X), self._last()):
            yield stage.proba

    def staged_predict(self, X: Any) -> Iterator[np.ndarray[Any, Any]]:
        """`predict` after 1, 2, ... rounds, in one pass over the trees."""
        for stage in self._fitted().staged_conditional(self._rows(X), self._last()):
            yield self._most_probable(stage)

    def _most_probable(self, distribution: ColumnDistribution) -> np.ndarray[Any, Any]:
        return self.classes_[distribution.logits.argmax(axis=1)]

    def _as_column(self, labels: np.ndarray[Any, Any], name: Any) -> pd.Series:
        unknown = set(map(plain, labels)) - set(map(plain, self.classes_))
        if unknown:
            raise ValueError(f"class {next(iter(unknown))!r} is not one of those that were fitted, {self.classes_}")
        classes = pd.CategoricalDtype([plain(label) for label in self.classes_])
        return pd.Series(pd.Categorical([plain(label) for label in labels], dtype=classes), name=name)

    def _targets(self, values: pd.Series) -> np.ndarray[Any, Any]:
        return self.classes_[values.cat.codes.to_numpy()]


def _labels(y: Any) -> np.ndarray[Any, Any]:
    labels = column_or_1d(y, warn=True)
    assert_all_finite(labels, input_name="y")
    check_classification_targets(labels)
    return labels
