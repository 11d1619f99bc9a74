"""The spline layer's kernels on a GPU. Without ``triton`` (the extra ``gpu``) there is no import of this.

A feature's columns, silu(x) and its G + k splines, are made in registers from its points, and go straight into a
product with the feature's part of the weight: what is read is x and the weight, where the usual way also writes and
reads 1 + G + k numbers for each number of x.

On equal cells every spline is the same function M of the distance in cells from where it begins,

    M(r) = (1 / k!) * sum over j of (-1)^j C(k + 1, j) max(r - j, 0)^k,

which is symmetric about (k + 1) / 2: taken on the nearer side, no large terms cancel.

Tensors are contiguous: x [N, in], weight and its gradient [out, in * COLUMNS] with COLUMNS = 1 + G + k, outputs and
their gradient [N, out]; ``origin`` [in] is each feature's first knot, ``cells`` [in] how many cells lie on a unit.
"""

from __future__ import annotations

import os

import triton
import triton.language as tl

__all__ = ["of_points", "of_weight", "outputs_of"]

_INTERPRETED = tl.constexpr(os.environ.get("TRITON_INTERPRET") == "1")


@triton.jit
def outputs_of(
    x,
    weight,
    origin,
    cells,
    out,
    n,
    inputs,
    outputs,
    COLUMNS: tl.constexpr,
    ORDER: tl.constexpr,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
    OUTS: tl.constexpr,
) -> None:
    """A block of the outputs. Programs: blocks of rows, blocks of outputs."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    output = tl.program_id(1) * OUTS + tl.arange(0, OUTS)
    column = tl.arange(0, WIDTH)
    total = tl.zeros((ROWS, OUTS), tl.float32)
    for feature in range(inputs):
        points = tl.load(x + row.to(tl.int64) * inputs + feature, mask=row < n, other=0.0).to(tl.float32)
        values = columns_of(points, column, tl.load(origin + feature), tl.load(cells + feature), COLUMNS, ORDER)
        part = weight + output[None, :].to(tl.int64) * (inputs * COLUMNS) + feature * COLUMNS + column[:, None]
        inside = (column[:, None] < COLUMNS) & (output[None, :] < outputs)
        total += product(values, tl.load(part, mask=inside, other=0.0))
    place = out + row[:, None].to(tl.int64) * outputs + output[None, :]
    tl.store(place, total.to(out.dtype.element_ty), mask=(row[:, None] < n) & (output[None, :] < outputs))


@triton.jit
def of_points(
    x,
    weight,
    origin,
    cells,
    grad,
    to_x,
    n,
    inputs,
    outputs,
    COLUMNS: tl.constexpr,
    ORDER: tl.constexpr,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
    OUTS: tl.constexpr,
) -> None:
    """The gradient with respect to a block of one feature's points. Programs: blocks of rows, features."""
    row, feature = tl.program_id(0) * ROWS + tl.arange(0, ROWS), tl.program_id(1)
    column = tl.arange(0, WIDTH)
    total = tl.zeros((ROWS, WIDTH), tl.float32)
    for start in range(0, outputs, OUTS):
        output = start + tl.arange(0, OUTS)
        known = (row[:, None] < n) & (output[None, :] < outputs)
        given = tl.load(grad + row[:, None].to(tl.int64) * outputs + output[None, :], mask=known, other=0.0)
        part = weight + output[:, None].to(tl.int64) * (inputs * COLUMNS) + feature * COLUMNS + column[None, :]
        inside = (column[None, :] < COLUMNS) & (output[:, None] < outputs)
        total += product(given.to(tl.float32), tl.load(part, mask=inside, other=0.0))
    points = tl.load(x + row.to(tl.int64) * inputs + feature, mask=row < n, other=0.0).to(tl.float32)
    slopes = slopes_of(points, column, tl.load(origin + feature), tl.load(cells + feature), COLUMNS, ORDER)
    place = to_x + row.to(tl.int64) * inputs + feature
    tl.store(place, tl.sum(total * slopes, axis=1).to(to_x.dtype.element_ty), mask=row < n)


@triton.jit
def of_weight(
    x,
    origin,
    cells,
    grad,
    to_weight,
    n,
    inputs,
    outputs,
    COLUMNS: tl.constexpr,
    ORDER: tl.constexpr,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
    OUTS: tl.constexpr,
) -> None:
    """The gradient with respect to one feature's part of a block of outputs. Programs: features, blocks of outputs."""
    feature, output = tl.program_id(0), tl.program_id(1) * OUTS + tl.arange(0, OUTS)
    column = tl.arange(0, WIDTH)
    first, each = tl.load(origin + feature), tl.load(cells + feature)
    total = tl.zeros((WIDTH, OUTS), tl.float32)
    for start in range(0, n, ROWS):
        row = start + tl.arange(0, ROWS)
        points = tl.load(x + row.to(tl.int64) * inputs + feature, mask=row < n, other=0.0).to(tl.float32)
        values = columns_of(points, column, first, each, COLUMNS, ORDER)
        known = (row[:, None] < n) & (output[None, :] < outputs)
        given = tl.load(grad + row[:, None].to(tl.int64) * outputs + output[None, :], mask=known, other=0.0)
        total += product(tl.trans(values), given)
    place = to_weight + output[None, :].to(tl.int64) * (inputs * COLUMNS) + feature * COLUMNS + column[:, None]
    inside = (column[:, None] < COLUMNS) & (output[None, :] < outputs)
    tl.store(place, total.to(to_weight.dtype.element_ty), mask=inside)


@triton.jit
def columns_of(points, column, origin, cells, COLUMNS: tl.constexpr, ORDER: tl.constexpr):
    """silu of the points [R], and beside it their splines: [R, WIDTH], 0 behind COLUMNS."""
    near, _ = _distance(points, column, origin, cells, ORDER)
    splines = tl.where(column[None, :] < COLUMNS, _bump(near, ORDER, ORDER), 0.0)
    gate = 1.0 / (1.0 + tl.exp(-points))
    return tl.where(column[None, :] == 0, (points * gate)[:, None], splines)


@triton.jit
def slopes_of(points, column, origin, cells, COLUMNS: tl.constexpr, ORDER: tl.constexpr):
    """The derivatives of `columns_of`: that of M is a bump of one order less, and falls on the side that M falls on."""
    near, rises = _distance(points, column, origin, cells, ORDER)
    slope = tl.where(rises, 1.0, -1.0) * _bump(near, ORDER, ORDER - 1) * cells
    splines = tl.where(column[None, :] < COLUMNS, slope, 0.0)
    gate = 1.0 / (1.0 + tl.exp(-points))
    return tl.where(column[None, :] == 0, (gate * (1.0 + points * (1.0 - gate)))[:, None], splines)


@triton.jit
def _distance(points, column, origin, cells, ORDER: tl.constexpr):
    """Of each point from the nearer end of each spline, in cells; negative beyond. And whether that is the left end."""
    left = ((points - origin) * cells)[:, None] - (column - 1).to(tl.float32)[None, :]
    right = ORDER + 1 - left
    return tl.minimum(left, right), left < right


@triton.jit
def _bump(near, ORDER: tl.constexpr, POWER: tl.constexpr):
    """(1 / POWER!) * sum over j of (-1)^j C(ORDER + 1, j) max(near - j, 0)^POWER."""
    total = tl.zeros_like(near)
    for j in tl.static_range(0, ORDER // 2 + 1):
        over = near - j
        term = tl.where(over > 0, 1.0, 0.0)
        for _ in tl.static_range(POWER):
            term = term * over
        total += _coefficient(ORDER, POWER, j) * term
    return total


@triton.constexpr_function
def _coefficient(order, power, j):
    """(-1)^j C(order + 1, j) / power!"""
    value = 1.0
    for i in range(j):
        value = -value * (order + 1 - i) / (i + 1)
    for i in range(power):
        value = value / (i + 1)
    return value


@triton.jit
def product(left, right):
    """left @ right in float32, of numbers of the type of the one from memory, ``right``."""
    if _INTERPRETED:  # the interpreter has no bfloat16
        return tl.dot(left.to(tl.float32), right.to(tl.float32), input_precision="ieee")
    return tl.dot(left.to(right.dtype), right, input_precision="ieee")
