"""A boosting run over encoded rows: progress, early stopping, and what is remembered of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .binning import Floats
from .boosting import BoostingConfig, Round, boost
from .domain import Domain
from .early_stopping import HeldOutScore, Patience
from .encoding import EncodedRows
from .initial import fit_initial
from .model import EnergyModel
from .table_model import truncated

Progress: TypeAlias = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """Rows held out, the columns whose conditionals are scored on them, and how many rounds may be no better."""

    rows: EncodedRows
    columns: Sequence[int]
    patience: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What a run gave: the model, its rounds, why it ended, and the held-out score after 0, 1, ... rounds of the run.

    ``ended`` is "complete", "no split", "early" or "interrupted".
    """

    model: EnergyModel
    rounds: list[Round]
    ended: str
    scores: list[float] = field(default_factory=list)


@dataclass(kw_only=True)
class Watch:
    """What is done after each round: report it, and say when boosting is to end."""

    total: int
    progress: Progress | None = None
    verbose: int = 0
    held_out: HeldOutScore | None = None
    patience: Patience | None = None
    scores: list[float] = field(default_factory=list)

    def __call__(self, model: EnergyModel, last: Round) -> bool:
        """True when the held-out score has not risen for long enough."""
        stop = self.held_out is not None and self._is_over(model, self.held_out)
        if self.verbose:
            score = f", held-out score {self.scores[-1]:.4f}" if self.scores else ""
            print(f"round {model.n_rounds} of {self.total}: {last.n_leaves} leaves, gain {last.gain:.4g}{score}")
        if self.progress is not None:
            self.progress("training", model.n_rounds, self.total)
        return stop

    def _is_over(self, model: EnergyModel, held_out: HeldOutScore) -> bool:
        self.scores.append(held_out.add_round(model, model.n_rounds - 1))
        return self.patience is not None and self.patience.is_over(self.scores[-1], model.n_rounds)


def fit_energies(
    bins: np.ndarray[Any, np.dtype[np.uint8]],
    domain: Domain,
    config: BoostingConfig,
    *,
    weights: Floats | None,
    seed: int,
    n_threads: int = 1,
    start: EnergyModel | None = None,
    validation: Validation | None = None,
    progress: Progress | None = None,
    verbose: int = 0,
) -> Fitted:
    """Boost ``bins`` [N, D]; with ``validation`` the model is that of the best round, and boosting ends early.

    Ctrl-C ends it too: the trees so far are kept, and a warning says so.
    """
    if start is None:
        counts = np.ones(len(bins)) if weights is None else weights
        start = EnergyModel(fit_initial(bins, counts, domain, config.initial_uniform_mixture))
    watch = Watch(total=start.n_rounds + config.n_rounds, progress=progress, verbose=verbose)
    if validation is not None:
        watch.held_out = HeldOutScore(start, validation.rows, validation.columns)
        watch.scores.append(watch.held_out.value())
        watch.patience = Patience(validation.patience, watch.scores[0], start.n_rounds)
    result = boost(bins, domain, config, weights=weights, seed=seed, n_threads=n_threads, start=start, on_round=watch)
    model, ended = result.model, {"callback": "early"}.get(result.ended, result.ended)
    if ended == "interrupted":
        warnings.warn(
            f"interrupted after {model.n_rounds} of {watch.total} rounds; the trees so far are kept",
            ConvergenceWarning,
            stacklevel=2,
        )
    if watch.patience is not None:
        model = truncated(model, watch.patience.best_n_rounds)
    return Fitted(
        model=model, rounds=result.rounds[: model.n_rounds - start.n_rounds], ended=ended, scores=watch.scores
    )
