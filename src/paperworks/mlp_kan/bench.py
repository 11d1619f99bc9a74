"""Layers with splines on their edges, forward and backward, beside the usual algorithm for them and beside an MLP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from paperworks.lab import Lab, timing
from paperworks.lab.timing import BenchRow

from .bumps import FasterKANLinear
from .layers import KANLinear

__all__ = ["bench"]

RECURSION, SWITCH, MLP = "the recursion over all cells (efficient-kan)", "switch functions", "MLP of as many parameters"
_REPEATS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """A batch of ``rows`` through a layer ``width`` to ``width``; ``targets`` by peer, as the largest ratio wanted."""

    rows: int
    width: int
    targets: dict[str, float]

    def __str__(self) -> str:
        return f"{self.rows} rows, {self.width} to {self.width}, 5 cells of order 3"


SHAPES = (
    _Shape(rows=1000, width=64, targets={RECURSION: 1 / 8, SWITCH: 1 / 1.3}),
    _Shape(rows=1024, width=256, targets={RECURSION: 1 / 4}),
)


class RecursionLayer(nn.Module):
    """The spline layer as efficient-kan computes it: Cox-de Boor over every cell, and a product for each of its parts.

    ``like`` gives the weights and the knots, so that both layers are the same function.
    """

    knots: Tensor

    def __init__(self, like: KANLinear) -> None:
        super().__init__()
        self.order = like.spline_order
        self.register_buffer("knots", like.knots)
        per_edge = like.weight.detach().view(like.out_features, like.in_features, -1)
        self.base = nn.Parameter(per_edge[..., 0].clone())
        self.spline = nn.Parameter(per_edge[..., 1:].clone())
        self.scale = nn.Parameter(torch.ones(like.out_features, like.in_features))

    def forward(self, x: Tensor) -> Tensor:
        """[N, in] to [N, out]."""
        scaled = (self.spline * self.scale[..., None]).flatten(1)
        return functional.linear(functional.silu(x), self.base) + functional.linear(self._basis(x).flatten(1), scaled)

    def _basis(self, x: Tensor) -> Tensor:
        x, knots = x[..., None], self.knots
        values = ((x >= knots[:, :-1]) & (x < knots[:, 1:])).to(x.dtype)
        for degree in range(1, self.order + 1):
            low, high = knots[:, : -degree - 1], knots[:, degree + 1 :]
            rising = (x - low) / (knots[:, degree:-1] - low) * values[..., :-1]
            values = rising + (high - x) / (high - knots[:, 1:-degree]) * values[..., 1:]
        return values


def bench(lab: Lab) -> Iterator[BenchRow]:
    """A row a shape and peer: seconds of a forward pass with its gradients, on one thread on a CPU.

    The MLP has one hidden layer, as wide as the spline layer's parameters allow. There is no limit but the MLP: its
    products are all that a layer of as many parameters has to do.
    """
    with timing.threads(1):
        for shape in SHAPES:
            yield from _beside_peers(shape, lab.device)


def _beside_peers(shape: _Shape, device: str) -> Iterator[BenchRow]:
    torch.manual_seed(0)
    ours = KANLinear(shape.width, shape.width)
    peers = {
        RECURSION: RecursionLayer(ours),
        SWITCH: FasterKANLinear(shape.width, shape.width),
        MLP: _mlp(shape.width, sum(parameter.numel() for parameter in ours.parameters())),
    }
    x = torch.rand(shape.rows, shape.width) * 2 - 1
    found = timing.compare(
        _pass(ours, x, device),
        {name: _pass(module, x, device) for name, module in peers.items()},
        _REPEATS,
        synchronize=torch.cuda.synchronize if device.startswith("cuda") else lambda: None,
    )
    yield from found.rows(f"forward and backward, {shape}", targets=shape.targets)


def _mlp(width: int, parameters: int) -> nn.Module:
    hidden = (parameters - width) // (2 * width + 1)
    return nn.Sequential(nn.Linear(width, hidden), nn.SiLU(), nn.Linear(hidden, width))


def _pass(module: nn.Module, x: Tensor, device: str) -> Callable[[], object]:
    module = module.to(device)
    x = x.to(device).requires_grad_()
    inputs = [x, *module.parameters()]
    return lambda: torch.autograd.grad(module(x).sum(), inputs)
