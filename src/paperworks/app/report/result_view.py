"""A claim's result from one origin as the pages show it."""

from __future__ import annotations

from dataclasses import dataclass

from .choice import Chosen
from .numbers import Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultView:
    """One claim's result from one origin: a column of its comparison."""

    origin: str
    chosen: Chosen
    shown: Shown | None
    details: tuple[tuple[str, str], ...] = ()
    cut_off: bool = False

    @property
    def mark(self) -> str:
        """The name of the mark's drawing: solid, or hollow for a stand-in."""
        return f"{self.chosen.verdict}-hollow" if self.chosen.stand_in else f"{self.chosen.verdict}"

    @property
    def word(self) -> str:
        """The verdict as it is read out."""
        return f"{self.chosen.verdict}, on a stand-in" if self.chosen.stand_in else f"{self.chosen.verdict}"

    @property
    def counted_as(self) -> str:
        """The line of the tally that counts this result: its verdict, or that of the stand-ins."""
        return "stand-in" if self.chosen.stand_in else f"{self.chosen.verdict}"
