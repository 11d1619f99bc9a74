"""The ways to compute a matrix product by L-Mul, and which of them ``backend="auto"`` takes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from typing import Any

import torch

from paperworks.core import MissingExtra

from . import elementwise, gemm, lowrank, table
from .arithmetic import Arithmetic

__all__ = ["BACKENDS", "Backend", "able", "backend", "check_able"]

Multiply = Callable[[torch.Tensor, torch.Tensor, Arithmetic, torch.Tensor | None], tuple[torch.Tensor, bool]]
Prepare = Callable[[torch.Tensor, Arithmetic], torch.Tensor | None]

_TERMS = 8  # of "lowrank" without a number
_TRITON_DEVICES = ("cuda", "cpu") if os.environ.get("TRITON_INTERPRET") == "1" else ("cuda",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One way to compute [B, M, K] (x) [B, K, N].

    ``multiply`` returns the product and whether it stands: where an operand is infinite or NaN, it may not.
    ``prepare`` makes a right operand ready once. ``variants``, ``devices``, ``mantissa_bits`` (the most of them) and
    ``float64`` say what it can do, ``exact`` whether its products are L-Mul's bit for bit, ``needs`` names a package
    that the extra ``gpu`` brings.
    """

    multiply: Multiply
    prepare: Prepare | None = None
    variants: tuple[str, ...] = ("carry", "formula")
    devices: tuple[str, ...] = ("cpu", "cuda")
    mantissa_bits: int = 52
    exact: bool = True
    float64: bool = True
    needs: str = ""


def _elementwise(
    a: torch.Tensor, b: torch.Tensor, how: Arithmetic, prepared: torch.Tensor | None
) -> tuple[torch.Tensor, bool]:
    return elementwise.multiply(how.ready(a), how.ready(b), how), True


@cache
def _compiled() -> Any:
    from . import packed  # numba, and its compiler, only where it is used

    return packed


def _packed(
    a: torch.Tensor, b: torch.Tensor, how: Arithmetic, prepared: torch.Tensor | None
) -> tuple[torch.Tensor, bool]:
    product: tuple[torch.Tensor, bool] = _compiled().multiply(a, b, how, prepared)
    return product


def _prepare_packed(b: torch.Tensor, how: Arithmetic) -> torch.Tensor | None:
    prepared: torch.Tensor | None = _compiled().prepare(b, how)
    return prepared


def _triton(
    a: torch.Tensor, b: torch.Tensor, how: Arithmetic, prepared: torch.Tensor | None
) -> tuple[torch.Tensor, bool]:
    from .gpu import multiply_adder

    return multiply_adder(a, b, how, prepared)


def _float8(
    a: torch.Tensor, b: torch.Tensor, how: Arithmetic, prepared: torch.Tensor | None
) -> tuple[torch.Tensor, bool]:
    from .gpu import multiply_float8

    return multiply_float8(a, b, how, prepared)


def _lowrank(terms: int) -> Backend:
    return Backend(
        multiply=partial(lowrank.multiply, terms=terms),
        prepare=partial(lowrank.prepare, terms=terms),
        mantissa_bits=lowrank.WIDEST,
        exact=False,
    )


BACKENDS = {
    "integer": Backend(multiply=_packed, prepare=_prepare_packed, variants=("carry",), devices=("cpu",)),
    "fused": Backend(multiply=_packed, prepare=_prepare_packed, variants=("formula",), devices=("cpu",)),
    "gemm": Backend(multiply=gemm.multiply, prepare=gemm.prepare, variants=("formula",)),
    "table": Backend(multiply=table.multiply, prepare=table.prepare, mantissa_bits=table.WIDEST),
    "lowrank": _lowrank(_TERMS),
    "triton": Backend(multiply=_triton, variants=("carry",), devices=_TRITON_DEVICES, float64=False, needs="triton"),
    "fp8": Backend(
        multiply=_float8, variants=("carry",), devices=_TRITON_DEVICES, mantissa_bits=3, float64=False, needs="triton"
    ),
    "elementwise": Backend(multiply=_elementwise),
}


def backend(name: str) -> Backend:
    """The backend of this name; ``"lowrank:r"`` has r terms. ValueError with the names there are."""
    if name in BACKENDS:
        return BACKENDS[name]
    if match := re.fullmatch(r"lowrank:([1-9]\d{0,3})", name):
        return _lowrank(int(match[1]))
    raise ValueError(f"backend must be one of 'auto', {', '.join(map(repr, BACKENDS))}, 'lowrank:r', not {name!r}")


def able(variant: str, mantissa_bits: int, dtype: torch.dtype, device: str) -> list[str]:
    """The backends that multiply operands of this type so on this device ("meta" does everything, and nothing)."""
    float64 = dtype == torch.float64
    fitting = (name for name, backend in BACKENDS.items() if _fits(backend, variant, mantissa_bits, float64, device))
    return [name for name in fitting if not BACKENDS[name].needs or _installed(BACKENDS[name].needs)]


@cache
def _installed(package: str) -> bool:
    return find_spec(package) is not None


def check_able(name: str, how: Arithmetic, device: str) -> None:
    """ValueError, with those that can, where the named backend cannot do this arithmetic on this device."""
    chosen = backend(name)
    if _fits(chosen, how.variant, how.mantissa_bits, how.sum_dtype == torch.float64, device):
        if chosen.needs and not _installed(chosen.needs):
            raise MissingExtra(f"lmul's backend {name!r}", chosen.needs, "gpu")
        return
    others = ", ".join(["auto", *able(how.variant, how.mantissa_bits, how.sum_dtype, device)])
    what = f"variant {how.variant!r} with {how.mantissa_bits} mantissa bits on {device}"
    raise ValueError(f"backend {name!r} cannot do {what}: choose {others}")


def _fits(backend: Backend, variant: str, mantissa_bits: int, float64: bool, device: str) -> bool:
    on_device = device in (*backend.devices, "meta")
    in_type = backend.float64 or not float64
    return variant in backend.variants and on_device and in_type and mantissa_bits <= backend.mantissa_bits
