"""A batch of matrix products by L-Mul as one torch operator, ``paperworks::lmul_matmul``, with its gradients.

As an operator of torch's own library it passes through torch.compile and is differentiated like any other.
"""

from __future__ import annotations

from typing import Any

import torch

from .arithmetic import Arithmetic, arithmetic
from .backends import backend as named
from .cost import choose
from .derivative import derivatives
from .operands import format_of

__all__ = ["ACCUMULATIONS", "GRADS", "computable", "computed", "product"]

GRADS = ("ste", "lmul", "exact")
ACCUMULATIONS = ("fp32", "bf16", "fp8_e4m3")

_TERMS_PER_ROUNDING = 64  # of the running sum, where it is kept in less than float32
_LARGEST_E4M3 = 448.0


@torch.library.custom_op("paperworks::lmul_matmul", mutates_args=())
def product(
    a: torch.Tensor,
    b: torch.Tensor,
    prepared: torch.Tensor | None,
    mantissa_bits: int,
    variant: str,
    rounding: str,
    c: float,
    backend: str,
    accumulate: str,
    grad: str,
    exponent_bits: int,
    scale: str,
    seed: int,
) -> torch.Tensor:
    """[B, M, K] (x) [B, K, N]; the settings of :func:`matmul` as plain values (0 and "" for None)."""
    how = arithmetic(format_of(a), mantissa_bits, variant, rounding, c, exponent_bits or None, scale or None)
    return computed(a, b, prepared, how, backend, accumulate, seed)


def computed(
    a: torch.Tensor,
    b: torch.Tensor,
    prepared: torch.Tensor | None,
    how: Arithmetic,
    backend: str,
    accumulate: str,
    seed: int,
) -> torch.Tensor:
    """What the operator computes, without the operator: no gradients, no tracing, 30 microseconds less."""
    if not how.only_drops_bits:
        a, b = how.rounded(a, b, seed)
    a, b = computable(a), computable(b)
    backend = choose(a, b, how) if backend == "auto" else backend
    if 0 in (*a.shape, b.shape[2]):
        result = a.new_zeros(a.shape[0], a.shape[1], b.shape[2])
    elif accumulate == "fp32":
        result = _one_product(a, b, how, backend, prepared)
    else:
        result = _rounded_sum(a.to(how.sum_dtype), b.to(how.sum_dtype), how, backend, accumulate)
    wanted = _result_dtype(how)
    return (result if result.dtype == wanted else result.to(wanted)).contiguous()


@product.register_fake
def _(a: torch.Tensor, b: torch.Tensor, *settings: Any) -> torch.Tensor:
    dtype = torch.float32 if a.dtype.itemsize == 1 else a.dtype
    return a.new_empty(a.shape[0], a.shape[1], b.shape[2], dtype=dtype)


def computable(x: torch.Tensor) -> torch.Tensor:
    """The tensor that backends see: torch has no products of float8."""
    return x.float() if x.dtype.itemsize == 1 else x


def _result_dtype(how: Arithmetic) -> torch.dtype:
    return torch.float32 if how.fmt.bits == 8 else getattr(torch, how.fmt.name)


def _one_product(
    a: torch.Tensor, b: torch.Tensor, how: Arithmetic, backend: str, prepared: torch.Tensor | None
) -> torch.Tensor:
    multiply = named(backend).multiply
    result, sound = multiply(a, b, how, prepared)
    if sound:
        return result
    # Somewhere an operand is infinite or NaN. Zeros, the signs of the finite numbers and the others themselves have the
    # same infinite and NaN sums of products as the operands; all other sums are those of the finite numbers.
    left, right = how.ready(a), how.ready(b)
    special = torch.matmul(_kinds(left), _kinds(right))
    finite, _ = multiply(_finite(left), _finite(right), how, None)
    return torch.where(special.isfinite(), finite, special.to(finite.dtype) + finite)


def _kinds(x: torch.Tensor) -> torch.Tensor:
    return torch.where(x.isfinite(), x.sign(), x).float()


def _finite(x: torch.Tensor) -> torch.Tensor:
    return torch.where(x.isfinite(), x, 0)


def _rounded_sum(a: torch.Tensor, b: torch.Tensor, how: Arithmetic, backend: str, accumulate: str) -> torch.Tensor:
    total = torch.zeros(a.shape[0], a.shape[1], b.shape[2], dtype=how.sum_dtype, device=a.device)
    for k in range(0, a.shape[2], _TERMS_PER_ROUNDING):
        run = slice(k, k + _TERMS_PER_ROUNDING)
        total = total + _one_product(a[:, :, run], b[:, run], how, backend, None)
        if accumulate == "bf16":
            total = total.bfloat16().to(how.sum_dtype)
        else:
            total = total.clamp(-_LARGEST_E4M3, _LARGEST_E4M3).to(torch.float8_e4m3fn).to(how.sum_dtype)
    return total


def _save(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
    a, b, _, *ctx.settings = inputs
    ctx.save_for_backward(a, b)


def _gradients(ctx: Any, out: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
    a, b = ctx.saved_tensors
    *_, grad, exponent_bits, scale, seed = ctx.settings
    if grad == "exact":
        k, variant, rounding, c, *_ = ctx.settings
        left, right = derivatives(out, a, b, k, variant, rounding, c, exponent_bits, scale, seed)
    else:
        left = _backward(ctx, 0, lambda: _times(grad, out, b.mT, ctx.settings))
        right = _backward(ctx, 1, lambda: _times(grad, a.mT, out, ctx.settings))
    return left, right, *(None,) * (len(ctx.settings) + 1)


def _backward(ctx: Any, position: int, compute: Any) -> torch.Tensor | None:
    return compute() if ctx.needs_input_grad[position] else None


def _times(grad: str, x: torch.Tensor, y: torch.Tensor, settings: Any) -> torch.Tensor:
    return torch.matmul(x, y) if grad == "ste" else product(x, y, None, *settings)


product.register_autograd(_gradients, setup_context=_save)
