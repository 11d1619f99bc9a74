"""Layers whose edge functions are sums of fixed bumps: the switch functions of FasterKAN, and Gaussians."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["CENTRES", "FasterKANLinear", "RBFKANLinear", "centres", "switch_basis"]

CENTRES = 8
_REACH = 2.0
_SWITCH_WIDTH = 0.33


def centres() -> Tensor:
    """Where the bumps of a feature have their tops: 8 places at equal distances on [-2, 2]."""
    return torch.linspace(-_REACH, _REACH, CENTRES)


def switch_basis(x: Tensor, centres: Tensor) -> Tensor:
    """The switch functions 1 - tanh²((x - c) / 0.33) at x [...]: [..., centres]."""
    return 1 - torch.tanh((x[..., None] - centres) / _SWITCH_WIDTH) ** 2


def _map_of_bumps(in_features: int, out_features: int) -> nn.Linear:
    made = nn.Linear(in_features * CENTRES, out_features, bias=False)
    nn.init.xavier_uniform_(made.weight)
    return made


class FasterKANLinear(nn.Module):
    """A layer norm, 8 switch functions 1 - tanh²((x - c) / 0.33) of each feature, and one linear map without bias.

    The edge function of the official MLP-KAN code. Takes [..., in_features].
    """

    centres: Tensor

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(in_features)
        self.register_buffer("centres", centres())
        self.linear = _map_of_bumps(in_features, out_features)

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        outputs: Tensor = self.linear(switch_basis(self.norm(x), self.centres).flatten(-2))
        return outputs


class RBFKANLinear(nn.Module):
    """A layer norm, 8 Gaussians of each feature as wide as they are apart, and a linear map beside one of silu(x)."""

    centres: Tensor

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.norm, self.base = nn.LayerNorm(in_features), nn.Linear(in_features, out_features)
        self.linear = _map_of_bumps(in_features, out_features)
        self.register_buffer("centres", centres())

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        # Beyond 9 widths a Gaussian is 0 in float32; without the bound, denormal numbers make it many times slower.
        width = 2 * _REACH / (CENTRES - 1)
        distance = ((self.norm(x)[..., None] - self.centres) / width).clamp(-9, 9)
        outputs: Tensor = self.linear(torch.exp(-(distance**2)).flatten(-2)) + self.base(functional.silu(x))
        return outputs
