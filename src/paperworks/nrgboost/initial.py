"""The initial model f_0: a product of the columns' marginals, each mixed with the uniform (section 2.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled
from .domain import Domain
from .streams import following, stream, uniform

__all__ = ["Initial", "fit_initial", "uniform_initial"]


@dataclass(frozen=True, slots=True)
class Initial:
    """A normalised product distribution: ``masses`` [sum of cards], the columns' probabilities one after the other."""

    domain: Domain
    masses: NDArray[np.float64]

    @property
    def log_masses(self) -> NDArray[np.float64]:
        """log of ``masses``; -inf where a bin has none."""
        with np.errstate(divide="ignore"):
            return np.log(self.masses)

    def of(self, column: int) -> NDArray[np.float64]:
        """The probabilities of one column, [card]."""
        start, stop = self.domain.offsets[column : column + 2]
        return self.masses[start:stop]

    def energy(self, rows: NDArray[np.uint8]) -> NDArray[np.float64]:
        """f_0(x) = sum_d log m_d(x_d), [N]."""
        return np.asarray(self.log_masses[rows + self.domain.offsets[:-1]].sum(1))

    def sample(self, count: int, key: Any, first: int = 0) -> NDArray[np.uint8]:
        """``count`` exact draws, [count, D]; row i is the draw of stream ``first + i`` below ``key``."""
        rows = np.empty((count, self.domain.n_columns), np.uint8)
        _draw(self._cumulated(), self.domain.offsets, key, first, rows)
        return rows

    def _cumulated(self) -> NDArray[np.float64]:
        return np.concatenate([np.cumsum(self.of(column)) for column in range(self.domain.n_columns)])


def fit_initial(
    rows: NDArray[np.uint8], weights: NDArray[np.float64], domain: Domain, uniform_mixture: float
) -> Initial:
    """m_d = (1 - lambda) empirical_d + lambda / card_d, lambda = ``uniform_mixture``, of rows with ``weights`` [N]."""
    total = weights.sum()
    masses = []
    for column, card in enumerate(domain.cards):
        empirical = np.bincount(rows[:, column], weights, minlength=card) / total
        masses.append((1 - uniform_mixture) * empirical + uniform_mixture / card)
    return Initial(domain, np.concatenate(masses))


def uniform_initial(domain: Domain) -> Initial:
    """Every cell of the domain alike."""
    return Initial(domain, np.concatenate([np.full(card, 1 / card) for card in domain.cards]))


@compiled
def _draw(cumulated: Any, offsets: Any, key: Any, first: Any, rows: Any) -> None:
    for i in range(rows.shape[0]):
        state = stream(key, first + i)
        for column in range(rows.shape[1]):
            start, last = offsets[column], offsets[column + 1] - 1
            goal = uniform(state) * cumulated[last]
            state = following(state)
            below, above = start, last
            while below < above:  # the first bin whose cumulated mass exceeds the goal
                middle = (below + above) // 2
                if cumulated[middle] > goal:
                    above = middle
                else:
                    below = middle + 1
            rows[i, column] = below - start
