"""The choices that make a scheme of speculative Jacobi decoding; every combination of them draws the same law."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

__all__ = ["Coupling", "Init", "Scheme", "Verify"]

Init: TypeAlias = Literal["onehot", "uniform", "repeat_h", "argmax_h", "sample_h", "repeat_v", "sample_v"]
Coupling: TypeAlias = Literal["independent", "maximal", "gumbel"]
Verify: TypeAlias = Literal["mrs", "gumbel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How positions get their first drafts, how drafts follow from pass to pass, and how they are tested.

    ``init``: a random token declared as what it is ("onehot") or as the uniform law it came from ("uniform"); the left
    neighbour's token ("repeat_h"), its likeliest token ("argmax_h"), or a draw from its law ("sample_h"); the token of
    the line above ("repeat_v") or a draw from its law ("sample_v").
    ``coupling``: a new draft is drawn anew ("independent", the paper), kept as often as the laws allow ("maximal"), or
    drawn by noise that belongs to its position ("gumbel"). ``verify``: modified rejection sampling ("mrs"), or
    comparison with the token that the position's noise draws ("gumbel").

    Raises ValueError for another name.
    """

    init: Init = "uniform"
    coupling: Coupling = "gumbel"
    verify: Verify = "mrs"

    def __post_init__(self) -> None:
        for name, allowed in (("init", Init), ("coupling", Coupling), ("verify", Verify)):
            if (given := getattr(self, name)) not in get_args(allowed):
                raise ValueError(f"{name} is one of {', '.join(get_args(allowed))}; not {given!r}")

    @property
    def vertical(self) -> bool:
        """Whether first drafts come from the line above, which only a grid has."""
        return self.init in ("repeat_v", "sample_v")
