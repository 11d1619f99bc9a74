"""What a call of speculative Jacobi decoding took."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RowStats", "SJDStats"]


@dataclass(frozen=True, slots=True)
class RowStats:
    """One sequence: how many tokens each of its passes took, the prompt's pass being the first."""

    accepted_per_step: tuple[int, ...]

    @property
    def nfe(self) -> int:
        """Passes of the model (number of function evaluations)."""
        return len(self.accepted_per_step)

    @property
    def tokens(self) -> int:
        """Tokens generated."""
        return sum(self.accepted_per_step)

    @property
    def step_compression(self) -> float:
        """Tokens a pass: how many times fewer passes than one by one."""
        return self.tokens / self.nfe


@dataclass(frozen=True, slots=True)
class SJDStats:
    """A batch: its rows in ``per_row``, and ``seconds`` of wall-clock time."""

    per_row: tuple[RowStats, ...]
    seconds: float

    @property
    def nfe(self) -> int:
        """Passes of the model over the batch, which end with the row that takes most."""
        return max(row.nfe for row in self.per_row)

    @property
    def accepted_per_step(self) -> list[tuple[int, ...]]:
        """For each pass the tokens that each row took; 0 for rows that had ended."""
        return [tuple(row.accepted_per_step[i] if i < row.nfe else 0 for row in self.per_row) for i in range(self.nfe)]

    @property
    def mean_accepted(self) -> float:
        """The mean of the tokens taken in a pass, over all passes of all rows."""
        return sum(row.tokens for row in self.per_row) / sum(row.nfe for row in self.per_row)

    @property
    def step_compression(self) -> float:
        """How many times fewer passes over the batch than its longest row has tokens."""
        return max(row.tokens for row in self.per_row) / self.nfe
