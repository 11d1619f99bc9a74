"""Matrix products by L-Mul on the CPU: numba, with the inner loops written in LLVM's vector instructions.

The adder's product is ``pattern(a) + pattern(b) - OFFSET``, read as a float and added to an accumulator. It has two
inner loops, the formula a third:

* *fast*: where no operand is zero and no product of the block can over- or underflow, the signed words are added as
  they are: the magnitudes then never carry into the sign bit, which so becomes the exclusive or of the two signs. An
  integer and a floating-point addition per product: the instruction count of a fused multiply-add GEMM, times two.
* *safe*: all of section 2.3 (zeros, underflow, overflow), without a branch.
* *formula*: the printed equation in two fused multiply-adds, exact, since one factor of each is a power of two.

A left row's chunk of K and a right panel choose between the first two by their smallest and largest magnitudes.
Operands are *packed* first (``packing.py``).

Spelled as intrinsics because LLVM's own vectoriser keeps the accumulators in memory here (a twentieth of the speed).
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from .packing import (
    COMPILE,
    FIRST,
    HIGHEST,
    INFINITY,
    LAST,
    LOWEST,
    OFFSET,
    ONE,
    SCALE,
    VECTOR_BYTES,
    VECTORS,
    left_parts,
    right_parts,
)
from .words import pointer

__all__ = ["multiply"]


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


@numba.njit(**COMPILE)
def multiply(
    left: Any, right: Any, address: int, sizes: Any, rule: Any, formula: bool, first_row: int, last_row: int
) -> None:
    """out[B·M, columns] = left (x) right, by the adder or the ``formula``, for the rows ``first_row`` to ``last_row``.

    ``left`` [B·M, K] and ``right`` [B, K, N] as packed. The output lies at ``address`` and need not be zero; it has
    :func:`padded_columns` columns. ``sizes`` are (B, B·M, K, those columns).
    """
    batch, rows, terms, columns = sizes
    x, left_facts = left_parts(left, rows, terms)
    y, right_facts = right_parts(right, batch, terms, columns)
    out = numba.carray(pointer(address, rule), (rows, columns))
    panels, width = y.shape[1], y.shape[3]
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
                        _formula(x, places[0], y, places[1], out, places[2], *run)
                        continue
                    # Offsets go first: a sum of two magnitudes need not fit.
                    in_range = (
                        left_facts[m, chunk, LOWEST] - offset >= one - low
                        and left_facts[m, chunk, HIGHEST] - offset < infinity - high
                    )
                    run = (end - begin, width, offset, vectors)
                    if in_range and low >= one and left_facts[m, chunk, LOWEST] >= one:
                        _fast(x, places[0], y, places[1], out, places[2], *run)
                    else:
                        _safe(x, places[0], y, places[1], out, places[2], *run)
        row = stop
