"""Operands of L-Mul: the bit patterns of tensors, with k mantissa bits and, by option, fewer exponents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .formats import FORMATS, ROUNDINGS, VARIANTS, Format

__all__ = ["Rounding", "bits_of", "format_of", "quantize", "rounded", "tensor_of", "to_float"]

_DTYPES = {getattr(torch, name): fmt for name, fmt in FORMATS.items()}
_WORDS = {64: torch.int64, 32: torch.int32, 16: torch.int16, 8: torch.uint8}
_NUMPY_WORDS = {64: np.int64, 32: np.int32, 16: np.int16, 8: np.uint8}
_NARROW = {4: FORMATS["float8_e4m3fn"], 5: FORMATS["float8_e5m2"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounding:
    """How an operand gets its k mantissa bits (section 2.4); :func:`quantize` says what each field does."""

    mantissa_bits: int
    mode: str = "truncate"
    exponent_bits: int | None = None
    scale: str | None = None

    def __post_init__(self) -> None:
        check_choice("rounding", self.mode, ROUNDINGS)
        check_choice("exponent_bits", self.exponent_bits, (None, *_NARROW))
        check_choice("scale", self.scale, (None, "tensor", "row"))
        if self.scale is not None and self.exponent_bits is None:
            raise ValueError("scale only shifts a limited exponent range: give exponent_bits=4 or 5 with it")


def quantize(
    x: Any,
    mantissa_bits: int | None = None,
    *,
    rounding: str = "truncate",
    exponent_bits: int | None = None,
    scale: str | None = None,
    seed: int | torch.Generator | None = None,
) -> Any:
    """``x`` with ``mantissa_bits`` mantissa bits, in its own type: the operand that L-Mul, or a multiplier, would see.

    Args:
        x: tensor or array of any shape, of one of the six formats.
        mantissa_bits: 1 to the format's own number; None keeps all.
        rounding: ``"truncate"`` drops the rest, ``"nearest"`` rounds to nearest, ties to even (a carry into the
            exponent is allowed), ``"stochastic"`` rounds up with the probability of the rest.
        exponent_bits: 4 or 5 limits the range to that of e4m3fn (2**-6 to 448) or e5m2 (2**-14 to 57344): larger
            numbers saturate, smaller ones become zero. None keeps the format's own range.
        scale: with ``exponent_bits``, shifts that range by a power of two so that it just holds the largest number of
            the ``"tensor"`` or of each ``"row"`` (last axis). L-Mul commutes with powers of two: no scale is left over.
        seed: for stochastic rounding, an int or a ``torch.Generator``; None draws from torch's default generator.

    Subnormal numbers become zero. Infinity and NaN stay.

    Raises:
        TypeError: integer, boolean, complex or unsupported floating type.
        ValueError: a setting outside its choices.
    """
    tensor = tensor_of(x)
    fmt = format_of(tensor)
    settings = Rounding(
        mantissa_bits=check_mantissa_bits(mantissa_bits, fmt), mode=rounding, exponent_bits=exponent_bits, scale=scale
    )
    bits = bits_of(tensor, fmt)
    magnitude = rounded(bits & fmt.magnitude_mask, fmt, settings, generator_of(seed, tensor.device))
    return like(x, to_float(magnitude | (bits & sign_mask(fmt)), fmt))


def rounded(
    magnitude: torch.Tensor, fmt: Format, settings: Rounding, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Magnitudes with k mantissa bits: zero for subnormals, NaN and infinity unchanged. Any shape, any int type."""
    drop = fmt.mantissa_bits - settings.mantissa_bits
    result = magnitude
    if drop:
        result = _with_increment(magnitude, drop, settings.mode, generator) & -(1 << drop)
        result = result.clamp(max=fmt.overflow >> drop << drop)
    if settings.exponent_bits is not None:
        result = _limited(result, magnitude < fmt.infinity, fmt, settings)
    result = torch.where(magnitude < fmt.smallest_normal, torch.zeros_like(magnitude), result)
    return torch.where(magnitude < fmt.infinity, result, magnitude)


def _with_increment(m: torch.Tensor, drop: int, mode: str, generator: torch.Generator | None) -> torch.Tensor:
    if mode == "truncate":
        return m
    if mode == "nearest":
        return m + ((1 << (drop - 1)) - 1) + ((m >> drop) & 1)
    return m + torch.randint(0, 1 << drop, m.shape, generator=generator, device=m.device, dtype=m.dtype)


def _limited(m: torch.Tensor, finite: torch.Tensor, fmt: Format, settings: Rounding) -> torch.Tensor:
    narrow = _NARROW[settings.exponent_bits or 5]
    low, high = _range_in(fmt, narrow, settings.mantissa_bits)
    if settings.scale is None:
        largest = torch.full((), high, dtype=m.dtype, device=m.device)
    elif m.numel() == 0:
        return m
    else:
        counted = torch.where(finite, m, torch.zeros_like(m))
        top = counted.amax() if settings.scale == "tensor" or m.ndim == 0 else counted.amax(-1, keepdim=True)
        one = fmt.smallest_normal
        largest = high - torch.div(high - top, one, rounding_mode="floor") * one
    smallest = largest - (high - low)
    return torch.where(m < smallest, torch.zeros_like(m), torch.minimum(m, largest.to(m.dtype)))


def _range_in(fmt: Format, narrow: Format, mantissa_bits: int) -> tuple[int, int]:
    """Magnitudes in ``fmt`` of the narrow format's smallest normal and largest number of k bits."""
    one = fmt.smallest_normal
    low = (1 - narrow.bias + fmt.bias) * one
    exponent = (narrow.largest >> narrow.mantissa_bits) - narrow.bias + fmt.bias
    kept = min(mantissa_bits, narrow.mantissa_bits)
    fraction = (narrow.largest % narrow.smallest_normal) >> (narrow.mantissa_bits - kept)
    return low, exponent * one + ((fraction * one) >> kept)


def bits_of(x: torch.Tensor, fmt: Format) -> torch.Tensor:
    """Patterns as int64 (float64) or int32 (all others), of the same shape; narrow words are sign-extended."""
    words = x.contiguous().view(_WORDS[fmt.bits])
    return words if fmt.bits >= 32 else words.to(torch.int32)


def to_float(bits: torch.Tensor, fmt: Format) -> torch.Tensor:
    """The tensor whose patterns these are: the inverse of :func:`bits_of`."""
    return bits.to(_WORDS[fmt.bits]).view(getattr(torch, fmt.name))


def sign_mask(fmt: Format) -> int:
    """The sign bit as a number that the integer type of :func:`bits_of` can hold."""
    return -fmt.sign_mask if fmt.bits >= 32 else fmt.sign_mask


def format_of(x: torch.Tensor) -> Format:
    """The format of a tensor; TypeError where L-Mul has none."""
    if x.dtype in _DTYPES:
        return _DTYPES[x.dtype]
    raise TypeError(f"L-Mul works on {', '.join(FORMATS)}, not on {str(x.dtype).removeprefix('torch.')}")


def tensor_of(x: Any) -> torch.Tensor:
    """A tensor over a tensor, a numpy array (ml_dtypes included), or a Python number (float32)."""
    if isinstance(x, torch.Tensor):
        return x
    if isinstance(x, (np.ndarray, np.generic)):
        return _from_numpy(np.asarray(x))
    if isinstance(x, (float, int)) and not isinstance(x, bool):
        return torch.tensor(x, dtype=torch.float32)
    raise TypeError(f"expected a torch tensor, a numpy array or a number, not {type(x).__name__}")


def _from_numpy(array: np.ndarray[Any, Any]) -> torch.Tensor:
    fmt = FORMATS.get(array.dtype.name)
    if fmt is None:
        raise TypeError(f"L-Mul works on {', '.join(FORMATS)}, not on {array.dtype.name}")
    native = array.astype(array.dtype.newbyteorder("="), order="C")
    words = torch.from_numpy(native.view(_NUMPY_WORDS[fmt.bits]).reshape(array.shape))
    return words.view(getattr(torch, fmt.name))


def like(x: Any, result: torch.Tensor) -> Any:
    """``result`` as what ``x`` was: a tensor, a numpy array (or scalar), or a Python float."""
    if isinstance(x, (np.ndarray, np.generic)):
        words = result.contiguous().view(_WORDS[format_of(result).bits]).numpy()
        array = words.view(x.dtype.newbyteorder("=")).reshape(result.shape)
        return array[()]
    return result if isinstance(x, torch.Tensor) else result.item()


def generator_of(seed: int | torch.Generator | None, device: torch.device) -> torch.Generator | None:
    """A generator on ``device`` for an int; a generator as it is; None for torch's default one."""
    if seed is None or isinstance(seed, torch.Generator):
        return seed
    return torch.Generator(device=device).manual_seed(seed)


def check_mantissa_bits(mantissa_bits: int | None, fmt: Format) -> int:
    """``mantissa_bits``, or the format's own where it is None; ValueError outside 1 to the format's own."""
    if mantissa_bits is None:
        return fmt.mantissa_bits
    if isinstance(mantissa_bits, bool) or not isinstance(mantissa_bits, (int, np.integer)):
        raise TypeError(f"mantissa_bits must be an integer, not {mantissa_bits!r}")
    if not 1 <= mantissa_bits <= fmt.mantissa_bits:
        raise ValueError(f"mantissa_bits must be 1 to {fmt.mantissa_bits} for {fmt.name}, not {mantissa_bits}")
    return int(mantissa_bits)


def check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    """ValueError with the choices, unless ``value`` is one of them."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}")


def check_variant(variant: str) -> None:
    """ValueError unless ``variant`` is ``"carry"`` or ``"formula"``."""
    check_choice("variant", variant, VARIANTS)
