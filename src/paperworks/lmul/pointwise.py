"""Elementwise products by L-Mul with their gradients, as the torch operator ``paperworks::lmul_pointwise``.

:func:`lmul.mul` works on bit patterns, where no gradient passes. This is what models multiply with.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .arithmetic import power
from .config import LMulConfig
from .multiply import mul
from .offset import constant
from .operands import check_mantissa_bits, format_of

__all__ = ["Pointwise"]


class Pointwise:
    """``x * y`` with the settings of an :class:`LMulConfig`; called with two tensors, broadcast as in torch.

    Types combine as those of two tensors with dimensions do in ``torch.mul``. ``grad="ste"`` has the ordinary product's
    gradients dO·y and dO·x, ``"lmul"`` the same two products by L-Mul, ``"exact"`` the derivative almost everywhere
    (section 2.7).
    """

    def __init__(self, config: LMulConfig) -> None:
        self.config = config

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """The product, of the combined type and the broadcast shape."""
        how = self.config
        if x.dtype != y.dtype:
            dtype = torch.promote_types(x.dtype, y.dtype)
            x, y = x.to(dtype), y.to(dtype)
        k = check_mantissa_bits(how.mantissa_bits, format_of(x))
        c = constant(how.offset, k, how.variant, how.rounding)
        limits = (how.exponent_bits or 0, how.scale or "")
        seed = int(torch.randint(2**31, ()).item()) if how.rounding == "stochastic" else 0
        result: Tensor = _product(x, y, k, how.variant, how.rounding, c, how.grad, *limits, seed)
        return result


@torch.library.custom_op("paperworks::lmul_pointwise", mutates_args=())
def _product(
    x: Tensor,
    y: Tensor,
    mantissa_bits: int,
    variant: str,
    rounding: str,
    c: float,
    grad: str,
    exponent_bits: int,
    scale: str,
    seed: int,
) -> Tensor:
    """x (x) y; the settings of :func:`lmul.mul` as plain values (0 and "" for None)."""
    limits: dict[str, Any] = {"exponent_bits": exponent_bits or None, "scale": scale or None}
    result: Tensor = mul(x, y, mantissa_bits, variant, rounding, c, seed=seed, **limits)
    return result


@_product.register_fake
def _(x: Tensor, y: Tensor, *settings: Any) -> Tensor:
    return x.new_empty(torch.broadcast_shapes(x.shape, y.shape))  # type: ignore[no-untyped-call]


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, y, *ctx.settings = inputs
    ctx.save_for_backward(x, y, output)


def _gradients(ctx: Any, out: Tensor) -> tuple[Tensor | None, ...]:
    x, y, product = ctx.saved_tensors
    left = _towards(x, y, out, product, ctx.settings) if ctx.needs_input_grad[0] else None
    right = _towards(y, x, out, product, ctx.settings) if ctx.needs_input_grad[1] else None
    return left, right, *(None,) * len(ctx.settings)


def _towards(x: Tensor, y: Tensor, out: Tensor, product: Tensor, settings: Any) -> Tensor:
    """The gradient for ``x``, summed over what it was broadcast along."""
    _, variant, _, _, grad, *_ = settings
    if grad == "lmul":
        return _product(out, y.expand_as(out), *settings).sum_to_size(x.shape)
    if grad == "ste":
        return (out * y).sum_to_size(x.shape)
    if variant == "formula":
        return (out * power(y)).sum_to_size(x.shape)
    # The product's own power of two is P(x)·P(y)·2^floor(s): over P(x) it is the derivative by x.
    by = power(x).expand_as(out)
    return torch.where(by == 0, 0, out * power(product) / by).sum_to_size(x.shape)


_product.register_autograd(_gradients, setup_context=_save)
