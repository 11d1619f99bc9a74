"""The ways to compute a matrix product by L-Mul, and which of them ``backend="auto"`` takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from . import elementwise, gemm
from .arithmetic import Arithmetic

__all__ = ["BACKENDS", "Backend", "choose"]

Multiply = Callable[[torch.Tensor, torch.Tensor, Arithmetic, torch.Tensor | None], tuple[torch.Tensor, bool]]
Prepare = Callable[[torch.Tensor, Arithmetic], torch.Tensor | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One way to compute [B, M, K] (x) [B, K, N].

    ``multiply`` returns the product and whether it stands: where an operand is infinite or NaN, it may not.
    ``prepare`` makes a right operand ready once. ``variants`` and ``devices`` say what it can do.
    """

    multiply: Multiply
    prepare: Prepare | None = None
    variants: tuple[str, ...] = ("carry", "formula")
    devices: tuple[str, ...] = ("cpu", "cuda")


def _elementwise(
    a: torch.Tensor, b: torch.Tensor, how: Arithmetic, prepared: torch.Tensor | None
) -> tuple[torch.Tensor, bool]:
    left, right = how.rounded(a, b, None) if how.only_drops_bits else (a, b)
    return elementwise.multiply(left, right, how), True


def _integer(
    a: torch.Tensor, b: torch.Tensor, how: Arithmetic, prepared: torch.Tensor | None
) -> tuple[torch.Tensor, bool]:
    from .integer import multiply  # numba, and its compiler, only where it is used

    return multiply(a, b, how, prepared)


def _prepare_integer(b: torch.Tensor, how: Arithmetic) -> torch.Tensor | None:
    from .integer import prepare

    return prepare(b, how)


BACKENDS = {
    "fused": Backend(multiply=_integer, prepare=_prepare_integer, variants=("formula",), devices=("cpu",)),
    "gemm": Backend(multiply=gemm.multiply, prepare=gemm.prepare, variants=("formula",)),
    "integer": Backend(multiply=_integer, prepare=_prepare_integer, variants=("carry",), devices=("cpu",)),
    "elementwise": Backend(multiply=_elementwise),
}


def choose(name: str, a: torch.Tensor, b: torch.Tensor, how: Arithmetic) -> str:
    """The backend for these operands: the one named, if it can do it, or the best for ``"auto"``.

    ValueError, with those that can, where the named one cannot.
    """
    able = [
        other
        for other, backend in BACKENDS.items()
        if how.variant in backend.variants and a.device.type in (*backend.devices, "meta")
    ]
    if name == "auto":
        return able[0]
    if name not in able:
        raise ValueError(
            f"backend {name!r} cannot do variant {how.variant!r} on {a.device.type}: choose auto, {', '.join(able)}"
        )
    return name
