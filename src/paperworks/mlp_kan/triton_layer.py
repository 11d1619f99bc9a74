"""A spline layer on equal cells by Triton's kernels, with gradients: on a GPU, where its columns are never stored."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from .fused import Plain, plain_gradients

__all__ = ["fits", "spline_layer"]

_DTYPES = (torch.float32, torch.bfloat16, torch.float16)
_ORDERS = range(1, 6)
_ROWS, _OUTS = 64, 64  # reasoned, not measured: two tiles and the sums of a program leave room for a second one
_NARROWEST = 16  # what a product of tiles takes


@cache
def _has_triton() -> bool:
    return find_spec("triton") is not None


def fits(x: Tensor, weight: Tensor, order: int, *, uniform: bool) -> bool:
    """Whether :func:`spline_layer` is the way: a GPU, equal cells, order 1 to 5, a type it knows, not traced."""
    return (
        uniform
        and order in _ORDERS
        and x.is_cuda
        and weight.is_cuda
        and x.dtype == weight.dtype
        and x.dtype in _DTYPES
        and _has_triton()
        and not torch.is_autocast_enabled("cuda")
        and not torch.compiler.is_compiling()
        and not torch._C._are_functorch_transforms_active()
    )


def spline_layer(x: Tensor, weight: Tensor, knots: Tensor, *, order: int, plain: Plain) -> Tensor:
    """What `fused.spline_layer` gives, for knots [in, G + 2k + 1] at equal distances in every feature."""
    outputs: Tensor = _SplineLayer.apply(x, weight, knots, order, plain)  # type: ignore[no-untyped-call]
    return outputs


class _SplineLayer(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, knots: Tensor, order: int, plain: Plain) -> Tensor:
        from . import triton_kernels

        ctx.save_for_backward(x, weight, knots)
        ctx.order, ctx.plain = order, plain
        out = x.new_empty(len(x), len(weight))
        if out.numel():
            sizes, shape = _sizes(x, weight), _shape(knots, order)
            blocks = (_blocks(len(x), _ROWS), _blocks(len(weight), _OUTS))
            triton_kernels.outputs_of[blocks](x.contiguous(), weight.contiguous(), *_grid(knots), out, *sizes, **shape)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        from . import triton_kernels

        x, weight, knots = ctx.saved_tensors
        if torch.is_grad_enabled():
            return *plain_gradients(ctx, x, weight, grad), None, None, None
        x, weight, grad = x.contiguous(), weight.contiguous(), grad.contiguous()
        sizes, shape, grid = _sizes(x, weight), _shape(knots, ctx.order), _grid(knots)
        to_x = to_weight = None
        if ctx.needs_input_grad[0]:
            to_x = torch.empty_like(x)
            if x.numel():
                blocks = (_blocks(len(x), _ROWS), x.shape[1])
                triton_kernels.of_points[blocks](x, weight, *grid, grad, to_x, *sizes, **shape)
        if ctx.needs_input_grad[1]:
            to_weight = torch.empty_like(weight)
            blocks = (x.shape[1], _blocks(len(weight), _OUTS))
            triton_kernels.of_weight[blocks](x, *grid, grad, to_weight, *sizes, **shape)
        return to_x, to_weight, None, None, None


def _sizes(x: Tensor, weight: Tensor) -> tuple[int, int, int]:
    return len(x), x.shape[1], len(weight)


def _shape(knots: Tensor, order: int) -> dict[str, int]:
    """The kernels' constants: as many columns as a feature has, padded to a power of two."""
    columns = knots.shape[1] - order
    width = max(_NARROWEST, 1 << (columns - 1).bit_length())
    return {"COLUMNS": columns, "ORDER": order, "WIDTH": width, "ROWS": _ROWS, "OUTS": _OUTS}


def _grid(knots: Tensor) -> tuple[Tensor, Tensor]:
    """The first knot of each feature, and how many cells lie on a unit; [in] in float32."""
    ends = knots[:, [0, -1]].float()
    return ends[:, 0].contiguous(), ((knots.shape[1] - 1) / (ends[:, 1] - ends[:, 0])).contiguous()


def _blocks(length: int, size: int) -> int:
    return -(-length // size)
