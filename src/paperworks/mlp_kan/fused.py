"""A spline layer in one piece on the CPU: no wide matrix outlives a part of the batch, and gradients are written out.

A part of the batch is expanded into its columns, which one product takes to the outputs. The gradients expand it again,
which is cheaper than to remember it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from paperworks.lab.threads import over_rows

from . import kernels
from .products import product

__all__ = ["Plain", "fits", "plain_gradients", "spline_layer"]

_ROWS = 512  # of a part of the batch: so that its columns stay in the caches
_ROWS_AN_OUTPUT = 4  # at least: the weight's gradient is added up once a part, which must not count beside the products
_STEPS = 16  # products a number of the columns: those of the recursion
Plain = Callable[[Tensor, Tensor], Tensor]
"""The layer in operations of torch: of points [N, in] and weight, the outputs [N, out]."""
_DTYPES = (torch.float32, torch.float64)


def fits(x: Tensor, weight: Tensor, order: int) -> bool:
    """Whether :func:`spline_layer` takes these: main memory, float32 or float64, order 1 at least, not traced."""
    return (
        order > 0
        and x.device.type == weight.device.type == "cpu"
        and x.dtype == weight.dtype
        and x.dtype in _DTYPES
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch._C._are_functorch_transforms_active()
    )


def spline_layer(x: Tensor, weight: Tensor, knots: Tensor, *, order: int, plain: Plain) -> Tensor:
    """The outputs [N, out] of x [N, in] for weight [out, in * (1 + G + k)] and knots [in, G + 2k + 1].

    ``plain(x, weight)`` is the same function in operations of torch: gradients of gradients are those of it.
    """
    outputs: Tensor = _SplineLayer.apply(x, weight, knots, order, plain)  # type: ignore[no-untyped-call]
    return outputs


class _SplineLayer(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, knots: Tensor, order: int, plain: Any) -> Tensor:
        ctx.save_for_backward(x, weight, knots)
        ctx.order, ctx.plain = order, plain
        outputs = x.new_empty(len(x), len(weight))
        for rows in _parts(x, weight):
            outputs[rows] = product(weight, _columns(x[rows], knots, order)).T
        return outputs

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, knots = ctx.saved_tensors
        if torch.is_grad_enabled():
            return *plain_gradients(ctx, x, weight, grad), None, None, None
        to_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        to_weight = torch.zeros_like(weight.T, memory_format=torch.contiguous_format)
        grad = grad.contiguous()
        for rows in _parts(x, weight):
            if to_x is None:
                columns = _columns(x[rows], knots, ctx.order)
            else:
                columns, to_x[rows] = _columns_and_slope(x[rows], weight, knots, ctx.order, grad[rows])
            to_weight += product(columns, grad[rows])
        return to_x, to_weight.T.contiguous(), None, None, None


def plain_gradients(ctx: Any, x: Tensor, weight: Tensor, grad: Tensor) -> list[Tensor | None]:
    """The gradients with respect to x and weight, where ``ctx`` needs them, by ``ctx.plain``: differentiable again."""
    needed = [tensor for tensor, needs in zip((x, weight), ctx.needs_input_grad, strict=False) if needs]
    found = iter(torch.autograd.grad(ctx.plain(x, weight), needed, grad, create_graph=True))
    return [next(found) if needs else None for needs in ctx.needs_input_grad[:2]]


def _parts(x: Tensor, weight: Tensor) -> Iterator[slice]:
    """Nearly equal parts of the batch."""
    count = math.ceil(len(x) / max(_ROWS, _ROWS_AN_OUTPUT * len(weight)))
    return (slice(len(x) * part // count, len(x) * (part + 1) // count) for part in range(count))


def _columns(x: Tensor, knots: Tensor, order: int) -> Tensor:
    """[in * (1 + G + k), N]: what the weight is multiplied with, a point's numbers in a column."""
    points = x.T.contiguous()
    columns = x.new_empty(len(knots), knots.shape[1] - order, points.shape[1])
    _over_features(kernels.columns, order, points, torch.sigmoid(points), knots, columns)
    return columns.flatten(0, 1)


def _columns_and_slope(x: Tensor, weight: Tensor, knots: Tensor, order: int, grad: Tensor) -> tuple[Tensor, Tensor]:
    """The same columns, and the gradient with respect to x [N, in] of the one with respect to the outputs [N, out]."""
    points = x.T.contiguous()
    columns, slope = product(weight.T, grad.T), torch.empty_like(points)
    per_feature = columns.view(len(knots), -1, points.shape[1])
    _over_features(kernels.slopes, order, points, torch.sigmoid(points), knots, per_feature, slope)
    return columns, slope.T


def _over_features(kernel: Callable[..., None], order: int, *tensors: Tensor) -> None:
    """Runs a kernel on arrays with a row a feature: points, gate, knots, columns, and more; on torch's threads."""
    points, gate, knots, *results = (tensor.numpy() for tensor in tensors)
    work = _STEPS * results[0].size

    def run(first: int, last: int) -> None:
        mine = slice(first, last)
        kernel(points[mine], gate[mine], knots[mine], order, *(result[mine] for result in results))

    over_rows(len(points), work, run)
