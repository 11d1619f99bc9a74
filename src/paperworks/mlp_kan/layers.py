"""The layer with a learned B-spline on every edge (arXiv 2404.19756)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from . import fused, splines, triton_layer

__all__ = ["KANLinear"]


class KANLinear(nn.Module):
    """y_j = sum over i of w_ji silu(x_i) + sum over g of c_jig B_g(x_i), for x [..., in_features] (2404.19756, 2.2).

    One weight [out, in * (1 + G + k)]: for each feature the base's weight, then the spline's coefficients. There is no
    scale beside the coefficients that a refit could count twice. Beyond the grid the splines fade to 0 over k cells.
    """

    knots: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        grid_size: int = 5,
        spline_order: int = 3,
        grid_range: tuple[float, float] = (-1.0, 1.0),
        scale_noise: float = 0.1,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features, self.spline_order = in_features, out_features, spline_order
        self.uniform = True
        knots = splines.uniform_knots(*grid_range, grid_size=grid_size, order=spline_order)
        self.register_buffer("knots", knots.to(torch.get_default_dtype()).repeat(in_features, 1))
        noise = scale_noise / grid_size
        weight = torch.empty(out_features, in_features, 1 + grid_size + spline_order).uniform_(-noise / 2, noise / 2)
        weight[..., 0].uniform_(-1 / math.sqrt(in_features), 1 / math.sqrt(in_features))
        self.weight = nn.Parameter(weight.flatten(1))

    @property
    def grid_size(self) -> int:
        """The number of cells between the ends of the grid."""
        return self.knots.shape[-1] - 1 - 2 * self.spline_order

    def get_extra_state(self) -> dict[str, Any]:
        """Whether the knots are equally spaced: it decides which form is evaluated."""
        return {"uniform": self.uniform}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Takes over what :meth:`get_extra_state` returned."""
        self.uniform = state["uniform"]

    def basis(self, x: Tensor) -> Tensor:
        """The B-splines at x [..., in]: [..., in, G + k]. Raises ValueError for another width."""
        self._check_width(x)
        form = splines.uniform_basis if self.uniform else splines.basis
        return form(x, self.knots, order=self.spline_order)

    def _check_width(self, x: Tensor) -> None:
        if x.shape[-1] != self.in_features:
            raise ValueError(f"the input has {x.shape[-1]} features: this layer takes {self.in_features}")

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] to [..., out]."""
        self._check_width(x)
        if fused.fits(x, self.weight, self.spline_order):
            spline_layer = fused.spline_layer
        elif triton_layer.fits(x, self.weight, self.spline_order, uniform=self.uniform):
            spline_layer = triton_layer.spline_layer
        else:
            return self._plain(x, self.weight)
        rows = x.reshape(-1, self.in_features)
        outputs = spline_layer(rows, self.weight, self.knots, order=self.spline_order, plain=self._plain)
        return outputs.view(*x.shape[:-1], self.out_features)

    def _plain(self, x: Tensor, weight: Tensor) -> Tensor:
        return functional.linear(self._columns(x).flatten(-2), weight)

    def _columns(self, x: Tensor) -> Tensor:
        return torch.cat([functional.silu(x)[..., None], self.basis(x)], dim=-1)

    def edges(self, x: Tensor) -> Tensor:
        """Every edge's share of the output at x [..., in]: [..., out, in]."""
        per_edge = self.weight.view(self.out_features, self.in_features, -1)
        return torch.einsum("...ib,oib->...oi", self._columns(x), per_edge)

    def edge_importance(self, x: Tensor) -> Tensor:
        """The mean of an edge's absolute values over the points x [n, in]: [out, in]."""
        return self.edges(x).abs().mean(dim=0)

    def regularization(self, x: Tensor, *, l1: float = 1.0, entropy: float = 1.0) -> Tensor:
        """l1 times the sum of the edges' importances, and entropy times the entropy of their shares."""
        importance = self.edge_importance(x)
        share = importance / importance.sum().clamp_min(torch.finfo(x.dtype).tiny)
        penalty: Tensor = l1 * importance.sum() + entropy * torch.special.entr(share).sum()
        return penalty

    @torch.no_grad()
    def extend_grid(self, grid_size: int) -> None:
        """Divides the grid into more cells, all splines refitted.

        On the grid's range nothing changes if the new size is a multiple of the old one: every cell is divided into
        equal parts, and a spline on the old cells is one on the new. Raises ValueError for fewer cells than there are.
        """
        if grid_size < self.grid_size:
            raise ValueError(
                f"the grid has {self.grid_size} cells: it can be extended to as many or more, not {grid_size}"
            )
        inner = self.knots[:, self.spline_order : self.knots.shape[1] - self.spline_order].double().T
        middles = (torch.arange(8 * grid_size, dtype=torch.float64, device=inner.device) + 0.5) / (8 * grid_size)
        share = torch.linspace(0, 1, grid_size + 1, dtype=torch.float64, device=inner.device)
        self._move_to(_between(inner, share), _between(inner, middles).to(self.knots))

    @torch.no_grad()
    def update_grid(self, x: Tensor, *, eps: float = 0.02, margin: float = 0.01) -> None:
        """Lets the knots follow the points x [n, in]; splines are refitted to their own values at the points.

        The inner knots are eps * uniform + (1 - eps) * quantiles. Raises ValueError for points that are not finite.
        """
        if not torch.isfinite(x).all():
            raise ValueError("the points of a grid update are not all finite: leave out infinities and NaN")
        points = x.double()
        share = torch.linspace(0, 1, self.grid_size + 1, dtype=torch.float64, device=x.device)
        low, high = points.amin(dim=0) - margin, points.amax(dim=0) + margin
        inner = eps * (low + share[:, None] * (high - low)) + (1 - eps) * torch.quantile(points, share, dim=0)
        inner[0], inner[-1] = low, high
        self._move_to(inner, x)
        self.uniform = False

    def _move_to(self, inner: Tensor, points: Tensor) -> None:
        """New ends of cells [G + 1, in], continued beyond at their mean distance; values at the points stay."""
        order, size = self.spline_order, len(inner) - 1
        steps = torch.arange(1, order + 1, dtype=inner.dtype, device=inner.device)[:, None]
        beyond = steps * ((inner[-1] - inner[0]) / size)
        knots = torch.cat([inner[0] - beyond.flip(0), inner, inner[-1] + beyond]).T.to(self.knots).contiguous()
        per_edge = self.weight.view(self.out_features, self.in_features, -1)
        basis = splines.basis(points.double(), self.knots.double(), order=order)
        old = torch.einsum("nib,oib->nio", basis, per_edge[..., 1:].double())
        fitted = splines.fit_coefficients(points, old, knots, order=order).to(self.weight)
        self.knots = knots
        self.weight = nn.Parameter(torch.cat([per_edge[..., :1], fitted.permute(2, 0, 1)], dim=-1).flatten(1))


def _between(ends: Tensor, share: Tensor) -> Tensor:
    """Places in cells with the ends [G + 1, in], where ``share`` [n] of all cells lie below: [n, in]."""
    place = share * (len(ends) - 1)
    cell = place.floor().long().clamp(max=len(ends) - 2)
    return torch.lerp(ends[cell], ends[cell + 1], (place - cell)[:, None])
