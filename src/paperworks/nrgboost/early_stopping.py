"""The score by which boosting ends: held-out conditional log-probabilities, one round added at a time (section 8.4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import log_softmax

from .binning import Floats
from .encoding import EncodedRows
from .model import EnergyModel

_MOST_LOGITS = 50_000_000


class HeldOutScore:
    """The mean log-probability of held-out cells given the rest of their rows, kept up to date round by round.

    With all columns this is the pseudo-likelihood, the mean over columns; with one it is that target's own. Rows with
    unknown cells are left out; one at least is to be left.
    """

    def __init__(self, start: EnergyModel, rows: EncodedRows, columns: Sequence[int]) -> None:
        known = rows.bins[~rows.unknown.any(axis=1)]
        bins = sum(start.domain.cards[column] for column in columns)
        self._bins = known[: max(1, _MOST_LOGITS // bins)]
        self._logits = {column: start.conditional_logits(self._bins, column) for column in columns}

    def value(self) -> float:
        """The score of the rounds so far."""
        return float(np.mean([self._score(column, logits) for column, logits in self._logits.items()]))

    def add_round(self, model: EnergyModel, index: int) -> float:
        """The score after round ``index`` of ``model`` has been added."""
        for column, logits in self._logits.items():
            model.add_round_logits(self._bins, column, index, logits)
        return self.value()

    def _score(self, column: int, logits: Floats) -> Floats:
        own = np.take_along_axis(log_softmax(logits, axis=1), self._bins[:, [column]].astype(np.int64), axis=1)
        return own.mean()


class Patience:
    """Remembers the best round; `is_over` once ``rounds`` of them in a row have not been better."""

    def __init__(self, rounds: int, score: float, n_rounds: int) -> None:
        self._patience = rounds
        self.best_score, self.best_n_rounds = score, n_rounds

    def is_over(self, score: float, n_rounds: int) -> bool:
        """Take note of the ``score`` after ``n_rounds``; True when it is time to stop."""
        if score > self.best_score:
            self.best_score, self.best_n_rounds = score, n_rounds
        return n_rounds - self.best_n_rounds >= self._patience
