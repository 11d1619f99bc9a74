"""Matrix products on the CPU through the kernels of ``kernels.py``: bit-true products of either variant, any k."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from . import kernels
from .arithmetic import Arithmetic
from .formats import FORMATS
from .scratch import aligned, scratch
from .threads import over_rows

__all__ = ["multiply", "prepare"]

_WIDE = {torch.float32: FORMATS["float32"], torch.float64: FORMATS["float64"]}


def multiply(
    a: torch.Tensor, b: torch.Tensor, how: Arithmetic, prepared: torch.Tensor | None = None
) -> tuple[torch.Tensor, bool]:
    """[B, M, K] (x) [B, K, N] in float32 (float64 for float64); and whether every operand was finite.

    Non-finite operands are counted as zero. ``prepared`` is what :func:`prepare` made of ``b``.
    """
    batch, rows, _ = a.shape
    columns = b.shape[2]
    if prepared is None and columns * a.element_size() < kernels.VECTOR_BYTES and columns < rows:
        product, sound = multiply(b.mT, a.mT, how)  # L-Mul commutes: few columns leave lanes idle, few rows do not
        return product.mT, sound
    rule, size = _rule(how), how.sum_dtype.itemsize
    if prepared is None:
        right, right_facts, sound_right = _right(b, how, rule, scratch)
    else:
        right, right_facts = _parts(prepared.numpy(), b, size)
        sound_right = True
    left, left_facts, sound_left = _left(a, how, rule)
    padded = kernels.padded_columns(columns, size)
    product = torch.empty(batch * rows, padded, dtype=how.sum_dtype)  # the kernel sets it to zero
    operands = (left, left_facts, right, right_facts, product.numpy(), rule, how.variant == "formula")
    over_rows(batch * rows, left.size * columns, lambda first, last: kernels.multiply(*operands, first, last))
    return product.view(batch, rows, padded)[:, :, :columns], sound_left and sound_right


def prepare(b: torch.Tensor, how: Arithmetic) -> torch.Tensor | None:
    """The right operand [B, K, N] packed once for many products; None where it holds numbers that are not finite."""
    store: list[Any] = []

    def kept(name: str, shape: tuple[int, ...], dtype: Any) -> Any:
        store.append(aligned(shape, dtype))
        return store[0]

    *_, sound = _right(b, how, _rule(how), kept)
    return torch.from_numpy(store[0]) if sound else None


def _rule(how: Arithmetic) -> Any:
    """Rounding on the widened words where the kernels do it themselves; otherwise operands come rounded."""
    fmt = _WIDE[how.sum_dtype]
    k = how.mantissa_bits if how.only_drops_bits else fmt.mantissa_bits
    return kernels.rounding_rule(fmt, k, how.rounding.mode == "nearest", how.c)


def _words(x: torch.Tensor, how: Arithmetic) -> Any:
    wide = x.detach().to(how.sum_dtype)
    return wide.contiguous().view(torch.int64 if wide.dtype == torch.float64 else torch.int32).numpy()


def _left(a: torch.Tensor, how: Arithmetic, rule: Any) -> tuple[Any, Any, bool]:
    words = _words(a, how).reshape(a.shape[0] * a.shape[1], a.shape[2])
    packed = scratch("left", words.shape, words.dtype)
    facts = scratch("facts", (len(words), _chunks(a.shape[2]), 4), words.dtype)
    return packed, facts, kernels.pack_left(words, rule, packed, facts)


def _right(b: torch.Tensor, how: Arithmetic, rule: Any, memory: Callable[..., Any]) -> tuple[Any, Any, bool]:
    words = _words(b, how)
    store = memory("right", (sum(_sizes(b, words.itemsize)),), words.dtype)
    panels, facts = _parts(store, b, words.itemsize)
    return panels, facts, kernels.pack_right(words, rule, panels, facts)


def _parts(store: Any, b: torch.Tensor, itemsize: int) -> tuple[Any, Any]:
    """Panels [B, P, K, width] and facts [B, P, chunks, 4], which lie one after the other in one array."""
    batch, terms, _ = b.shape
    edge, _ = _sizes(b, itemsize)
    panels = store[:edge].reshape(batch, -1, terms, kernels.panel_width(itemsize))
    return panels, store[edge:].reshape(batch, -1, _chunks(terms), 4)


def _sizes(b: torch.Tensor, itemsize: int) -> tuple[int, int]:
    """Words of all panels, and of all facts."""
    batch, terms, columns = b.shape
    width = kernels.panel_width(itemsize)
    panels = batch * -(-columns // width)
    return panels * terms * width, panels * _chunks(terms) * 4


def _chunks(terms: int) -> int:
    return -(-terms // kernels.CHUNK)
