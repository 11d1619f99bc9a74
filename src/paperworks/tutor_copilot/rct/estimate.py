"""What every estimator returns: a value with its standard error, and all that a table or a forest plot shows of it."""

from __future__ import annotations

from dataclasses import dataclass

from scipy import stats

__all__ = ["Estimate"]

_TWO_SIDED = 0.975


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An effect in the outcome's units. ``df`` are the degrees of freedom of t, the number of clusters less one.

    ``control`` is the predictive margin of the control arm: the mean outcome had nobody been treated.
    """

    estimator: str
    outcome: str
    term: str
    value: float
    se: float
    df: float
    n: int
    clusters: int
    control: float

    @property
    def t(self) -> float:
        """The value in standard errors."""
        return self.value / self.se

    @property
    def p(self) -> float:
        """The two-sided p-value."""
        return float(2 * stats.t.sf(abs(self.t), self.df))

    @property
    def low(self) -> float:
        """The lower end of the 95 % interval."""
        return self.value - self._half

    @property
    def high(self) -> float:
        """The upper end of the 95 % interval."""
        return self.value + self._half

    @property
    def _half(self) -> float:
        return float(stats.t.ppf(_TWO_SIDED, self.df)) * self.se
