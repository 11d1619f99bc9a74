"""Measures the paper's claims: operations, variable assignment, and language models of Python source."""

from __future__ import annotations

from collections.abc import Iterator

from paperworks.core import Measurement, Untested
from paperworks.lab import Lab, stats

from . import assignment_claims, language_claims
from .operations import PAPERS
from .sizes import PRESETS, Sizes

__all__ = ["PRESETS", "Sizes", "run"]

_CONTEXT = 512
_CONTEXTS = (_CONTEXT, 1024, 2048)


def run(lab: Lab, sizes: Sizes) -> Iterator[Measurement | Untested]:
    """A result for every claim, as soon as it is known, cheapest first."""
    yield _computation()
    yield from assignment_claims.claims(lab, sizes.assignment)
    yield from language_claims.claims(lab, sizes.language)


def _computation() -> Measurement:
    return Measurement(
        claim="S7",
        **stats.exact(100 * PAPERS.selection(_CONTEXT) / PAPERS.forward(_CONTEXT)).as_fields(),
        scale="same",
        setting=f"{PAPERS.layers} layers of {PAPERS.heads} heads, width {PAPERS.width}, {_CONTEXT} tokens; counted",
        unit="%",
        note="Operations are not time: that is in the bench (`paperworks bench selective_attention`).",
        rows=tuple(
            {
                "context": float(context),
                "selection, %": 100 * PAPERS.selection(context) / PAPERS.forward(context),
                "with the selector's logits computed twice, %": 100
                * PAPERS.recomputed(context)
                / PAPERS.forward(context),
            }
            for context in _CONTEXTS
        ),
    )
