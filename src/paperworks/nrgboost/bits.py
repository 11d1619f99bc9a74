"""Words of bits and floats inside words, an instruction each."""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

__all__ = ["float_in", "lowest_bit", "power_of_two"]


def _lowest_bit(typing_context: Any, word: Any) -> Any:
    """The place (0..63) of the lowest set bit of a uint64 that is not 0, as an int64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


def _float_in(typing_context: Any, word: Any) -> Any:
    """The float32 in the lower half of a uint64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(builder.trunc(arguments[0], ir.IntType(32)), ir.FloatType())

    return types.float32(types.uint64), generate


def _power_of_two(typing_context: Any, exponent: Any) -> Any:
    """2 to a whole number from -126 to 127, both float32: the exponent goes straight into its field."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = ir.IntType(32)
        biased = builder.add(builder.fptosi(arguments[0], whole), ir.Constant(whole, 127))
        return builder.bitcast(builder.shl(biased, ir.Constant(whole, 23)), ir.FloatType())

    return types.float32(types.float32), generate


lowest_bit: Any = intrinsic(_lowest_bit)
float_in: Any = intrinsic(_float_in)
power_of_two: Any = intrinsic(_power_of_two)
