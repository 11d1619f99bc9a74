"""Inside compiled code: memory by its address, integers of one width, and the same bits as a float.

Wrapping a tensor as an array costs more in Python than a small product takes, so kernels get addresses. numba widens
sums of 32-bit integers to 64 bits, which halves what a vector holds; :func:`narrow` takes them back.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

__all__ = ["narrow", "number", "pointer", "shifted", "word"]

_FLOATS = {32: (types.float32, ir.FloatType), 64: (types.float64, ir.DoubleType)}


@intrinsic
def pointer(typing: Any, address: Any, like: Any) -> Any:
    """The address (an int) as a pointer to words of the type that the array ``like`` has; for ``numba.carray``."""
    kind = types.CPointer(like.dtype)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(kind))

    return kind(address, like), codegen


@intrinsic
def narrow(typing: Any, value: Any, like: Any) -> Any:
    """The low bits of an integer, as many as the words of the array ``like`` have."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target = ir.IntType(like.dtype.bitwidth)
        wide = value.bitwidth > like.dtype.bitwidth
        return builder.trunc(arguments[0], target) if wide else builder.sext(arguments[0], target)

    return like.dtype(value, like), codegen


@intrinsic
def number(typing: Any, bits: Any) -> Any:
    """The float that a word spells."""
    result, kind = _FLOATS[bits.bitwidth]

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], kind())

    return result(bits), codegen


@intrinsic
def word(typing: Any, value: Any) -> Any:
    """The word that spells a float: the inverse of :func:`number`."""
    result = types.Integer.from_bitwidth(value.bitwidth)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(value.bitwidth))

    return result(value), codegen


@intrinsic
def shifted(typing: Any, bits: Any, count: Any) -> Any:
    """``bits >> count`` of two words of one type, without widening them."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ashr(*arguments)

    return bits(bits, bits), codegen
