"""How much the experiment does at each preset."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import get_args

from .hub_claims import PAPERS_MODELS, HubSizes
from .scheme import Init

__all__ = ["PRESETS", "Sizes"]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much the experiment does.

    ``seeds``: pictures of each name, each drawn once in every way. ``names``: how many of the real pictures' names.
    ``patterns``: simple patterns a seed. ``windows`` and ``top_ks`` (0: all codes, the largest) are those that the
    paper's scheme is run with; of the other schemes ``rivals`` says whether all are run at all windows, or the two
    best at the largest. ``timed``: seeds whose pictures are drawn one at a time, each name once, for claims on seconds
    and on deterministic decoding; 0 leaves these untested.

    ``laws``: seeds of the tabular models. ``tables``: those models by tokens, length and window. ``inits``: the first
    drafts that the tensor code is enumerated with; the reference goes through all. ``draws``: samples of the test of
    fit. ``hub``: published models and what they draw; None leaves their claims untested.
    """

    seeds: int
    names: int
    patterns: int
    windows: tuple[int, ...]
    top_ks: tuple[int, ...]
    rivals: bool
    timed: int
    laws: int
    tables: tuple[tuple[int, int, int], ...]
    inits: tuple[Init, ...]
    draws: int
    hub: HubSizes | None = None


_TABLES = ((2, 4, 3), (3, 4, 3), (2, 5, 4), (2, 5, 3))
_QUICK = Sizes(
    seeds=4,
    names=9,
    patterns=8,
    windows=(16, 32),
    top_ks=(2, 20, 0),
    rivals=False,
    timed=1,
    laws=3,
    tables=_TABLES,
    inits=("uniform", "sample_h"),
    draws=100_000,
)
_FULL = replace(
    _QUICK,
    seeds=16,
    windows=(8, 16, 32, 64),
    top_ks=(2, 5, 20, 80, 0),
    rivals=True,
    timed=3,
    laws=10,
    inits=get_args(Init),
    draws=1_000_000,
)

PRESETS = {
    "smoke": replace(
        _QUICK, seeds=1, names=5, patterns=5, timed=0, tables=_TABLES[:1], inits=("uniform",), draws=5_000
    ),
    "quick": _QUICK,
    "full": _FULL,
    "gpu": replace(_FULL, laws=3, inits=("uniform",), draws=200_000),
    "paper": replace(_QUICK, hub=PAPERS_MODELS),
}
