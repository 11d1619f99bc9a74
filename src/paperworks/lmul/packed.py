"""Matrix products on the CPU through the kernels of ``kernels.py``: bit-true products of either variant, any k."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from paperworks.lab.threads import over_rows

from . import kernels, packing
from .arithmetic import Arithmetic
from .formats import FORMATS
from .scratch import aligned, scratch

__all__ = ["multiply", "prepare"]

_WIDE = {torch.float32: FORMATS["float32"], torch.float64: FORMATS["float64"]}


def multiply(
    a: torch.Tensor, b: torch.Tensor, how: Arithmetic, prepared: torch.Tensor | None = None
) -> tuple[torch.Tensor, bool]:
    """[B, M, K] (x) [B, K, N] in float32 (float64 for float64); and whether every operand was finite.

    Non-finite operands are counted as zero. ``prepared`` is what :func:`prepare` made of ``b``.
    """
    batch, rows, terms = a.shape
    columns = b.shape[2]
    if prepared is None and columns < rows and columns * a.element_size() < packing.VECTOR_BYTES:
        product, sound = multiply(b.mT, a.mT, how)  # L-Mul commutes: few columns leave lanes idle, few rows do not
        return product.mT, sound
    rule = _rule(how)
    right, sound_right = _right(b, how, rule, scratch) if prepared is None else (prepared.numpy(), True)
    left, sound_left = _left(a, how, rule)
    padded = packing.padded_columns(columns, rule.itemsize)
    product = torch.empty(batch, rows, padded, dtype=how.sum_dtype)  # the kernel sets it to zero
    sizes = (batch, batch * rows, terms, padded)
    operands = (left, right, product.data_ptr(), sizes, rule, how.variant == "formula")
    work = sizes[1] * terms * columns
    over_rows(sizes[1], work, lambda first, last: kernels.multiply(*operands, first, last))
    return product if padded == columns else product[:, :, :columns], sound_left and sound_right


def prepare(b: torch.Tensor, how: Arithmetic) -> torch.Tensor | None:
    """The right operand [B, K, N] packed once for many products; None where it holds numbers that are not finite."""
    packed, sound = _right(b, how, _rule(how), lambda name, shape, dtype: aligned(shape, dtype))
    return torch.from_numpy(packed) if sound else None


def _rule(how: Arithmetic) -> Any:
    """Rounding on the widened words where the kernels do it themselves; otherwise operands come rounded."""
    fmt = _WIDE[how.sum_dtype]
    k = how.mantissa_bits if how.only_drops_bits else fmt.mantissa_bits
    return packing.rounding_rule(fmt, k, how.rounding.mode == "nearest", how.c)


def _in_one_piece(x: torch.Tensor, how: Arithmetic) -> torch.Tensor:
    wide = x if x.dtype == how.sum_dtype else x.to(how.sum_dtype)
    return wide.contiguous().resolve_neg()


def _left(a: torch.Tensor, how: Arithmetic, rule: Any) -> tuple[Any, bool]:
    wide = _in_one_piece(a, how)
    batch, per_batch, terms = a.shape
    rows = batch * per_batch
    packed = scratch("left", (packing.left_words(rows, terms),), rule.dtype)
    return packed, packing.pack_left(wide.data_ptr(), rows, terms, rule, packed)


def _right(b: torch.Tensor, how: Arithmetic, rule: Any, memory: Callable[..., Any]) -> tuple[Any, bool]:
    wide = _in_one_piece(b, how)
    batch, terms, columns = b.shape
    packed = memory("right", (packing.right_words(batch, terms, columns, rule.itemsize),), rule.dtype)
    return packed, packing.pack_right(wide.data_ptr(), batch, terms, columns, rule, packed)
