"""Matrix products on the CPU through the kernels of ``kernels.py``: bit-true products of either variant, any k."""

from __future__ import annotations

from typing import Any

import torch

from . import kernels
from .arithmetic import Arithmetic
from .formats import FORMATS
from .scratch import aligned, scratch
from .threads import over_rows

__all__ = ["multiply", "prepare"]


def multiply(
    a: torch.Tensor, b: torch.Tensor, how: Arithmetic, prepared: torch.Tensor | None = None
) -> tuple[torch.Tensor, bool]:
    """[B, M, K] (x) [B, K, N] in float32 (float64 for float64); and whether every operand was finite.

    Non-finite operands are counted as zero. ``prepared`` is what :func:`prepare` made of ``b``.
    """
    rows, columns = a.shape[1], b.shape[2]
    if prepared is None and columns * a.element_size() < kernels.VECTOR_BYTES and columns < rows:
        product, sound = multiply(b.mT, a.mT, how)  # L-Mul commutes: few columns leave lanes idle, few rows do not
        return product.mT, sound
    rule = _rule(how)
    if prepared is None:
        prepared, sound_right = _packed(b, how, keep=False)
    else:
        sound_right = True
    right, right_facts = _unpacked(prepared, b, how)
    left, left_facts, sound_left = _left(a, how, rule)
    padded = kernels.padded_columns(columns, how.sum_dtype.itemsize)
    formula = how.variant == "formula"
    product = torch.zeros(left.shape[0], padded, dtype=how.sum_dtype)
    out = product.numpy()
    over_rows(
        left.shape[0],
        left.size * columns,
        lambda first, last: kernels.multiply(left, left_facts, right, right_facts, out, rule, formula, first, last),
    )
    return product.view(a.shape[0], rows, padded)[:, :, :columns], sound_left and sound_right


def prepare(b: torch.Tensor, how: Arithmetic) -> torch.Tensor | None:
    """The right operand [B, K, N] packed once for many products; None where it holds numbers that are not finite."""
    packed, sound = _packed(b, how, keep=True)
    return packed if sound else None


def _rule(how: Arithmetic) -> Any:
    """Rounding on the widened words where the kernels do it themselves; otherwise operands come rounded."""
    fmt = FORMATS["float64" if how.sum_dtype == torch.float64 else "float32"]
    k = how.mantissa_bits if how.only_drops_bits else fmt.mantissa_bits
    return kernels.rounding_rule(fmt, k, how.rounding.mode == "nearest", how.c)


def _words(x: torch.Tensor, how: Arithmetic) -> Any:
    wide = x.detach().to(how.sum_dtype)
    return wide.contiguous().view(torch.int64 if wide.dtype == torch.float64 else torch.int32).numpy()


def _left(a: torch.Tensor, how: Arithmetic, rule: Any) -> tuple[Any, Any, bool]:
    words = _words(a, how)
    words = words.reshape(words.shape[0] * words.shape[1], words.shape[2])
    packed = scratch("left", words.shape, words.dtype)
    facts = scratch("facts", (len(words), _chunks(a.shape[2]), 4), words.dtype)
    return packed, facts, kernels.pack_left(words, rule, packed, facts)


def _packed(b: torch.Tensor, how: Arithmetic, keep: bool) -> tuple[torch.Tensor, bool]:
    words = _words(b, how)
    shape = (sum(_sizes(b, how)),)
    store = aligned(shape, words.dtype) if keep else scratch("right", shape, words.dtype)
    panels, facts = _parts(store, b, how)
    sound = kernels.pack_right(words, _rule(how), panels, facts)
    return torch.from_numpy(store), sound


def _unpacked(prepared: torch.Tensor, b: torch.Tensor, how: Arithmetic) -> tuple[Any, Any]:
    return _parts(prepared.numpy(), b, how)


def _parts(store: Any, b: torch.Tensor, how: Arithmetic) -> tuple[Any, Any]:
    """Panels [B, P, K, width] and facts [B, P, chunks, 4], which lie one after the other in one array."""
    batch, terms, columns = b.shape
    width = kernels.panel_width(how.sum_dtype.itemsize)
    panels = -(-columns // width)
    edge = _sizes(b, how)[0]
    return (
        store[:edge].reshape(batch, panels, terms, width),
        store[edge:].reshape(batch, panels, _chunks(terms), 4),
    )


def _sizes(b: torch.Tensor, how: Arithmetic) -> tuple[int, int]:
    batch, terms, columns = b.shape
    width = kernels.panel_width(how.sum_dtype.itemsize)
    panels = -(-columns // width)
    return batch * panels * terms * width, batch * panels * _chunks(terms) * 4


def _chunks(terms: int) -> int:
    return -(-terms // kernels.CHUNK)
