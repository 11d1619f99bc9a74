"""C1, C2 and C4 to C6 on the paper's own models: passes and seconds of pictures, drawn plainly and speculatively."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paperworks.core import Measurement
from paperworks.lab import Lab, stats

from .drawing import FAST, PAPER, PLAIN, REPRODUCIBLE, Way
from .hub_models import ANOLE, COCO, EMU3, LUMINA, PARTI, Captions, HubModel, passes_and_seconds, read_captions

__all__ = ["PAPERS_MODELS", "HubSizes", "claims"]

_WAYS: Mapping[str, Way] = {
    "plain": PLAIN,
    "the paper's, window 16": PAPER,
    "Gumbel coupling, window 32": FAST,
    "Gumbel verification, window 32": REPRODUCIBLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSizes:
    """Which models draw what, and how many ``pictures`` of each: a claim's id, a model, and captions."""

    pictures: int
    subjects: tuple[tuple[str, HubModel, Captions], ...]


PAPERS_MODELS = HubSizes(
    pictures=16,
    subjects=(("C1", LUMINA, COCO), ("C4", LUMINA, PARTI), ("C5", EMU3, COCO), ("C6", ANOLE, COCO)),
)


def claims(lab: Lab, wanted: HubSizes) -> Iterator[Measurement]:
    """A result for each subject's claim, and with C1 one for C2.

    Raises UserError for a model or captions that cannot be had, MissingExtra without datasets.
    """
    for claim, model, captions in wanted.subjects:
        found = _drawn(lab, model, captions, wanted.pictures)
        setting = f"{model.says} on {lab.device}, {wanted.pictures} captions of {captions.says}, batches of one"
        yield _measured(lab, claim, found, 0, setting)
        if claim == "C1":
            yield _measured(lab, "C2", found, 1, setting)


def _drawn(lab: Lab, model: HubModel, captions: Captions, pictures: int) -> dict[str, NDArray[np.float64]]:
    """Passes and seconds [pictures, 2] of each way."""
    texts = tuple(lab.step("captions", read_captions, wanted=captions, count=pictures))
    return {
        name: np.array(
            lab.each_seed(
                "drawn",
                passes_and_seconds,
                seeds=range(len(texts)),
                model=model,
                captions=texts,
                way=way,
                device=lab.device,
            )
        )
        for name, way in _WAYS.items()
    }


def _measured(lab: Lab, claim: str, found: Mapping[str, NDArray[np.float64]], column: int, setting: str) -> Measurement:
    plain, papers, *_ = (drawn[:, column] for drawn in found.values())
    return Measurement(
        claim=claim,
        **stats.clustered_ratio(plain, papers, lab.rng("hub", 0)).as_fields(),
        scale="same",
        unit="times",
        setting=setting,
        rows=tuple(
            {
                "scheme": name,
                "passes": float(drawn[:, 0].mean()),
                "seconds": float(drawn[:, 1].mean()),
                "times fewer passes": float(found["plain"][:, 0].sum() / drawn[:, 0].sum()),
                "times faster": float(found["plain"][:, 1].sum() / drawn[:, 1].sum()),
            }
            for name, drawn in found.items()
        ),
    )
