"""Networks of other packages, taken over with all they have learned: efficient-kan's by state, pykan's whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .layers import KANLinear
from .network import KAN

__all__ = ["load_efficient_kan", "load_pykan"]

_EQUAL = 1e-4  # of a cell: how much cells of a grid with equal ones may differ, for rounding


def load_efficient_kan(state: Mapping[str, Tensor], *, spline_order: int = 3) -> KAN:
    """A network whose outputs are those of efficient-kan's ``KAN`` with the ``state_dict`` ``state``.

    A layer has ``grid`` [in, G + 2k + 1], ``base_weight`` [out, in], ``spline_weight`` [out, in, G + k], and
    ``spline_scaler`` [out, in] unless it was made without; the base activation is its default, SiLU. The type is that
    of the state. Raises ValueError for a state without such layers, or with one of another ``spline_order``.
    """
    layers: list[KANLinear] = []
    while (before := f"layers.{len(layers)}.") + "grid" in state:
        if missing := [name for name in ("base_weight", "spline_weight") if before + name not in state]:
            raise ValueError(f"{before[:-1]} has no {missing[0]}: this is no state of efficient-kan's KAN")
        spline = state[before + "spline_weight"]
        if (scale := state.get(before + "spline_scaler")) is not None:
            spline = spline * scale[..., None]
        layers.append(_layer(state[before + "grid"], state[before + "base_weight"], spline, spline_order))
    if not layers:
        raise ValueError("the state has no layers.0.grid: this is no state of efficient-kan's KAN")
    return _network(layers)


def load_pykan(model: Any) -> KAN:
    """A network whose outputs are those of pykan's ``KAN`` (``MultKAN``) ``model``, in its type.

    Edges that pykan has pruned are zero here. Raises ValueError for what a network of splines alone cannot say: nodes
    that multiply, edges set to formulas, biases of nodes, and another base function than SiLU.
    """
    if any(isinstance(width, list | tuple) and width[1] for width in model.width):
        raise ValueError("the model has nodes that multiply, which a network of splines has not: use its sums alone")
    layers = []
    for depth, theirs in enumerate(model.act_fun):
        _check(model, depth, theirs)
        edges = (theirs.mask * model.subnode_scale[depth] * model.node_scale[depth]).T
        base = edges * theirs.scale_base.T
        spline = (edges * theirs.scale_sp.T)[..., None] * theirs.coef.transpose(0, 1)
        layers.append(_layer(theirs.grid, base, spline, int(theirs.k)))
    return _network(layers)


def _check(model: Any, depth: int, layer: Any) -> None:
    if model.symbolic_fun[depth].mask.any():
        raise ValueError(f"layer {depth} has edges that were set to formulas: read those from the model itself")
    if any(biases[depth].any() for biases in (model.subnode_bias, model.node_bias)):
        raise ValueError(f"layer {depth} has nodes with biases, which a network of splines has not")
    x = torch.linspace(-2, 2, 5).to(layer.scale_base)
    if not torch.allclose(layer.base_fun(x), torch.nn.functional.silu(x)):
        raise ValueError(f"layer {depth} has another base function than SiLU")


@torch.no_grad()
def _layer(grid: Tensor, base: Tensor, spline: Tensor, order: int) -> KANLinear:
    """Of knots [in, G + 2k + 1], weights of the base [out, in] and coefficients [out, in, G + k]."""
    cells = grid.shape[1] - 1 - 2 * order
    if spline.shape[-1] != cells + order or cells < 1:
        raise ValueError(
            f"a grid of {grid.shape[1]} knots has {cells + order} splines of order {order}, not {spline.shape[-1]}"
        )
    layer = KANLinear(base.shape[1], base.shape[0], grid_size=cells, spline_order=order).to(base)
    layer.knots.copy_(grid)
    steps = grid.diff(dim=1)
    layer.uniform = bool((steps - steps.mean(1, keepdim=True)).abs().max() <= _EQUAL * steps.mean())
    layer.weight.copy_(torch.cat([base[..., None], spline], dim=-1).flatten(1))
    return layer


def _network(layers: list[KANLinear]) -> KAN:
    network = KAN((layers[0].in_features, *(layer.out_features for layer in layers)))
    network.layers = torch.nn.ModuleList(layers)
    return network
