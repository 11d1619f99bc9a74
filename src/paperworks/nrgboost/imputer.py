"""Imputation as a step of a scikit-learn pipeline."""

from __future__ import annotations

from typing import Any, Literal, Self

from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from . import tables
from .density import NRGBoostDensity


class NRGBoostImputer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Fills in missing cells from a joint model of the table, in which they may be missing too.

    Parameters
    ----------
    estimator : NRGBoostDensity or None
        The model to fit, with its settings; None for one with the defaults.
    method : "mean", "mode" or "gibbs"
        Fill in expected values and the most probable categories, the most probable values, or a joint draw.
    n_steps : int
        Gibbs sweeps of a draw.
    random_state : int, RandomState or None
        What the draws come from, and the model where it has none of its own.

    Attributes
    ----------
    estimator_ : NRGBoostDensity
        The fitted model.
    """

    def __init__(
        self,
        estimator: NRGBoostDensity | None = None,
        *,
        method: Literal["gibbs", "mean", "mode"] = "mean",
        n_steps: int = 50,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.method = method
        self.n_steps = n_steps
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit the joint model to ``X``, rows counted by ``sample_weight`` [N]; ``y`` is ignored."""
        tables.read_checked(self, X)
        estimator = NRGBoostDensity() if self.estimator is None else clone(self.estimator)
        if estimator.random_state is None:
            estimator.set_params(random_state=self.random_state)
        self.estimator_ = estimator.fit(X, sample_weight=sample_weight)
        return self

    def transform(self, X: Any) -> Any:
        """``X`` with its missing cells filled in, as a table of its make."""
        check_is_fitted(self)
        tables.read_checked(self, X, self.estimator_.model_.encoder.names)
        return self.estimator_.impute(X, method=self.method, n_steps=self.n_steps, random_state=self.random_state)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags
