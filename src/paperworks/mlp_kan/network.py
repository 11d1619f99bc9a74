"""A network of spline layers, which can be drawn edge by edge and read as a formula."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .layers import KANLinear

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .symbolic import Formula

__all__ = ["KAN"]


class KAN(nn.Module):
    """Spline layers one after the other: ``KAN((4, 5, 1))`` maps [..., 4] to [..., 1] by 4 * 5 + 5 edges.

    ``grid_size``, ``spline_order`` and ``grid_range`` are those of every layer. Raises ValueError for fewer than two
    widths, or one below 1.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        grid_size: int = 5,
        spline_order: int = 3,
        grid_range: tuple[float, float] = (-1.0, 1.0),
    ) -> None:
        super().__init__()
        if len(widths) < 2 or min(widths) < 1:
            raise ValueError(f"widths are {tuple(widths)}: give that of the input, then of each layer, each at least 1")
        self.layers = nn.ModuleList(
            KANLinear(before, after, grid_size=grid_size, spline_order=spline_order, grid_range=grid_range)
            for before, after in pairwise(widths)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[..., first width] to [..., last width]."""
        for layer in self.layers:
            x = layer(x)
        return x

    def spline_layers(self) -> list[KANLinear]:
        """The layers, first to last."""
        return [layer for layer in self.layers if isinstance(layer, KANLinear)]

    def regularization(self, x: Tensor, *, l1: float = 1.0, entropy: float = 1.0) -> Tensor:
        """The sum of the layers' `KANLinear.regularization` where inputs x [n, first width] come to them."""
        total = x.new_zeros(())
        for layer in self.spline_layers():
            total = total + layer.regularization(x, l1=l1, entropy=entropy)
            x = layer(x)
        return total

    def plot(self, x: Tensor | None = None, *, names: Sequence[str] = (), outputs: Sequence[str] = ()) -> Figure:
        """A matplotlib figure of the network with the function of every edge, as far as inputs x [n, in] reach.

        Without ``x`` inputs are spread over the first layer's grid. ``names`` and ``outputs`` label both ends. Raises
        ValueError for names that are not as many, MissingExtra without matplotlib.
        """
        from .plot import draw

        return draw(self, self.spread() if x is None else x, names=names, outputs=outputs)

    def symbolic(self, x: Tensor | None = None, *, names: Sequence[str] = (), tolerance: float = 5e-3) -> Formula:
        """The network as a formula: every edge becomes the simplest known function that follows it closely.

        Fits and their R² are on inputs x [n, in]; without them inputs are spread over the first layer's grid. ``names``
        are the variables'. ``tolerance`` is how much of an edge's variance a simpler function may lose. Raises
        ValueError for more than one output, or names that are not as many.
        """
        from .symbolic import read

        return read(self, self.spread() if x is None else x, names=names, tolerance=tolerance)

    def spread(self, count: int = 512) -> Tensor:
        """So many inputs [count, first width], evenly spread over the first layer's grid."""
        first = self.spline_layers()[0]
        low, high = first.knots[:, first.spline_order], first.knots[:, -first.spline_order - 1]
        spread = torch.quasirandom.SobolEngine(first.in_features).draw(count).to(low)
        return low + spread * (high - low)
