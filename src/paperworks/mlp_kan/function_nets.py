"""MLP-KAN for functions: the paper's block on a single token, and experts that map inputs to the output themselves."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .layers import KANLinear
from .mixture import MLPKAN

__all__ = ["DirectMixture", "residual_network"]


class _Residual(nn.Module):
    def __init__(self, width: int, inner: nn.Module) -> None:
        super().__init__()
        self.norm, self.inner = nn.LayerNorm(width), inner

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = x + self.inner(self.norm(x))
        return outputs


def residual_network(
    inputs: int, *, width: int, hidden: int, blocks: int = 1, num_experts: int = 8, top_k: int = 2
) -> nn.Sequential:
    """[N, inputs] to [N, 1]: a linear map to ``width``, ``blocks`` of x + MLPKAN(LN x), and a linear map (Eq. 13).

    ``hidden``, ``num_experts`` and ``top_k`` are those of `MLPKAN`; nothing is dropped out.
    """
    mixtures = [MLPKAN(width, hidden=hidden, num_experts=num_experts, top_k=top_k, dropout=0.0) for _ in range(blocks)]
    return nn.Sequential(
        nn.Linear(inputs, width), *(_Residual(width, mixture) for mixture in mixtures), nn.Linear(width, 1)
    )


class DirectMixture(nn.Module):
    """[N, inputs] to [N, 1]: each expert answers for itself, half of them MLPs, half B-spline networks.

    An MLP has two hidden layers of ``hidden`` nodes and SiLU, a spline network one of ``kan_hidden``. A softmax of a
    linear map of the inputs weighs all answers. Inputs are taken from [-1, 1], the splines' grid. Raises ValueError for
    an odd number of experts.
    """

    def __init__(self, inputs: int, *, hidden: int = 24, kan_hidden: int = 6, num_experts: int = 8) -> None:
        super().__init__()
        if num_experts < 2 or num_experts % 2:
            raise ValueError(f"{num_experts} experts cannot be half MLPs, half KANs: take an even number of them")
        half = num_experts // 2
        self.gate = nn.Linear(inputs, num_experts)
        self.first, self.second, self.third = (
            _stacked(half, rows, columns) for rows, columns in ((inputs, hidden), (hidden, hidden), (hidden, 1))
        )
        self.biases = nn.ParameterList(torch.zeros(half, 1, width) for width in (hidden, hidden, 1))
        # One layer holds the splines of all experts: a node belongs to one of them, and its edge leads to that one.
        self.rise, self.fall = KANLinear(inputs, half * kan_hidden), KANLinear(half * kan_hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs] to [N, 1]."""
        answers = torch.cat([self._plain(x), self._curved(x)], dim=1)
        mixed: Tensor = (functional.softmax(self.gate(x), dim=-1) * answers).sum(dim=1, keepdim=True)
        return mixed

    def _plain(self, x: Tensor) -> Tensor:
        """The MLPs' answers [N, half]."""
        states = x.expand(len(self.first), -1, -1)
        for weight, bias in zip((self.first, self.second), self.biases, strict=False):
            states = functional.silu(torch.baddbmm(bias, states, weight))
        return torch.baddbmm(self.biases[2], states, self.third)[..., 0].T

    def _curved(self, x: Tensor) -> Tensor:
        """The spline networks' answers [N, half]."""
        edges = self.fall.edges(self.rise(x))[:, 0]
        return edges.unflatten(1, (len(self.first), -1)).sum(dim=2)


def _stacked(count: int, rows: int, columns: int) -> nn.Parameter:
    bound = math.sqrt(3 / rows)
    return nn.Parameter(torch.empty(count, rows, columns).uniform_(-bound, bound))
