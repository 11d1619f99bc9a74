"""How many floating-point operations selection adds to a forward pass (the paper's claim S7), counted exactly."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PAPERS", "Decoder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """A decoder as the paper has them: ``layers`` layers of ``heads`` heads, MLPs 4 times as wide as ``width``."""

    layers: int
    heads: int
    width: int
    vocabulary: int

    def forward(self, context: int) -> int:
        """Operations of the matrix products of a pass over ``context`` tokens; what attention masks is not counted.

        Everything else (norms, softmax, activations) is left out, so that the share of the selection comes out too
        large rather than too small.
        """
        projections = 2 * (4 + 8) * self.width**2 * context
        attention = 2 * 2 * self.width * _pairs(context)
        return self.layers * (projections + attention) + 2 * self.width * self.vocabulary * context

    def selection(self, context: int) -> int:
        """Operations that selection adds: for each query and key, rectify, accumulate, and subtract in every head."""
        return self.layers * (2 + self.heads) * _pairs(context)

    def recomputed(self, context: int) -> int:
        """As `selection` where the selector's logits are computed once more, as the fused kernels do."""
        return self.selection(context) + self.layers * 2 * (self.width // self.heads) * _pairs(context)


PAPERS = Decoder(layers=12, heads=12, width=768, vocabulary=8192)
"""The paper's model of 12 layers; the size of its vocabulary, 8 K, could not be checked and hardly matters."""


def _pairs(context: int) -> int:
    """Pairs of a query and a key that it may see."""
    return context * (context + 1) // 2
