"""The finite product of bins that rows live in (section 2.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_CARD", "Domain"]

MAX_CARD = 256
"""A bin is stored in one byte."""


@dataclass(frozen=True, slots=True)
class Domain:
    """Columns 0..D-1, each with a finite number of bins, ordered or (``categorical``) not.

    A row is D bytes, [D] uint8, byte d in ``range(cards[d])``. Raises ValueError for no column, a number of bins
    outside 1..256, or a different number of ``categorical`` entries.
    """

    cards: tuple[int, ...]
    categorical: tuple[bool, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "cards", tuple(map(int, self.cards)))
        object.__setattr__(self, "categorical", tuple(map(bool, self.categorical)))
        if not self.cards:
            raise ValueError("a domain needs at least one column")
        if len(self.categorical) != len(self.cards):
            raise ValueError(f"{len(self.cards)} columns have cards, but {len(self.categorical)} a kind")
        for column, card in enumerate(self.cards):
            if not 1 <= card <= MAX_CARD:
                raise ValueError(f"column {column} has {card} bins; a column has 1 to {MAX_CARD}")

    @property
    def n_columns(self) -> int:
        """D."""
        return len(self.cards)

    @property
    def offsets(self) -> NDArray[np.int64]:
        """[D + 1]: where each column's bins begin when all columns' bins stand one after the other."""
        return np.concatenate(([0], np.cumsum(self.cards))).astype(np.int64)

    @property
    def set_index(self) -> NDArray[np.int64]:
        """[D]: which of the sets of categories belongs to the column; -1 for ordered columns."""
        categorical = np.array(self.categorical)
        return np.where(categorical, np.cumsum(categorical) - 1, -1)

    def rows(self, rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """``rows``, [N, D], contiguous. Raises ValueError for another shape or type, or a value outside its column."""
        rows = np.asarray(rows)
        if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != self.n_columns:
            raise ValueError(
                f"rows are a uint8 matrix with {self.n_columns} columns, not {rows.dtype} of shape {rows.shape}"
            )
        if len(rows) and (bad := np.flatnonzero(rows.max(0) >= np.array(self.cards))).size:
            column = int(bad[0])
            raise ValueError(
                f"column {column} has the bins 0 to {self.cards[column] - 1}, but a row has {rows[:, column].max()}"
            )
        return np.ascontiguousarray(rows)
