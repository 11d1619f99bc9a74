"""Operands as the kernels of ``kernels.py`` read them: rounded, in panels, with what is known about each part.

A packed operand is one flat array of words. A left one holds rows [R, K] and behind them facts [R, chunks, 4]; a right
one panels of columns [B, P, K, width] and facts [B, P, chunks, 4], a chunk being ``CHUNK`` terms. The last panel's
columns beyond N hold the number one. Subnormal and non-finite numbers become zero (the caller adds the effect of the
latter).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numba
import numpy as np
from llvmlite.binding import get_host_cpu_features  # type: ignore[import-untyped]

from .formats import Format
from .words import narrow, pointer, shifted

__all__ = [
    "CHUNK",
    "left_parts",
    "left_words",
    "pack_left",
    "pack_right",
    "padded_columns",
    "panel_width",
    "right_parts",
    "right_words",
    "rounding_rule",
]

# 8 accumulators hide the latency of an addition. A vector of 64 bytes is one register with AVX-512; elsewhere half of
# that keeps accumulators and operands within 16 registers.
VECTORS = 8
VECTOR_BYTES = 64 if get_host_cpu_features().get("avx512f") else 32
CHUNK = 64  # terms between visits to the output: that much of a right panel, 32 KiB, stays in the level-1 cache

COMPILE: Any = {"cache": True, "nogil": True, "error_model": "numpy", "boundscheck": False}

# What is known about a chunk: the places of its terms without leading and trailing zeros (left operands only), and
# the smallest and largest magnitude among them.
FIRST, LAST, LOWEST, HIGHEST = range(4)
# The entries of a rule, see rounding_rule.
HALF, ODD, DROP, MASK, INFINITY, SIZE, ONE, UNIT, OFFSET, SCALE = range(10)


def panel_width(itemsize: int) -> int:
    """Columns of a panel of the right operand, for words of ``itemsize`` bytes."""
    return VECTORS * VECTOR_BYTES // itemsize


@cache
def padded_columns(columns: int, itemsize: int) -> int:
    """Columns of an output: whole panels, and 1, 2 or 4 vectors for what is left of them."""
    width = panel_width(itemsize)
    lanes = width // VECTORS
    rest = columns % width
    tail = next((n * lanes for n in (0, 1, 2, 4, VECTORS) if rest <= n * lanes), 0)
    return columns - rest + tail


def left_words(rows: int, terms: int) -> int:
    """The length of a packed left operand [R, K]."""
    return rows * (terms + 4 * -(-terms // CHUNK))


def right_words(batch: int, terms: int, columns: int, itemsize: int) -> int:
    """The length of a packed right operand [B, K, N] of words of ``itemsize`` bytes."""
    width = panel_width(itemsize)
    return batch * -(-columns // width) * (terms * width + 4 * -(-terms // CHUNK))


@cache
def rounding_rule(fmt: Format, mantissa_bits: int, nearest: bool, c: float) -> Any:
    """The numbers that the kernels work with, as an array of the words' integer type, for float32 or float64.

    Not to be written to. Operands keep ``mantissa_bits``, rounded to nearest or truncated; ``c`` stands for a·b.
    """
    drop = fmt.mantissa_bits - mantissa_bits
    rule = np.zeros(10, np.dtype(f"int{fmt.bits}"))
    rule[HALF], rule[ODD] = ((1 << (drop - 1)) - 1, 1) if nearest and drop else (0, 0)
    rule[DROP], rule[MASK] = drop, -(1 << drop)
    rule[INFINITY], rule[SIZE], rule[ONE] = fmt.infinity, fmt.magnitude_mask, fmt.smallest_normal
    rule[UNIT], rule[OFFSET] = fmt.bias << fmt.mantissa_bits, fmt.offset(c)
    rule[SCALE] = np.array(c - 1, f"float{fmt.bits}").view(rule.dtype)
    return rule


@numba.njit(inline="always")
def left_parts(packed: Any, rows: int, terms: int) -> Any:
    """Rows [R, K] and facts [R, chunks, 4] of a packed left operand."""
    edge, chunks = rows * terms, (terms + CHUNK - 1) // CHUNK
    return packed[:edge].reshape(rows, terms), packed[edge:].reshape(rows, chunks, 4)


@numba.njit(inline="always")
def right_parts(packed: Any, batch: int, terms: int, columns: int) -> Any:
    """Panels [B, P, K, width] and facts [B, P, chunks, 4] of a packed right operand [B, K, N]."""
    width = VECTORS * VECTOR_BYTES // packed.itemsize
    panels, chunks = (columns + width - 1) // width, (terms + CHUNK - 1) // CHUNK
    edge = batch * panels * terms * width
    return packed[:edge].reshape(batch, panels, terms, width), packed[edge:].reshape(batch, panels, chunks, 4)


@numba.njit(**COMPILE)
def pack_left(address: int, rows: int, terms: int, rule: Any, packed: Any) -> bool:
    """Pack the words [R, K] that lie at ``address``, all in one piece. Returns whether all numbers were finite.

    ``rule`` and ``packed`` (of :func:`left_words`) are arrays of the words' type.
    """
    words = numba.carray(pointer(address, rule), (rows, terms))
    kept, facts = left_parts(packed, rows, terms)
    sound = True
    for row in range(rows):
        for chunk in range(facts.shape[1]):
            begin, end = chunk * CHUNK, min(terms, (chunk + 1) * CHUNK)
            low, high, finite = _round_run(words[row, begin:end], rule, kept[row, begin:end])
            sound &= finite
            if low == 0:
                while begin < end and kept[row, begin] == 0:
                    begin += 1
                while end > begin and kept[row, end - 1] == 0:
                    end -= 1
                low = _lowest(kept[row, begin:end], rule[SIZE])
            facts[row, chunk, FIRST], facts[row, chunk, LAST] = begin, end
            facts[row, chunk, LOWEST], facts[row, chunk, HIGHEST] = low, high
    return sound


@numba.njit(**COMPILE)
def pack_right(address: int, batch: int, terms: int, columns: int, rule: Any, packed: Any) -> bool:
    """Pack the words [B, K, N] that lie at ``address``, all in one piece. Returns whether all numbers were finite.

    ``rule`` and ``packed`` (of :func:`right_words`) are arrays of the words' type.
    """
    words = numba.carray(pointer(address, rule), (batch, terms, columns))
    panels, facts = right_parts(packed, batch, terms, columns)
    width = panels.shape[3]
    sound = True
    for b in range(batch):
        for panel in range(panels.shape[1]):
            begin, end = panel * width, min(columns, (panel + 1) * width)
            for chunk in range(facts.shape[2]):
                lowest, highest = rule[INFINITY], rule[INFINITY] * 0
                for k in range(chunk * CHUNK, min(terms, (chunk + 1) * CHUNK)):
                    low, high, finite = _round_run(words[b, k, begin:end], rule, panels[b, panel, k])
                    panels[b, panel, k, end - begin :] = rule[UNIT]
                    sound &= finite
                    lowest, highest = min(lowest, low), max(highest, high)
                facts[b, panel, chunk, LOWEST], facts[b, panel, chunk, HIGHEST] = lowest, highest
    return sound


@numba.njit(inline="always")
def _round_run(words: Any, rule: Any, packed: Any) -> Any:
    """Round one run of words; the smallest and largest magnitude, and whether all were finite."""
    half, odd, drop, mask = rule[HALF], rule[ODD], rule[DROP], rule[MASK]
    one, infinity, size = rule[ONE], rule[INFINITY], rule[SIZE]
    zero = narrow(infinity * 0, rule)
    low, high, worst = infinity, zero, zero
    for i in range(len(words)):
        word = words[i]
        before = narrow(word & size, rule)
        word = narrow((word + half + (shifted(word, drop) & odd)) & mask, rule)
        after = narrow(word & size, rule)
        worst = max(worst, max(before, after))
        usable = before >= one and before < infinity and after < infinity
        word = word if usable else zero
        after = after if usable else zero
        packed[i] = word
        low, high = min(low, after), max(high, after)
    return low, high, worst < infinity


@numba.njit(inline="always")
def _lowest(words: Any, size: Any) -> Any:
    low = size
    for word in words:
        low = min(low, word & size)
    return low
