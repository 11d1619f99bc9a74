"""B-spline bases: the recursion for any knots, and the local form for knots at equal distances (arXiv 2404.19756)."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["basis", "fit_coefficients", "uniform_basis", "uniform_knots"]

MAX_ORDER = 5


def uniform_knots(low: float, high: float, *, grid_size: int, order: int) -> Tensor:
    """Knots of ``grid_size`` equal cells on [low, high] and ``order`` cells more on each side, float64 [G + 2k + 1].

    Raises ValueError for an empty range, a grid without cells, or an order outside 0..5.
    """
    if not low < high:
        raise ValueError(f"the grid's range is [{low}, {high}]: its low end must be below its high end")
    if grid_size < 1:
        raise ValueError(f"grid_size is {grid_size}: a grid has at least 1 cell")
    if not 0 <= order <= MAX_ORDER:
        raise ValueError(f"the spline's order is {order}: it must be 0 to {MAX_ORDER}")
    cells = torch.arange(-order, grid_size + order + 1, dtype=torch.float64)
    return low + cells * ((high - low) / grid_size)


def basis(x: Tensor, knots: Tensor, *, order: int) -> Tensor:
    """The basis functions at ``x`` [..., F] for knots [F, G + 2k + 1], by Cox-de Boor: [..., F, G + k].

    Cells are half-open, and where knots coincide 0/0 counts as 0. Not a number stays not a number.
    """
    x = x[..., None]
    values = ((x >= knots[:, :-1]) & (x < knots[:, 1:])).to(x.dtype)
    values = torch.where(torch.isnan(x), x, values)
    for degree in range(1, order + 1):
        rising = _quotient(x - knots[:, : -degree - 1], knots[:, degree:-1] - knots[:, : -degree - 1])
        falling = _quotient(knots[:, degree + 1 :] - x, knots[:, degree + 1 :] - knots[:, 1:-degree])
        values = rising * values[..., :-1] + falling * values[..., 1:]
    return values


def _quotient(numerator: Tensor, width: Tensor) -> Tensor:
    empty = width == 0
    return torch.where(empty, 0.0, numerator / torch.where(empty, 1.0, width))


def uniform_basis(x: Tensor, knots: Tensor, *, order: int) -> Tensor:
    """What :func:`basis` returns, for knots that are equally spaced in every feature.

    Only k + 1 basis functions live on a cell. With t the place in it, they follow from
    b[j, d] = ((d - j + t) b[j - 1, d - 1] + (j + 1 - t) b[j, d - 1]) / d, and are put in their columns.
    """
    cells = knots.shape[-1] - 1
    place = (x - knots[:, 0]) * (cells / (knots[:, -1] - knots[:, 0]))
    outside = (place < 0) | (place >= cells)
    cell = place.detach().nan_to_num(0.0).clamp(0, cells - 1).floor()
    local = _local_values(place - cell, order)
    local = torch.where(outside[..., None], 0.0, local)
    columns = cell.long()[..., None] + torch.arange(order + 1, device=x.device)
    padded = local.new_zeros(*x.shape, cells + order).scatter(-1, columns, local)
    return padded[..., order:cells]


def _local_values(t: Tensor, order: int) -> Tensor:
    values = [torch.where(torch.isnan(t), t, 1.0)]
    for degree in range(1, order + 1):
        rising = [(degree - j + t) * values[j - 1] / degree for j in range(1, degree + 1)]
        falling = [(j + 1 - t) * values[j] / degree for j in range(degree)]
        values = [falling[0], *(up + down for up, down in zip(rising, falling[1:], strict=False)), rising[-1]]
    return torch.stack(values, dim=-1)


def fit_coefficients(x: Tensor, y: Tensor, knots: Tensor, *, order: int) -> Tensor:
    """Least-squares coefficients [F, G + k, out] of splines through y [n, F, out] at x [n, F], in float64 on the CPU.

    The solution of least norm: basis functions that no point touches get 0.
    """
    design = basis(x.double().cpu(), knots.double().cpu(), order=order).movedim(0, 1)
    target = y.double().cpu().movedim(0, 1)
    solution: Tensor = torch.linalg.lstsq(design, target, driver="gelsd").solution
    return solution
