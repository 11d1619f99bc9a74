"""Density forests (section 2.7) as a scikit-learn estimator: the paper's tree-based baseline."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from . import tables
from .binning import Floats
from .column_distribution import ColumnDistribution
from .column_fit import BinningConfig
from .density_forest import ForestConfig, ForestModel, fit_forest
from .encoding import EncodedRows, TableEncoder, fit_encoder
from .estimator import MOST_SEEDS
from .row_weights import row_weights
from .saved import SavedEstimator


class DensityForest(SavedEstimator, DensityMixin, BaseEstimator):
    """The mean of density trees, each constant on its leaves, fitted to bootstrap samples of a table.

    Its density is normalised, its conditionals and samples are exact, and it is quick to fit; boosting
    (`NRGBoostDensity`) learns more. A missing cell is a value of its own; where training had none it is refused.

    Parameters
    ----------
    n_estimators : int
        The number of trees.
    max_leaf_nodes : int
        Leaves of a tree, at most.
    criterion : "likelihood" or "brier"
        What splits raise: the likelihood (KL), or the negative integrated squared error (ISE).
    bagging_fraction : float or None
        Size of each tree's bootstrap sample as a share of the rows; None for the rows themselves.
    max_features : float
        The share of the columns that are tried at each node.
    min_samples_leaf : float
        Rows of data in a leaf, at least.
    max_bins, categorical_features, categorical_overflow, n_jobs, random_state
        As in `NRGBoostDensity`.
    """

    def __init__(
        self,
        *,
        n_estimators: int = 100,
        max_leaf_nodes: int = 32,
        criterion: Literal["likelihood", "brier"] = "likelihood",
        bagging_fraction: float | None = 1.0,
        max_features: float = 1.0,
        min_samples_leaf: float = 0,
        max_bins: int = 255,
        categorical_features: Any = "from_dtype",
        categorical_overflow: Literal["error", "group"] = "error",
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_estimators = n_estimators
        self.max_leaf_nodes = max_leaf_nodes
        self.criterion = criterion
        self.bagging_fraction = bagging_fraction
        self.max_features = max_features
        self.min_samples_leaf = min_samples_leaf
        self.max_bins = max_bins
        self.categorical_features = categorical_features
        self.categorical_overflow = categorical_overflow
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit the forest to the rows of ``X``, counted by ``sample_weight`` [N]; ``y`` is ignored."""
        frame, self.form_ = tables.read_checked(self, X)
        weights = row_weights(sample_weight, frame)
        if weights is not None:
            frame, weights = frame[weights > 0], weights[weights > 0]
        config = BinningConfig(max_bins=self.max_bins, categorical_overflow=self.categorical_overflow)
        self.encoder_ = fit_encoder(frame, config, categorical=self.categorical_features, weights=weights)
        self.forest_ = fit_forest(
            self.encoder_.encode(frame).bins,
            self.encoder_.domain,
            self._forest_config(),
            weights=weights,
            seed=int(check_random_state(self.random_state).randint(MOST_SEEDS)),
            n_threads=effective_n_jobs(self.n_jobs),
        )
        return self

    def score_samples(self, X: Any) -> Floats:
        """The log density of each row, [N]: mass per unit of the numbers; -inf where every tree has an empty leaf."""
        rows = self._rows(X)
        return self._forest().log_density(rows.bins) - self._encoder().log_widths(rows.bins)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The mean of `score_samples`, weighted by ``sample_weight`` [N]; ``y`` is ignored."""
        return float(np.average(self.score_samples(X), weights=sample_weight))

    def conditional(self, X: Any, column: Any) -> ColumnDistribution:
        """The distribution of ``column`` (a name, or a position) given the other cells of each row of ``X``."""
        encoder = self._encoder()
        place = encoder.index(column)
        rows = self._rows(X, but=place)
        logits = self._forest().conditional_logits(rows.bins, place, effective_n_jobs(self.n_jobs))
        hopeless = ~np.isfinite(logits).any(axis=1)  # no tree gives the rest of the row any mass
        logits[hopeless] = 0
        return ColumnDistribution(encoder.columns[place], logits)

    def sample(self, n_samples: int = 1, random_state: Any = None) -> Any:
        """``n_samples`` exact draws, a table like that of training."""
        if n_samples < 1:
            raise ValueError(f"n_samples is {n_samples}; it must be at least 1")
        check_is_fitted(self)
        rng = check_random_state(self.random_state if random_state is None else random_state)
        bins = self._forest().sample(n_samples, int(rng.randint(MOST_SEEDS)))
        frame = self._encoder().decode(bins, np.random.default_rng(rng.randint(MOST_SEEDS)))
        return self.form_.build(frame)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags

    def _forest(self) -> ForestModel:
        check_is_fitted(self)
        forest: ForestModel = self.forest_
        return forest

    def _encoder(self) -> TableEncoder:
        check_is_fitted(self)
        encoder: TableEncoder = self.encoder_
        return encoder

    def _forest_config(self) -> ForestConfig:
        return ForestConfig(
            n_trees=self.n_estimators,
            max_leaves=self.max_leaf_nodes,
            criterion=self.criterion,
            bagging_fraction=self.bagging_fraction,
            max_features=self.max_features,
            min_samples_leaf=self.min_samples_leaf,
        )

    def _rows(self, X: Any, but: int | None = None) -> EncodedRows:
        """The rows of ``X``; ValueError for an unknown cell, except in column ``but``."""
        encoder = self._encoder()
        rows = encoder.encode(tables.read_checked(self, X, encoder.names)[0])
        unknown = rows.unknown.any(axis=0)
        unknown[[] if but is None else [but]] = False
        if unknown.any():
            name = encoder.names[int(unknown.argmax())]
            raise ValueError(f"column {name!r} has a missing or unknown value (NaN), and training had none there")
        return rows
