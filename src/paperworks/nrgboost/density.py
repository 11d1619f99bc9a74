"""The joint density of a table as a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import DensityMixin

from . import plausibility, tables
from .binning import Floats
from .estimator import JointEstimator
from .fitting import Progress
from .imputation import impute_frame
from .sampling import SamplingConfig


class NRGBoostDensity(DensityMixin, JointEstimator):
    """A generative model of a whole table by boosted trees (NRGBoost, arXiv 2410.03535).

    It predicts any column from the others, draws rows, fills in missing cells and scores how plausible rows are. Tables
    are pandas, polars or pyarrow frames, or arrays; what comes out is of the same make.

    Parameters
    ----------
    n_estimators : int
        The number of trees.
    learning_rate : float
        The share of the best step that each tree takes.
    max_leaf_nodes : int
        Leaves of a tree, at most.
    max_ratio_in_leaf : float
        Splits are made only where a leaf has at most so many times the data that the model expects in it; above 1.
    min_samples_leaf : float
        Rows of data in a leaf, at least.
    n_model_samples : int
        Size of the pool of model samples against which trees are grown.
    refresh_fraction : float
        The share of the pool that is drawn anew each round whatever rejection keeps; above 0, at most 1.
    n_chains, burn_in : int
        Gibbs chains that renew the pool, and their sweeps that are dropped where they start away from the pool.
    max_bins : int
        Quantile bins of a number, at most 255.
    few_values : "bins" or "values"
        Whether a real column with no more distinct values than ``max_bins`` keeps one bin for each.
    initial_uniform_mixture : float
        The share of the uniform distribution in the marginals from which boosting starts.
    line_search : bool
        Whether each tree's step is the one of highest likelihood.
    max_features : float
        The share of the columns that are tried at each node.
    growth : "best" or "depth"
        Trees grow where the gain is highest, or level by level.
    chain_start : "pool" or "data"
        Chains go on from kept rows of the pool, or start at training rows as in the paper.
    categorical_features : "from_dtype", or list of names, positions or booleans
        Columns that are categories besides texts and pandas categories.
    categorical_split : "many" or "one_vs_all"
        Whether a split parts categories into two sets, or one from the rest.
    categorical_overflow : "error" or "group"
        What is done with a column of over 256 categories: refuse it, or join the rarest.
    missing : "bin" or "error"
        Whether missing cells are learnt as a value of their own, or refused.
    early_stopping : bool
        Whether to hold rows out, stop once they score no better for ``n_iter_no_change`` rounds, and keep the best.
    validation_fraction : float
        The share of the rows that is held out, unless ``fit`` is given others.
    scoring : None, "joint" or a column's name
        Held-out score: the mean log-probability of each cell given the rest of its row, over all columns or of one.
    n_jobs : int or None
        Threads. The result is the same for any number of them.
    random_state : int, RandomState or None
        What all random draws come from.
    verbose : int
        Above 0, a line is printed for each round.
    warm_start : bool
        Whether ``fit`` goes on from the trees of the fit before, up to ``n_estimators``.

    Attributes
    ----------
    model_ : TableModel
        The encoder of the table and the energies of its bins.
    n_rounds_ : int
        The number of trees.
    rounds_ : list of Round
        What each round gained, and how much of the pool it kept.
    ended_ : str
        "complete", "early", "interrupted" (Ctrl-C), or "no split" where none was admissible any more.
    validation_scores_ : list of float
        The held-out score after 0, 1, ... rounds of the last fit; empty without early stopping.
    """

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        X_val: Any = None,
        progress: Progress | None = None,
    ) -> Self:
        """Fit the model to the rows of ``X``; ``y`` is ignored.

        ``sample_weight`` [N] counts rows, integers as that many repetitions. With ``early_stopping`` rows are held out,
        or ``X_val`` is. ``progress`` is told (stage, rounds done, rounds in all). Ctrl-C keeps the trees so far, and a
        warning says so. Raises ValueError and TypeError for settings or tables that cannot be fitted.
        """
        frame, self.form_ = self._read_training(X)
        held_out = None if X_val is None else tables.read_checked(self, X_val, list(frame.columns))[0]
        self._fit_frame(frame, sample_weight=sample_weight, held_out=held_out, progress=progress)
        return self

    def score_samples(self, X: Any, n_rounds: int | None = None) -> Floats:
        """The log density of each row up to log Z, [N]: mass per unit of the numbers (`log_partition` gives log Z).

        A missing cell counts as the value "missing" where training had such; other unknown cells are summed out.
        """
        return self._fitted().log_density(self._rows(X), n_rounds)

    def energy(self, X: Any, n_rounds: int | None = None) -> Floats:
        """The raw f of each row, [N]: the log mass of its bins up to log Z."""
        return self._fitted().energy(self._rows(X), n_rounds)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The mean of `score_samples`, weighted by ``sample_weight`` [N]; ``y`` is ignored.

        It leaves out log Z, which differs between models: compare settings by a named column or held-out conditionals
        (``scoring``), or subtract `log_partition`.
        """
        return float(np.average(self.score_samples(X), weights=sample_weight))

    def sample(
        self,
        n_samples: int = 1,
        given: Mapping[Any, Any] | None = None,
        n_steps: int = 100,
        n_rounds: int | None = None,
        temperature: float = 1.0,
        init: Any = "marginals",
        return_chain: bool = False,
        random_state: Any = None,
        progress: Progress | None = None,
    ) -> Any:
        """``n_samples`` rows, each the end of a Gibbs chain of ``n_steps`` sweeps, as a table like that of training.

        ``given`` says what rows have in a column: a value, an array of one value a row, ``slice(low, high)``, or a set.
        Chains start at draws from the marginals, at training rows ("data"), or at the rows of a table. With
        ``return_chain`` returns (rows, bins of all sweeps [n_samples, n_steps, D]).
        """
        config = SamplingConfig(
            n_steps=n_steps,
            n_rounds=n_rounds,
            temperature=temperature,
            return_chain=return_chain,
            progress=progress,
        )
        frame, chain = self._sampled(n_samples, given, config, random_state, init)
        rows = self.form_.build(frame)
        return (rows, chain) if return_chain else rows

    def impute(
        self,
        X: Any,
        n_imputations: int = 1,
        method: Literal["gibbs", "mean", "mode"] = "gibbs",
        n_steps: int = 50,
        random_state: Any = None,
        progress: Progress | None = None,
    ) -> Any:
        """``X`` with its missing cells filled in, as a table of its make; what it has stays as it is.

        "gibbs" draws the cells of a row together, "mean" fills in expected values and the most probable categories,
        "mode" the most probable value. With ``n_imputations`` above 1 returns a list of tables, which differ with
        "gibbs" alone.
        """
        frame, form = self._read(X)
        rows = self._encoded(frame)
        seed = self._draw_seed(random_state)
        if n_imputations < 1:
            raise ValueError(f"n_imputations is {n_imputations}; it must be at least 1")
        filled = [
            form.build(
                impute_frame(
                    self._fitted(), frame, rows, method, n_steps=n_steps, seed=seed + number, progress=progress
                ).set_axis(X.columns if form.container == "pandas" else frame.columns, axis=1)
            )
            for number in range(n_imputations)
        ]
        return filled[0] if n_imputations == 1 else filled

    def plausibility(
        self, X: Any, n_reference: int = 1000, random_state: Any = None, progress: Progress | None = None
    ) -> Floats:
        """How plausible each row is, [N] in (0, 1]: the share of the model's own rows that are no more likely.

        Under a right model it is uniform for rows of the data; near 0 are outliers. ``n_reference`` rows are drawn.
        """
        model = self._fitted()
        reference = plausibility.reference_scores(model, n_reference, self._draw_seed(random_state), progress=progress)
        return plausibility.of_rows(model.log_density(self._rows(X)), reference)

    def missing_cells(self, X: Any) -> int:
        """How many cells of ``X`` are missing, and would be filled in by `impute`."""
        return int(self._rows(X).absent.sum())

    def cell_plausibility(self, X: Any, progress: Progress | None = None) -> Floats:
        """How plausible each cell is given the rest of its row, [N, D] in (0, 1], NaN for unknown cells.

        It is the probability, under the cell's conditional distribution, of a value that is no more likely.
        """
        return plausibility.of_cells(self._fitted(), self._rows(X), progress=progress)
