"""What the estimators share: their settings, how a table becomes a fitted joint model, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from . import tables
from .binning import Floats
from .boosting import BoostingConfig, Round
from .column_distribution import ColumnDistribution
from .column_fit import BinningConfig
from .columns import Mask
from .encoding import EncodedRows, TableEncoder, fit_encoder
from .fitting import Progress, Validation, fit_energies
from .given import conditions
from .row_weights import row_weights
from .sampling import SamplingConfig, sample_rows
from .saved import SavedEstimator
from .table_model import TableModel

MOST_SEEDS = 2**31 - 1


class JointEstimator(SavedEstimator, BaseEstimator):
    """The base of NRGBoost's estimators: a boosted energy model of every column of a table together.

    Not for use by itself. See `NRGBoostDensity` for the parameters.
    """

    def __init__(
        self,
        *,
        n_estimators: int = 200,
        learning_rate: float = 0.15,
        max_leaf_nodes: int = 256,
        max_ratio_in_leaf: float = 2.0,
        min_samples_leaf: float = 0,
        n_model_samples: int = 80_000,
        refresh_fraction: float = 0.1,
        n_chains: int = 16,
        burn_in: int = 100,
        max_bins: int = 255,
        few_values: Literal["bins", "values"] = "bins",
        initial_uniform_mixture: float = 0.1,
        line_search: bool = True,
        max_features: float = 1.0,
        growth: Literal["best", "depth"] = "best",
        chain_start: Literal["pool", "data"] = "data",
        categorical_features: Any = "from_dtype",
        categorical_split: Literal["many", "one_vs_all"] = "many",
        categorical_overflow: Literal["error", "group"] = "error",
        missing: Literal["bin", "error"] = "bin",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        scoring: str | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
        warm_start: bool = False,
    ) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.max_leaf_nodes = max_leaf_nodes
        self.max_ratio_in_leaf = max_ratio_in_leaf
        self.min_samples_leaf = min_samples_leaf
        self.n_model_samples = n_model_samples
        self.refresh_fraction = refresh_fraction
        self.n_chains = n_chains
        self.burn_in = burn_in
        self.max_bins = max_bins
        self.few_values = few_values
        self.initial_uniform_mixture = initial_uniform_mixture
        self.line_search = line_search
        self.max_features = max_features
        self.growth = growth
        self.chain_start = chain_start
        self.categorical_features = categorical_features
        self.categorical_split = categorical_split
        self.categorical_overflow = categorical_overflow
        self.missing = missing
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.scoring = scoring
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.warm_start = warm_start

    @property
    def n_rounds_(self) -> int:
        """The number of trees of the fitted model; with early stopping, up to the best round."""
        return self._fitted().energies.n_rounds

    @property
    def feature_importances_(self) -> Floats:
        """The share of each column of ``X`` in the gains of the splits on them, [n_features]; zeros without a split."""
        target = self._target()
        gains = np.delete(self._fitted().energies.feature_gains(), [] if target is None else [target])
        return gains / gains.sum() if gains.sum() > 0 else gains

    def conditional(self, X: Any, column: Any, n_rounds: int | None = None) -> ColumnDistribution:
        """The distribution of ``column`` (a name, or a position) given the other cells of each row of ``X``.

        What ``X`` holds in that column does not matter. Missing cells are averaged over: exactly up to 4096
        combinations of bins, else by Gibbs sweeps. Raises ValueError for an unknown column or too many rounds.
        """
        model = self._fitted()
        return model.conditional(self._rows(X), model.encoder.index(column), n_rounds)

    def staged_conditional(self, X: Any, column: Any) -> Iterator[ColumnDistribution]:
        """`conditional` after 1, 2, ... rounds, in one pass over the trees."""
        model = self._fitted()
        yield from model.staged_conditional(self._rows(X), model.encoder.index(column))

    def log_partition(self, n_particles: int = 256, random_state: Any = None) -> tuple[float, float]:
        """log Z and its standard error, by annealed importance sampling along the rounds (section 8.1).

        Subtract it from `score_samples` for a density that integrates to one.
        """
        model = self._fitted()
        return model.energies.log_partition(n_particles, self._draw_seed(random_state), n_threads=model.n_threads)

    def use_threads(self, n_jobs: int | None) -> Self:
        """Let the fitted model use so many threads (-1: all cores), and later fits too. Results stay the same."""
        self.n_jobs = n_jobs
        self.model_ = replace(self._fitted(), n_threads=effective_n_jobs(n_jobs))
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing == "bin"
        tags.input_tags.categorical = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _fitted(self) -> TableModel:
        check_is_fitted(self)
        model: TableModel = self.model_
        return model

    def _draw_seed(self, random_state: Any) -> int:
        """A seed for one call: from ``random_state``, or where that is None from the estimator's own."""
        given = self.random_state if random_state is None else random_state
        return int(check_random_state(given).randint(MOST_SEEDS))

    def _read_training(self, X: Any) -> tuple[pd.DataFrame, tables.TableForm]:
        return tables.read_checked(self, X, self._feature_names() if self._goes_on else None)

    def _read(self, X: Any) -> tuple[pd.DataFrame, tables.TableForm]:
        return tables.read_checked(self, X, self._feature_names())

    @property
    def _goes_on(self) -> bool:
        """True where ``fit`` adds to an earlier fit."""
        return self.warm_start and hasattr(self, "model_")

    def _feature_names(self) -> list[str]:
        """The names of the columns of ``X``, in order."""
        names, target = self._fitted().encoder.names, self._target()
        return names if target is None else [*names[:target], *names[target + 1 :]]

    def _target(self) -> int | None:
        """The position of the column that ``X`` lacks; None where the table has all."""
        return None

    def _rows(self, X: Any) -> EncodedRows:
        return self._encoded(self._read(X)[0], self._target())

    def _encoded(self, frame: pd.DataFrame, without: int | None = None) -> EncodedRows:
        rows = self._fitted().encoder.encode(frame, without=without)
        if self.missing == "error" and np.delete(rows.absent, [] if without is None else [without], axis=1).any():
            raise ValueError("the table has missing values (NaN), and missing='error'; impute them first")
        return rows

    def _fit_frame(
        self,
        frame: pd.DataFrame,
        *,
        target: str | None = None,
        sample_weight: Any = None,
        held_out: pd.DataFrame | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Fit the joint model to the whole table, the target's column included."""
        weights = row_weights(sample_weight, frame)
        if weights is not None:
            frame, weights = frame[weights > 0], weights[weights > 0]
        frame = frame.reset_index(drop=True)
        before = self.model_ if self._goes_on else None
        seed = int(check_random_state(self.random_state).randint(MOST_SEEDS)) if before is None else before.seed
        encoder = self._encoder(frame, weights) if before is None else before.encoder
        rows = encoder.encode(frame)
        if before is not None and rows.unknown.any():
            raise ValueError("warm_start goes on with the first fit's bins, and this table has cells that fit none")
        training, validation = self._split(rows, encoder, target, held_out, seed)
        fitted = fit_energies(
            rows.bins[training],
            encoder.domain,
            self._boosting_config(0 if before is None else before.energies.n_rounds),
            weights=None if weights is None else weights[training],
            seed=seed,
            n_threads=effective_n_jobs(self.n_jobs),
            start=None if before is None else before.energies,
            validation=validation,
            progress=progress,
            verbose=self.verbose,
        )
        self.model_ = TableModel(encoder, fitted.model, seed, effective_n_jobs(self.n_jobs))
        earlier: list[Round] = self.rounds_ if before is not None else []
        self.rounds_ = [*earlier, *fitted.rounds]
        self.ended_ = fitted.ended
        self.validation_scores_ = fitted.scores
        self._training_bins = rows.bins[training]

    def _encoder(self, frame: pd.DataFrame, weights: Floats | None) -> TableEncoder:
        config = BinningConfig(
            max_bins=self.max_bins,
            few_values=self.few_values,
            categorical_overflow=self.categorical_overflow,
            missing=self.missing,
        )
        return fit_encoder(frame, config, categorical=self.categorical_features, weights=weights)

    def _boosting_config(self, n_before: int) -> BoostingConfig:
        if self.n_estimators < max(1, n_before):
            raise ValueError(
                f"n_estimators is {self.n_estimators}; it must be at least {max(1, n_before)}"
                + (", the trees of the earlier fit, with warm_start" if n_before else "")
            )
        if self.max_leaf_nodes < 2:
            raise ValueError(f"max_leaf_nodes is {self.max_leaf_nodes}; it must be at least 2")
        return BoostingConfig(
            n_rounds=self.n_estimators - n_before,
            learning_rate=self.learning_rate,
            max_leaves=self.max_leaf_nodes,
            max_ratio_in_leaf=self.max_ratio_in_leaf,
            min_samples_leaf=self.min_samples_leaf,
            n_model_samples=self.n_model_samples,
            refresh_fraction=self.refresh_fraction,
            n_chains=self.n_chains,
            burn_in=self.burn_in,
            initial_uniform_mixture=self.initial_uniform_mixture,
            line_search=self.line_search,
            max_features=self.max_features,
            growth=self.growth,
            categorical_split=self.categorical_split,
            chain_start=self.chain_start,
        )

    def _split(
        self, rows: EncodedRows, encoder: TableEncoder, target: str | None, held_out: pd.DataFrame | None, seed: int
    ) -> tuple[Mask, Validation | None]:
        """Which rows are trained on, [N], and what is held out; without early stopping everything and nothing."""
        everything = np.ones(len(rows), dtype=bool)
        if not self.early_stopping:
            return everything, None
        if self.n_iter_no_change < 1:
            raise ValueError(f"n_iter_no_change is {self.n_iter_no_change}; it must be at least 1")
        scoring = self.scoring or target or "joint"
        columns = range(len(encoder.columns)) if scoring == "joint" else [encoder.index(scoring)]
        if held_out is not None:
            return everything, self._validation(encoder.encode(held_out), encoder, columns)
        if not 0 < self.validation_fraction < 1:
            raise ValueError(f"validation_fraction is {self.validation_fraction}; it must be between 0 and 1")
        count = max(1, round(self.validation_fraction * len(rows)))
        if count >= len(rows):
            raise ValueError(f"{len(rows)} row(s) are too few to hold some out for early_stopping; turn it off")
        training = everything
        training[np.random.default_rng(seed).permutation(len(rows))[:count]] = False
        return training, self._validation(rows[~training], encoder, columns)

    def _validation(self, rows: EncodedRows, encoder: TableEncoder, columns: Sequence[int]) -> Validation:
        """The rows held out; ValueError where none of them is known in all of its cells."""
        if rows.unknown.any(axis=1).all():
            column, count = encoder.names[int(rows.unknown.sum(axis=0).argmax())], int(rows.unknown.sum(axis=0).max())
            raise ValueError(
                f"none of the {len(rows)} rows held out is known in all of its cells: column {column!r} has what "
                f"training never saw in {count} of them; leave it out, or hold no rows out"
            )
        return Validation(rows=rows, columns=columns, patience=self.n_iter_no_change)

    def _sampled(
        self, n_samples: int, given: Mapping[Any, Any] | None, config: SamplingConfig, random_state: Any, init: Any
    ) -> tuple[pd.DataFrame, Any]:
        """Sampled rows as a frame of all columns, and with ``config.return_chain`` the bins of every sweep."""
        model = self._fitted()
        if n_samples < 1:
            raise ValueError(f"n_samples is {n_samples}; it must be at least 1")
        asked = conditions(model.encoder, given, n_samples)
        return sample_rows(
            model, asked, config, start=self._start(init, n_samples, random_state), seed=self._draw_seed(random_state)
        )

    def _start(self, init: Any, n: int, random_state: Any) -> np.ndarray[Any, np.dtype[np.uint8]] | None:
        """The bins [n, D] at which chains start; None for draws from the marginals."""
        if isinstance(init, str) and init == "marginals":
            return None
        if isinstance(init, str):
            if init != "data":
                raise ValueError(f"init is {init!r}; it must be 'marginals', 'data' or a table of {n} rows")
            if not hasattr(self, "_training_bins"):
                raise ValueError("a saved model has no training rows to start at; give a table as init")
            chosen = np.random.default_rng(self._draw_seed(random_state)).integers(len(self._training_bins), size=n)
            return self._training_bins[chosen]
        rows = self._rows(init)
        if len(rows) != n:
            raise ValueError(f"init has {len(rows)} rows; it needs one for each of the {n} samples")
        return rows.bins
