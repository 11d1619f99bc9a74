"""Boosting rounds: a tree against a sample of the model, a step, a new sample (sections 2.2 and 2.4)."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from .checks import checked_weights, require, require_one_of
from .domain import Domain
from .gibbs import run_chains
from .growth import Grower, Grown, GrowthConfig
from .initial import fit_initial
from .leaf_masks import LeafMasks
from .line_search import best_step, likelihood_gain, log_expectation
from .model import EnergyModel
from .pool import accepted, first_pool
from .streams import stream_key
from .threads import Workers, blocks

__all__ = ["BoostingConfig", "BoostingResult", "Round", "boost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoostingConfig:
    """The settings of section 2.8, by scikit-learn's names. ``n_rounds`` counts the trees that are added.

    ``chain_start``: new model rows come from chains that start at data rows and drop ``burn_in`` sweeps, as in the
    paper, or that go on from kept rows of the pool. The latter saves the burn-in, but few chains then repeat the pool's
    own errors: take hundreds. ``categorical_split``: many categories against many, or one against all.

    Raises ValueError for a setting out of its range.
    """

    n_rounds: int = 200
    learning_rate: float = 0.15
    max_leaves: int = 256
    max_ratio_in_leaf: float = 2.0
    min_samples_leaf: float = 0.0
    n_model_samples: int = 80_000
    refresh_fraction: float = 0.1
    n_chains: int = 16
    burn_in: int = 100
    initial_uniform_mixture: float = 0.1
    line_search: bool = True
    max_features: float = 1.0
    growth: Literal["best", "depth"] = "best"
    categorical_split: Literal["many", "one_vs_all"] = "many"
    chain_start: Literal["pool", "data"] = "data"

    def __post_init__(self) -> None:
        require("n_rounds", self.n_rounds, 0, np.inf)
        require("learning_rate", self.learning_rate, 0, np.inf, low_open=True)
        require("max_leaves", self.max_leaves, 2, 1 << 15)
        require("max_ratio_in_leaf", self.max_ratio_in_leaf, 1, np.inf, low_open=True)
        require("min_samples_leaf", self.min_samples_leaf, 0, np.inf)
        require("n_model_samples", self.n_model_samples, 1, np.inf)
        require("refresh_fraction", self.refresh_fraction, 0, 1, low_open=True)
        require("n_chains", self.n_chains, 1, np.inf)
        require("burn_in", self.burn_in, 0, np.inf)
        require("initial_uniform_mixture", self.initial_uniform_mixture, 0, 1)
        require("max_features", self.max_features, 0, 1, low_open=True)
        require_one_of("growth", self.growth, ("best", "depth"))
        require_one_of("categorical_split", self.categorical_split, ("many", "one_vs_all"))
        require_one_of("chain_start", self.chain_start, ("pool", "data"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What happened in one round.

    ``alpha``: the step found along the tree, before shrinkage. ``gain``: the estimated rise of the mean log-likelihood
    by the step taken. ``kept_fraction``: the share of the pool that rejection kept after the previous round (nan where
    there was none). ``log_z_increment``: the estimated rise of log Z. ``seconds``: by phase (histograms, split,
    rejection, gibbs).
    """

    index: int
    alpha: float
    gain: float
    n_leaves: int
    kept_fraction: float
    log_z_increment: float
    seconds: dict[str, float] = field(default_factory=dict)


class BoostingResult(NamedTuple):
    """The model, its rounds, and why boosting ended; "interrupted" by Ctrl-C keeps the trees so far."""

    model: EnergyModel
    rounds: list[Round]
    ended: Literal["complete", "callback", "interrupted", "no split"]


def boost(
    rows: NDArray[np.uint8],
    domain: Domain,
    config: BoostingConfig,
    *,
    weights: NDArray[np.float64] | None = None,
    seed: int,
    n_threads: int = 1,
    start: EnergyModel | None = None,
    on_round: Callable[[EnergyModel, Round], bool] | None = None,
) -> BoostingResult:
    """Fit an energy model to ``rows`` [N, D] uint8, with ``weights`` [N]; the same for any ``n_threads``.

    ``start`` is a model to which rounds are added. ``on_round`` is told of each round, and ends boosting by returning
    True. Warns with ConvergenceWarning where no admissible split is left, and keeps the trees so far.

    Raises ValueError for no rows, rows outside the domain, or weights that are negative, not finite, or all 0.
    """
    rows = domain.rows(rows)
    weights = checked_weights(weights, len(rows))
    if start is not None and start.domain != domain:
        raise ValueError("the model to start from belongs to another domain")
    with Workers(n_threads) as workers:
        boosting = _Boosting(rows, weights, domain, config, seed, workers, start)
        ended = boosting.run(on_round)
    added = boosting.model.n_rounds - (0 if start is None else start.n_rounds)
    return BoostingResult(boosting.model, boosting.rounds[:added], ended)  # Ctrl-C may come between the two


class _Boosting:
    """A fit in progress."""

    def __init__(
        self,
        rows: NDArray[np.uint8],
        weights: NDArray[np.float64],
        domain: Domain,
        config: BoostingConfig,
        seed: int,
        workers: Workers,
        start: EnergyModel | None,
    ) -> None:
        self._rows, self._weights, self._config = rows, weights, config
        self._seed, self._workers = seed, workers
        initial = fit_initial(rows, weights, domain, config.initial_uniform_mixture) if start is None else start.initial
        trees = () if start is None else start.trees
        most = max(config.max_leaves, *(tree.n_leaves for tree in trees), 1)
        self._masks = LeafMasks(domain, initial.log_masses, len(trees) + config.n_rounds, most)
        self._masks.add(trees)
        self.model = EnergyModel(initial, trees, self._masks)
        self.rounds: list[Round] = []
        self._grower = Grower(rows, weights, initial, GrowthConfig.of(config), workers)
        self._pool: NDArray[np.uint8] | None = None
        self._last: Grown | None = None
        self._kept = np.nan

    def run(
        self, on_round: Callable[[EnergyModel, Round], bool] | None
    ) -> Literal["complete", "callback", "interrupted", "no split"]:
        try:
            for _ in range(self._config.n_rounds):
                if not self._add_round():
                    _warn_no_split(self.model.n_rounds)
                    return "no split"
                if on_round is not None and on_round(self.model, self.rounds[-1]):
                    return "callback"
        except KeyboardInterrupt:
            return "interrupted"
        return "complete"

    def _add_round(self) -> bool:
        self._grower.seconds.clear()
        self._renew_pool()
        grown = self._grower.grow(self._pool, self._key("columns"))
        if grown is None:
            return False
        p, q = grown.p / grown.p.sum(), grown.q / grown.q.sum()
        alpha = best_step(p, q, grown.tree.value) if self._config.line_search else 1.0
        tree = grown.tree._replace(value=grown.tree.value * (alpha * self._config.learning_rate))
        self._masks.add([tree])
        self.rounds.append(
            Round(
                index=self.model.n_rounds,
                alpha=alpha,
                gain=likelihood_gain(p, q, tree.value),
                n_leaves=tree.n_leaves,
                kept_fraction=self._kept,
                log_z_increment=log_expectation(q, tree.value),
                seconds=dict(self._grower.seconds),
            )
        )
        self.model = EnergyModel(self.model.initial, (*self.model.trees, tree), self._masks)
        self._last = grown._replace(tree=tree)
        return True

    def _renew_pool(self) -> None:
        """Let the pool be a sample of the model as it is now."""
        seconds, began = self._grower.seconds, time.perf_counter()
        if self.model.n_rounds == 0:
            return
        if self.model.n_rounds == 1:
            keys = (self._key("first draws"), self._key("rejection"))
            self._pool = first_pool(self.model.initial, self.model.trees[0], self._config.n_model_samples, keys)
            seconds["rejection"] += time.perf_counter() - began
            return
        kept = self._kept_rows()
        seconds["rejection"] += time.perf_counter() - began
        began = time.perf_counter()
        fresh = self._gibbs_rows(self._config.n_model_samples - len(kept), kept)
        self._pool = np.concatenate((kept, fresh))
        seconds["gibbs"] += time.perf_counter() - began

    def _kept_rows(self) -> NDArray[np.uint8]:
        if self._pool is None or self._last is None or self._config.refresh_fraction == 1:
            return np.empty((0, self.model.domain.n_columns), np.uint8)
        stay = accepted(
            self._last.tree, self._last.pool_leaves, 1 - self._config.refresh_fraction, self._key("rejection")
        )
        self._kept = float(stay.mean())
        return self._pool[stay]

    def _gibbs_rows(self, count: int, kept: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """``count`` states of chains that sample the model."""
        chains = min(self._config.n_chains, count)
        if count == 0:
            return kept[:0]
        starts, burn_in = self._chain_starts(chains, kept)
        states = np.empty((chains, -(-count // chains), kept.shape[1]), np.uint8)
        key, tables, n_trees = self._key("gibbs"), self._masks.tables, self.model.n_rounds
        n_steps, cool, nothing = burn_in + states.shape[1], np.float32(1), np.empty((chains, 0))
        free = np.ones((1, kept.shape[1]), bool)

        def run(block: slice) -> None:
            some = starts[block], states[block], nothing[block]
            run_chains(some[0], free, n_steps, cool, n_trees, tables, key, block.start, some[1], -1, some[2])

        self._workers.map(run, blocks(chains, -(-chains // (8 * self._workers.count))))
        return states.reshape(-1, kept.shape[1])[:count]

    def _chain_starts(self, chains: int, kept: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
        """Where chains start, [chains, D], and how many of their sweeps are dropped."""
        rng = np.random.default_rng(self._key("starts"))
        if self._config.chain_start == "data":
            return _weighted_rows(self._rows, self._weights, rng.random(chains)), self._config.burn_in
        if len(kept) >= chains:
            return kept[rng.choice(len(kept), chains, replace=False)], 0
        return self.model.initial.sample(chains, self._key("starts")), self._config.burn_in

    def _key(self, purpose: str) -> Any:
        return stream_key(self._seed, self.model.n_rounds, _PURPOSES.index(purpose))


_PURPOSES = ("columns", "first draws", "rejection", "gibbs", "starts")


def _weighted_rows(
    rows: NDArray[np.uint8], weights: NDArray[np.float64], places: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """The rows at ``places`` in [0, 1) of the weighted table, its rows sorted: a row of weight 2 and two rows of
    weight 1 are the same there."""
    order = np.lexsort(rows.T[::-1])
    reached = np.cumsum(weights[order])
    return np.asarray(rows[order[np.searchsorted(reached, places * reached[-1], side="right")]])


def _warn_no_split(n_rounds: int) -> None:
    warnings.warn(
        f"boosting ended after {n_rounds} rounds: no split is admissible any more; "
        "raise max_ratio_in_leaf or lower min_samples_leaf for more",
        ConvergenceWarning,
        stacklevel=4,
    )
