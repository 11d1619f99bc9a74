"""The rules by which benchmarks cut what a model wrote, each an object, so that with and without is one argument."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from .holes import Hole
from .scores import parses, repeat_of_suffix

__all__ = ["RULES", "CutSuffixOverlap", "Rule", "TruncateToSyntax", "TruncateToTruthLines", "ruled"]


class Rule(Protocol):
    """Cuts an infill; ``name`` is what tables call it."""

    @property
    def name(self) -> str:
        """A few words."""

    def __call__(self, infill: str, hole: Hole) -> str:
        """What is left of it."""


@dataclass(frozen=True, slots=True)
class TruncateToTruthLines:
    """As many lines as the truth has, which only a benchmark knows."""

    name: str = "lines of the truth"

    def __call__(self, infill: str, hole: Hole) -> str:
        """The first lines; the last of them ends as that of the truth does."""
        number = len(hole.truth.splitlines())
        kept = "".join(infill.splitlines(keepends=True)[:number])
        return kept if hole.truth.endswith(("\n", "\r")) else kept.rstrip("\r\n")


@dataclass(frozen=True, slots=True)
class TruncateToSyntax:
    """The longest beginning with which the whole file is Python, tried at ends of lines, then within the first line."""

    name: str = "syntax"
    tries: int = 24

    def __call__(self, infill: str, hole: Hole) -> str:
        """That beginning; the infill itself where none is found in so many ``tries``."""
        for _, place in zip(range(self.tries), _ends(infill), strict=False):
            if parses(hole.filled(infill[:place])):
                return infill[:place]
        return infill


@dataclass(frozen=True, slots=True)
class CutSuffixOverlap:
    """Nothing from where the infill begins to repeat what stands after the hole."""

    name: str = "overlap with the suffix"

    def __call__(self, infill: str, hole: Hole) -> str:
        """What stands before the repetition."""
        return infill[: repeat_of_suffix(infill, hole.suffix)]


RULES: Mapping[str, Rule] = {
    "truth-lines": TruncateToTruthLines(),
    "syntax": TruncateToSyntax(),
    "overlap": CutSuffixOverlap(),
}
"""By the names that the command line knows."""


def ruled(infill: str, hole: Hole, rules: Sequence[Rule]) -> str:
    """An infill after all rules, one after the other."""
    for rule in rules:
        infill = rule(infill, hole)
    return infill


def _ends(infill: str) -> Iterator[int]:
    """Places to cut at: the whole, ends of lines from the last, then ends of words and signs of the first line."""
    yield len(infill)
    lines = infill.splitlines(keepends=True)
    place = len(infill)
    for line in reversed(lines):
        body = place - len(line) + len(line.rstrip("\r\n"))
        yield from sorted({place, body} - {len(infill)}, reverse=True)
        place -= len(line)
    first = lines[0].rstrip("\r\n") if lines else ""
    yield from (found.end() for found in reversed(list(re.finditer(r"\w+|[^\w\s]", first))) if found.end() < len(first))
    yield 0
