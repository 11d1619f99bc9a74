"""Matrix products by the adder on a GPU, in Triton. Without ``triton`` (the extra ``gpu``) this cannot be imported.

``adder``: integer additions on the general cores, any k. ``one_hot``: the table of mantissa products (``table.py``) as
a product of float8 words on the tensor cores, for k up to 3; the left operand's one-hot rows are made in registers.

Kernels have no annotations but ``tl.constexpr``: Triton reads them, and refuses a name that it does not know.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from .arithmetic import Arithmetic
from .formats import FORMATS

__all__ = ["adder", "one_hot"]

_FLOAT32 = FORMATS["float32"]


def adder(x: torch.Tensor, y: torch.Tensor, how: Arithmetic) -> torch.Tensor:
    """[B, M, K] (x) [B, K, N], finite float32 operands with k mantissa bits, in float32."""
    batch, rows, terms = x.shape
    columns = y.shape[2]
    out = torch.empty(batch, rows, columns, dtype=torch.float32, device=x.device)
    left = x.mT.contiguous().view(torch.int32)  # a tile's rows of one term lie side by side
    right = y.contiguous().view(torch.int32)
    size = 64
    grid = (triton.cdiv(rows, size), triton.cdiv(columns, size), batch)
    _adder[grid](left, right, out, rows, columns, terms, _FLOAT32.offset(how.c), ROWS=size, COLUMNS=size)
    return out


def one_hot(x: torch.Tensor, spread: torch.Tensor, how: Arithmetic) -> torch.Tensor:
    """[B, M, K] (x) the spread table of the right operand, in float32.

    ``x`` float32 with k mantissa bits, powers of two of it exact in float8 e5m2 (or zero); ``spread`` [B, K·2^k, N]
    of type float8 e4m3fn: entry (t·2^k + j, n) is the product of the mantissa j with y[t, n], times P(y).
    """
    batch, rows, terms = x.shape
    columns = spread.shape[2]
    out = torch.empty(batch, rows, columns, dtype=torch.float32, device=x.device)
    words = x.contiguous().view(torch.int32)
    size, depth = 64, 32
    grid = (triton.cdiv(rows, size), triton.cdiv(columns, size), batch)
    sizes = {"ROWS": size, "COLUMNS": size, "DEPTH": depth}
    _one_hot[grid](words, spread.contiguous(), out, rows, columns, terms, BITS=how.mantissa_bits, **sizes)
    return out


@triton.jit
def _adder(
    left,
    right,
    out,
    rows,
    columns,
    terms,
    offset,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """One tile of one batch entry, by rank-one updates: ``left`` [B, K, M] and ``right`` [B, K, N] as int32 words."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    entry = tl.program_id(2).to(tl.int64)
    left += entry * rows * terms
    right += entry * terms * columns
    total = tl.zeros((ROWS, COLUMNS), dtype=tl.float32)
    for _ in range(0, terms):
        x = tl.load(left + row, mask=row < rows, other=0)
        y = tl.load(right + column, mask=column < columns, other=0)
        total += _products(x, y, offset)
        left += rows
        right += columns
    place = entry * rows * columns + row[:, None] * columns + column[None, :]
    tl.store(out + place, total, mask=(row[:, None] < rows) & (column[None, :] < columns))


@triton.jit
def _products(x, y, offset):
    """[ROWS] and [COLUMNS] words give [ROWS, COLUMNS] floats: section 2.3 but for infinity and NaN.

    The offset is taken from x first. The sum can then wrap in one direction only: a negative word, although the part
    from x is not negative, is a product too large.
    """
    size_x, size_y = x & 0x7FFFFFFF, y & 0x7FFFFFFF
    shifted = (size_x - offset)[:, None]
    value = shifted + size_y[None, :]
    too_large = (value >= 0x7F800000) | ((value < 0) & (shifted >= 0))
    value = tl.where(too_large, 0x7F800000, value)
    present = (size_x >= 0x00800000)[:, None] & (size_y >= 0x00800000)[None, :]
    value = tl.where(present & (value >= 0x00800000), value, 0)
    sign = (x[:, None] ^ y[None, :]) & -0x80000000
    return (value | sign).to(tl.float32, bitcast=True)


@triton.jit
def _one_hot(
    words,
    spread,
    out,
    rows,
    columns,
    terms,
    BITS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
):
    """One tile of one batch entry: DEPTH entries of the long sum at a time, 2^BITS of them for each term."""
    entries: tl.constexpr = 1 << BITS
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    entry = tl.program_id(2).to(tl.int64)
    words += entry * rows * terms
    spread += entry * terms * entries * columns
    total = tl.zeros((ROWS, COLUMNS), dtype=tl.float32)
    for begin in range(0, terms * entries, DEPTH):
        place = begin + tl.arange(0, DEPTH)
        term, mantissa = place // entries, place % entries
        inside = (row[:, None] < rows) & (term[None, :] < terms)
        word = tl.load(words + row[:, None] * terms + term[None, :], mask=inside, other=0)
        mine = ((word >> (23 - BITS)) & (entries - 1)) == mantissa[None, :]
        power = tl.where(mine, word & -0x800000, 0).to(tl.float32, bitcast=True)
        there = (place[:, None] < terms * entries) & (column[None, :] < columns)
        right = tl.load(spread + place[:, None] * columns + column[None, :], mask=there, other=0.0)
        total = tl.dot(power.to(tl.float8e5), right, total)
    place = entry * rows * columns + row[:, None] * columns + column[None, :]
    tl.store(out + place, total, mask=(row[:, None] < rows) & (column[None, :] < columns))
