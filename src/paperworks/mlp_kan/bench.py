"""Layers with splines on their edges, forward and backward, beside the usual algorithms for them and beside an MLP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from paperworks.lab import Lab, timing
from paperworks.lab.timing import BenchRow

from .bumps import FasterKANLinear
from .layers import KANLinear
from .peers import beside

__all__ = ["bench"]

RECURSION, SWITCH, MLP = "the recursion over all cells (efficient-kan)", "switch functions", "MLP of as many parameters"
_PYKAN, _PYKAN_TARGET = "pykan==0.2.8", 1 / 25


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """A batch of ``rows`` through a layer ``width`` to ``width``; ``targets`` by peer, as the largest ratio wanted."""

    rows: int
    width: int
    targets: dict[str, float]


SHAPES = (
    _Shape(rows=1000, width=64, targets={RECURSION: 1 / 8, SWITCH: 1 / 1.3}),
    _Shape(rows=1024, width=256, targets={RECURSION: 1 / 4}),
    _Shape(rows=128, width=8, targets={}),
    _Shape(rows=8192, width=32, targets={}),
)
GPU_SHAPES = (_Shape(rows=65_536, width=256, targets={RECURSION: 1 / 10, SWITCH: 1 / 2}),)
"""Beside the others where there is a GPU, which is idle on those; there our layer is a kernel of Triton."""


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

    Beside them stands how much memory each holds between the two passes. The MLP has one hidden layer, as wide as the
    spline layer's parameters allow. The limit is the time of our multiplications at the rate of one square product,
    as if points became splines at once. pykan is timed in its speed mode, at the first shape, in a process of its own.
    """
    with timing.threads(1):
        for shape in SHAPES + (GPU_SHAPES if lab.device == "cuda" else ()):
            torch.manual_seed(0)
            ours = KANLinear(shape.width, shape.width)
            yield from beside(ours, _peers(ours), rows=shape.rows, device=lab.device, targets=shape.targets)
    yield _beside_pykan(lab, SHAPES[0])


def _peers(ours: KANLinear) -> dict[str, nn.Module]:
    width = ours.in_features
    return {
        RECURSION: RecursionLayer(ours),
        SWITCH: FasterKANLinear(width, width),
        MLP: _mlp(width, ours.weight.numel()),
    }


def _mlp(width: int, parameters: int) -> nn.Module:
    hidden = (parameters - width) // (2 * width + 1)
    return nn.Sequential(nn.Linear(width, hidden), nn.SiLU(), nn.Linear(hidden, width))


def _beside_pykan(lab: Lab, shape: _Shape) -> BenchRow:
    """pykan names none of the packages that it needs, and ours are they: its environment only has to hold itself."""
    packages = next((lab.venv(_PYKAN) / "lib").glob("python*/site-packages"))
    task = [str(packages), str(shape.rows), str(shape.width), str(_PYKAN_TARGET)]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "paperworks.mlp_kan.pykan_peer", *task],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"pykan failed: {done.stderr.strip().splitlines()[-1]}")
    return BenchRow(**json.loads(done.stdout.splitlines()[-1]))
