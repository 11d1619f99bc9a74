"""How the tokens of a picture lie in their sequence: header, lines, and the tokens that end them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["GridSpec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GridSpec:
    """A picture of ``height`` lines of ``width`` tokens, after ``header`` tokens that are not part of it.

    ``line_end_id`` closes every line and ``image_end_id`` the picture, where they are given; Emu3 closes a picture with
    several tokens, as a tuple. Raises ValueError for sizes below 1 or a negative header.
    """

    height: int
    width: int
    line_end_id: int | None = None
    image_end_id: int | tuple[int, ...] | None = None
    header: int = 0

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1 or self.header < 0:
            raise ValueError(
                f"a grid has at least one line and one column, and no negative header; not {self.height} x "
                f"{self.width} after {self.header}"
            )

    @property
    def pitch(self) -> int:
        """Tokens from one line's start to the next."""
        return self.width + (self.line_end_id is not None)

    @property
    def tokens(self) -> int:
        """All tokens of the picture: header, lines with what ends them, and its end."""
        return self.header + self.height * self.pitch + len(self._ends)

    def starts_line(self, positions: Tensor) -> Tensor:
        """Where a generated token, counted from 0, is the first of its line, or stands outside of the grid."""
        return self.columns(positions) <= 0

    def columns(self, positions: Tensor) -> Tensor:
        """The column of each of ``positions``, a line's end being the last one; -1 outside of the grid."""
        inside = positions - self.header
        return torch.where((inside >= 0) & (inside < self.height * self.pitch), inside % self.pitch, -1)

    def finished_lines(self, tokens: int) -> int:
        """How many lines are whole in the first ``tokens`` generated ones; what ends a line is not waited for."""
        inside = max(tokens - self.header, 0)
        return min(inside // self.pitch + (inside % self.pitch >= self.width), self.height)

    def forced(self, positions: Tensor) -> Tensor:
        """The token that the layout demands at each of ``positions``, -1 where it demands none."""
        inside = positions - self.header
        forced = torch.full_like(positions, -1)
        if self.line_end_id is not None:
            forced[self.columns(positions) == self.width] = self.line_end_id
        for i, end in enumerate(self._ends):
            forced[inside == self.height * self.pitch + i] = end
        return forced

    @property
    def _ends(self) -> tuple[int, ...]:
        if self.image_end_id is None:
            return ()
        return (self.image_end_id,) if isinstance(self.image_end_id, int) else self.image_end_id
