"""Who masked whom: the votes and the penalties of every layer on one text, as data and as a page to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from paperworks.lab import page

from .memory import recorded
from .models import Selection

__all__ = ["Explanation", "LayerVotes", "Vote", "explain"]

LONGEST = 512
"""Tokens that a page can hold: its data grow with the square of the length."""
_DIGITS = 3
_STRONGEST = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """A vote of token ``by`` on an earlier token ``on``: how much lower ``on``'s logits are for every later query."""

    layer: int
    by: int
    on: int
    strength: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerVotes:
    """``votes`` [N, N] is S, what query i votes on key j; ``penalty`` [N, N] is F, what acts on key j at query i."""

    layer: int
    votes: Tensor
    penalty: Tensor

    def strongest(self, count: int = _STRONGEST) -> list[Vote]:
        """The strongest votes, strongest first."""
        length = len(self.votes)
        values, places = self.votes.flatten().topk(min(count, length * length))
        return [
            Vote(layer=self.layer, by=place // length, on=place % length, strength=value)
            for value, place in zip(values.tolist(), places.tolist(), strict=True)
            if value > 0
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The tokens of a text, and what each selecting layer made of them."""

    tokens: tuple[str, ...]
    layers: tuple[LayerVotes, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: of each matrix its rows up to the diagonal, as F and S are zero beyond it."""
        return {
            "tokens": list(self.tokens),
            "layers": [
                {"layer": each.layer, "votes": _lower(each.votes), "penalty": _lower(each.penalty)}
                for each in self.layers
            ],
        }

    def to_html(self, title: str = "Who masked whom") -> str:
        """A page of its own, with everything in it. Raises MissingExtra without jinja2."""
        strongest = [(each.layer, each.strongest()) for each in self.layers]
        return page.render(
            "paperworks.selective_attention",
            "explain.html",
            title=title,
            description="Which tokens voted which earlier tokens out of sight, layer by layer.",
            styles=[page.asset("paperworks.selective_attention", "explain.css")],
            scripts=[page.asset("paperworks.selective_attention", "explain.js")],
            explanation=self.to_dict(),
            tokens=[_shown(token) for token in self.tokens],
            strongest=strongest,
        )


def explain(model: Any, ids: Tensor, tokens: Sequence[str] | None = None) -> Explanation:
    """What each selecting layer of ``model`` does with the token ids [N] or [1, N]; ``tokens`` are their texts.

    Raises ValueError for more than one row, more tokens than a page can hold, texts that do not fit the ids, and a
    model without a selecting layer.
    """
    ids = ids[None] if ids.ndim == 1 else ids
    length = ids.shape[-1]
    if ids.ndim != 2 or len(ids) != 1 or not 1 <= length <= LONGEST:
        raise ValueError(f"explain takes one row of 1 to {LONGEST} token ids, not {list(ids.shape)}")
    if tokens is not None and len(tokens) != length:
        raise ValueError(f"{len(tokens)} texts do not fit {length} tokens")
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad(), recorded(model) as recorder:
            model(input_ids=ids, use_cache=False)
    finally:
        model.train(was_training)
    if not recorder.selections:
        raise ValueError("no layer of this model selects: enable(model) first")
    texts = tokens if tokens is not None else [str(number) for number in ids[0].tolist()]
    return Explanation(tokens=tuple(texts), layers=tuple(map(_votes, recorder.selections.values())))


def _votes(selection: Selection) -> LayerVotes:
    """In float64, so that a vote is what the penalty grows by, without rounding to speak of."""
    exact = replace(selection, query=selection.query.double(), key=selection.key.double())
    penalty, after = exact.penalties()
    votes = torch.cat([penalty[:, 1:], after[:, None]], dim=1) - penalty
    return LayerVotes(layer=selection.layer, votes=votes[0].cpu(), penalty=penalty[0].cpu())


def _lower(matrix: Tensor) -> list[list[float]]:
    return [[round(value, _DIGITS) for value in row[: index + 1]] for index, row in enumerate(matrix.tolist())]


def _shown(token: str) -> str:
    """A token's text with what would be invisible made visible."""
    return token.replace("\n", "⏎").replace("\t", "⇥").replace(" ", "·") or "∅"
