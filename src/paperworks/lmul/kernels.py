"""Matrix products by L-Mul on the CPU: numba, with the inner loops written in LLVM's vector instructions.

The adder's product is ``pattern(a) + pattern(b) - OFFSET``, read as a float and added to an accumulator. It has two
inner loops, the formula a third:

* *fast*: where no operand is zero and no product of the block can over- or underflow, the signed words are added as
  they are: the magnitudes then never carry into the sign bit, which so becomes the exclusive or of the two signs. An
  integer and a floating-point addition per product: the instruction count of a fused multiply-add GEMM, times two.
* *safe*: all of section 2.3 (zeros, underflow, overflow), without a branch.
* *formula*: the printed equation in two fused multiply-adds, exact, since one factor of each is a power of two.

A left row's chunk of K and a right panel choose between the first two by their smallest and largest magnitudes.
Operands are *packed* first: rounded to k bits, subnormals and non-finite numbers set to zero (the caller adds the
effect of the latter), right operands in panels of columns.

Spelled as intrinsics because LLVM's own vectoriser keeps the accumulators in memory here (a twentieth of the speed).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from llvmlite.binding import get_host_cpu_features  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from .formats import Format

__all__ = ["CHUNK", "multiply", "pack_left", "pack_right", "padded_columns", "panel_width", "rounding_rule"]

# 8 accumulators hide the latency of an addition. A vector of 64 bytes is one register with AVX-512; elsewhere half of
# that keeps accumulators and operands within 16 registers.
VECTORS = 8
VECTOR_BYTES = 64 if get_host_cpu_features().get("avx512f") else 32
CHUNK = 64  # terms between visits to the output: that much of a right panel, 32 KiB, stays in the level-1 cache

_COMPILE: Any = {"cache": True, "nogil": True, "error_model": "numpy", "boundscheck": False}

# What is known about a chunk: the places of its terms without leading and trailing zeros (left operands only), and
# the smallest and largest magnitude among them.
FIRST, LAST, LOWEST, HIGHEST = range(4)
# The entries of a rule, see rounding_rule.
HALF, ODD, DROP, MASK, INFINITY, SIZE, ONE, UNIT, OFFSET, SCALE = range(10)


def panel_width(itemsize: int) -> int:
    """Columns of a panel of the right operand, for words of ``itemsize`` bytes."""
    return VECTORS * VECTOR_BYTES // itemsize


def padded_columns(columns: int, itemsize: int) -> int:
    """Columns of an output: whole panels, and 1, 2 or 4 vectors for what is left of them."""
    width = panel_width(itemsize)
    lanes = width // VECTORS
    rest = columns % width
    tail = next((n * lanes for n in (0, 1, 2, 4, VECTORS) if rest <= n * lanes), 0)
    return columns - rest + tail


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


class _Lanes:
    """The vector types and constants of one word size (int32 beside float, int64 beside double)."""

    def __init__(self, bits: int) -> None:
        self.count = VECTOR_BYTES * 8 // bits
        self.word = ir.IntType(bits)
        self.ints = ir.VectorType(self.word, self.count)
        self.floats = ir.VectorType(ir.FloatType() if bits == 32 else ir.DoubleType(), self.count)
        mantissa = 23 if bits == 32 else 52
        self.one = 1 << mantissa
        self.sign = 1 << (bits - 1)
        self.infinity = self.sign - self.one
        self.item_bytes = bits // 8

    def splat(self, number: int) -> ir.Constant:
        return ir.Constant(self.ints, [number] * self.count)

    def spread(self, builder: ir.IRBuilder, word: ir.Value) -> ir.Value:
        undefined = ir.Constant(ir.VectorType(word.type, self.count), ir.Undefined)
        first = builder.insert_element(undefined, word, ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(ir.IntType(32), self.count), None))

    def at(self, builder: ir.IRBuilder, base: ir.Value, index: int, kind: ir.VectorType) -> ir.Value:
        place = builder.gep(base, [ir.Constant(ir.IntType(64), index * self.count)])
        return builder.bitcast(place, kind.as_pointer())

    def load(self, builder: ir.IRBuilder, base: ir.Value, index: int, kind: ir.VectorType) -> ir.Value:
        return builder.load(self.at(builder, base, index, kind), align=self.item_bytes)


def _fast_terms(builder: ir.IRBuilder, lanes: _Lanes, left: ir.Value, offset: ir.Value) -> Any:
    shifted = lanes.spread(builder, builder.sub(left, offset))

    def add(total: ir.Value, right: ir.Value) -> ir.Value:
        return builder.fadd(total, builder.bitcast(builder.add(shifted, right), lanes.floats))

    return add


def _safe_terms(builder: ir.IRBuilder, lanes: _Lanes, left: ir.Value, offset: ir.Value) -> Any:
    """Section 2.3 with unsigned words, where a true sum is below 3·2^30 (int32) and an underflow wraps above it."""
    magnitude_mask = lanes.splat(lanes.sign - 1)
    signs = lanes.spread(builder, left)
    magnitude = builder.and_(left, ir.Constant(lanes.word, lanes.sign - 1))
    shifted = lanes.spread(builder, builder.sub(magnitude, offset))
    one, infinity = lanes.splat(lanes.one), lanes.splat(lanes.infinity)
    span = lanes.splat(lanes.sign + lanes.sign // 2 - lanes.one)

    def add(total: ir.Value, right: ir.Value) -> ir.Value:
        size = builder.and_(right, magnitude_mask)
        value = builder.add(shifted, size)
        kept = builder.icmp_unsigned("<", builder.sub(value, one), span)
        kept = builder.and_(kept, builder.icmp_unsigned(">=", size, one))
        value = builder.select(builder.icmp_unsigned("<", value, infinity), value, infinity)
        sign = builder.and_(builder.xor(signs, right), lanes.splat(lanes.sign))
        product = builder.bitcast(builder.or_(value, sign), lanes.floats)
        return builder.select(kept, builder.fadd(total, product), total)

    return add


def _formula_terms(builder: ir.IRBuilder, lanes: _Lanes, left: ir.Value, scale: ir.Value) -> Any:
    """P(y)·(x + (c-1)·P(x)) + P(x)·y, the formula symmetric in its operands; ``scale`` holds the bits of c - 1."""
    kind = lanes.floats.element
    number = builder.bitcast(left, kind)
    power = builder.bitcast(builder.and_(left, ir.Constant(lanes.word, -lanes.one)), kind)
    rest = builder.fadd(number, builder.fmul(builder.bitcast(scale, kind), power))
    powers, rests = lanes.spread(builder, power), lanes.spread(builder, rest)
    exponent_mask = lanes.splat(-lanes.one)
    fused = ("contract",)

    def add(total: ir.Value, right: ir.Value) -> ir.Value:
        right_power = builder.bitcast(builder.and_(right, exponent_mask), lanes.floats)
        total = builder.fadd(total, builder.fmul(rests, right_power, flags=fused), flags=fused)
        return builder.fadd(total, builder.fmul(powers, builder.bitcast(right, lanes.floats), flags=fused), flags=fused)

    return add


def _emit(builder: ir.IRBuilder, lanes: _Lanes, terms: Any, vectors: int, pointers: Any, numbers: Any) -> None:
    """out[0 : vectors·lanes] += sum over i < count of left[i] (x) right[i·stride : ...], accumulators in registers.

    A left word without magnitude contributes nothing and is passed over. ``count`` must be at least 1.
    """
    left, right, out = pointers
    count, stride, offset = numbers
    index = ir.IntType(64)
    function = builder.function
    start, body, after, done = builder.block, *(function.append_basic_block() for _ in range(3))
    before = [lanes.load(builder, out, j, lanes.floats) for j in range(vectors)]
    builder.branch(body)

    builder.position_at_end(body)
    i = builder.phi(index)
    totals = [builder.phi(lanes.floats) for _ in range(vectors)]
    word = builder.load(builder.gep(left, [i]))
    present = builder.icmp_unsigned("!=", builder.shl(word, ir.Constant(lanes.word, 1)), ir.Constant(lanes.word, 0))
    work = function.append_basic_block()
    builder.cbranch(present, work, after)

    builder.position_at_end(work)
    add = terms(builder, lanes, word, offset)
    row = builder.gep(right, [builder.mul(i, stride)])
    sums = [add(total, lanes.load(builder, row, j, lanes.ints)) for j, total in enumerate(totals)]
    builder.branch(after)

    builder.position_at_end(after)
    results = [builder.phi(lanes.floats) for _ in range(vectors)]
    for result, total, new in zip(results, totals, sums, strict=True):
        result.add_incoming(total, body)
        result.add_incoming(new, work)
    following = builder.add(i, ir.Constant(index, 1))
    for phi, first, later in zip([i, *totals], [ir.Constant(index, 0), *before], [following, *results], strict=True):
        phi.add_incoming(first, start)
        phi.add_incoming(later, after)
    builder.cbranch(builder.icmp_signed("<", following, count), body, done)

    builder.position_at_end(done)
    for j, result in enumerate(results):
        builder.store(result, lanes.at(builder, out, j, lanes.floats), align=lanes.item_bytes)


def _codegen(terms: Any) -> Any:
    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        lanes = _Lanes(signature.args[0].dtype.bitwidth)

        def pointer(position: int) -> ir.Value:
            array = context.make_array(signature.args[position])(context, builder, arguments[position])
            return builder.gep(array.data, [arguments[position + 1]])

        pointers = [pointer(position) for position in (0, 2, 4)]
        count, stride, offset, vectors = arguments[6:]
        end = builder.function.append_basic_block()
        choice = builder.switch(vectors, end)
        for used in (1, 2, 4, 8):
            block = builder.function.append_basic_block()
            choice.add_case(ir.Constant(vectors.type, used), block)
            builder.position_at_end(block)
            _emit(builder, lanes, terms, used, pointers, (count, stride, offset))
            builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return codegen


def _signature(left: Any, right: Any, out: Any) -> Any:
    """void(left, at, right, at, out, at, count, stride, offset, vectors); flat arrays, places in words."""
    place = types.int64
    return types.void(left, place, right, place, out, place, place, place, left.dtype, place)


def _inner_loop(terms: Any) -> Any:
    @intrinsic
    def loop(
        typing: Any,
        left: Any,
        la: Any,
        right: Any,
        ra: Any,
        out: Any,
        oa: Any,
        count: Any,
        stride: Any,
        by: Any,
        v: Any,
    ) -> Any:
        return _signature(left, right, out), _codegen(terms)

    return loop


_fast, _safe, _formula = (_inner_loop(terms) for terms in (_fast_terms, _safe_terms, _formula_terms))


@numba.njit(**_COMPILE)
def pack_left(words: Any, rule: Any, packed: Any, facts: Any) -> bool:
    """Round the rows of ``words`` [R, K] into ``packed`` and note their chunks in ``facts`` [R, chunks, 4].

    ``rule`` is an array of the words' type (see :func:`rounding_rule`). Returns whether all numbers were finite;
    subnormal and other numbers become zero.
    """
    rows, terms = words.shape
    sound = True
    for row in range(rows):
        for chunk in range(facts.shape[1]):
            begin, end = chunk * CHUNK, min(terms, (chunk + 1) * CHUNK)
            low, high, finite = _round_run(words[row, begin:end], rule, packed[row, begin:end])
            sound &= finite
            if low == 0:
                while begin < end and packed[row, begin] == 0:
                    begin += 1
                while end > begin and packed[row, end - 1] == 0:
                    end -= 1
                low = _lowest(packed[row, begin:end], rule[SIZE])
            facts[row, chunk, FIRST], facts[row, chunk, LAST] = begin, end
            facts[row, chunk, LOWEST], facts[row, chunk, HIGHEST] = low, high
    return sound


@numba.njit(**_COMPILE)
def pack_right(words: Any, rule: Any, packed: Any, facts: Any) -> bool:
    """Round ``words`` [B, K, N] into the panels ``packed`` [B, P, K, width] and note ``facts`` [B, P, chunks, 4].

    The last panel's columns beyond N hold the number one. Returns whether all numbers were finite.
    """
    batch, terms, columns = words.shape
    width = packed.shape[3]
    sound = True
    for b in range(batch):
        for panel in range(packed.shape[1]):
            begin, end = panel * width, min(columns, (panel + 1) * width)
            for chunk in range(facts.shape[2]):
                lowest, highest = rule[INFINITY], rule[INFINITY] * 0
                for k in range(chunk * CHUNK, min(terms, (chunk + 1) * CHUNK)):
                    low, high, finite = _round_run(words[b, k, begin:end], rule, packed[b, panel, k])
                    packed[b, panel, k, end - begin :] = rule[UNIT]
                    sound &= finite
                    lowest, highest = min(lowest, low), max(highest, high)
                facts[b, panel, chunk, LOWEST], facts[b, panel, chunk, HIGHEST] = lowest, highest
    return sound


@numba.njit(inline="always")
def _round_run(words: Any, rule: Any, packed: Any) -> Any:
    """Round one run of words; the smallest and largest magnitude, and whether all were finite."""
    half, odd, drop, mask = rule[HALF], rule[ODD], rule[DROP], rule[MASK]
    one, infinity, size = rule[ONE], rule[INFINITY], rule[SIZE]
    low, high, worst = infinity, infinity * 0, infinity * 0
    for i in range(len(words)):
        word = words[i]
        before = word & size
        word = (word + half + ((word >> drop) & odd)) & mask
        worst = max(worst, max(before, word & size))
        word = word if before >= one and before < infinity and (word & size) < infinity else word * 0
        packed[i] = word
        low, high = min(low, word & size), max(high, word & size)
    return low, high, worst < infinity


@numba.njit(inline="always")
def _lowest(words: Any, size: Any) -> Any:
    low = size
    for word in words:
        low = min(low, word & size)
    return low


@numba.njit(**_COMPILE)
def multiply(
    left: Any,
    left_facts: Any,
    right: Any,
    right_facts: Any,
    out: Any,
    rule: Any,
    formula: bool,
    first_row: int,
    last_row: int,
) -> None:
    """out[B·M, columns] = left (x) right, by the adder or the ``formula``, for the rows ``first_row`` to ``last_row``.

    ``left`` [B·M, K], ``left_facts`` [B·M, chunks, 4], ``right`` [B, P, K, width], ``right_facts`` [B, P, chunks, 4]:
    as packed. ``out`` has :func:`padded_columns` columns.
    """
    batch, panels, terms, width = right.shape
    rows, columns = out.shape
    per_batch = rows // max(batch, 1)
    lanes = width // VECTORS
    offset, one, infinity = rule[OFFSET], rule[ONE], rule[INFINITY]
    scale = rule[SCALE]
    out[first_row:last_row] = 0
    row = first_row
    while row < last_row:
        b = row // per_batch
        stop = min(last_row, (b + 1) * per_batch)
        for panel in range(panels):
            vectors = min(VECTORS, columns // lanes - panel * VECTORS)
            for chunk in range(left_facts.shape[1]):
                low, high = right_facts[b, panel, chunk, LOWEST], right_facts[b, panel, chunk, HIGHEST]
                base = (b * panels + panel) * terms
                for m in range(row, stop):
                    begin, end = left_facts[m, chunk, FIRST], left_facts[m, chunk, LAST]
                    if begin == end:
                        continue
                    places = (m * terms + begin, (base + begin) * width, m * columns + panel * width)
                    if formula:
                        run = (end - begin, width, scale, vectors)
                        _formula(left, places[0], right, places[1], out, places[2], *run)
                        continue
                    # Offsets go first: a sum of two magnitudes need not fit.
                    in_range = (
                        left_facts[m, chunk, LOWEST] - offset >= one - low
                        and left_facts[m, chunk, HIGHEST] - offset < infinity - high
                    )
                    run = (end - begin, width, offset, vectors)
                    if in_range and low >= one and left_facts[m, chunk, LOWEST] >= one:
                        _fast(left, places[0], right, places[1], out, places[2], *run)
                    else:
                        _safe(left, places[0], right, places[1], out, places[2], *run)
        row = stop
