"""How much the experiment does at each preset."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PRESETS", "AssignmentSizes", "Sizes"]


@dataclass(frozen=True, kw_only=True)
class AssignmentSizes:
    """Variable assignment: ``steps`` of training, ``rows`` sequences of each length that a model is judged on."""

    steps: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much an experiment does."""

    seeds: int
    assignment: AssignmentSizes


PRESETS = {
    "smoke": Sizes(seeds=3, assignment=AssignmentSizes(steps=15, rows=16)),
    "quick": Sizes(seeds=5, assignment=AssignmentSizes(steps=600, rows=256)),
    "full": Sizes(seeds=5, assignment=AssignmentSizes(steps=1350, rows=1024)),
}
