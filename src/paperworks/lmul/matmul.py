"""``lmul.matmul``: matrix products whose every multiplication is L-Mul; settings, types and shapes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from .arithmetic import Arithmetic, arithmetic
from .backends import backend as named
from .backends import check_able
from .cost import choose
from .operands import check_choice, format_of, like, tensor_of
from .product import ACCUMULATIONS, GRADS, computable, computed, product

__all__ = ["Prepared", "autocast", "matmul", "prepare"]


_arithmetic = lru_cache(maxsize=256)(arithmetic)  # which torch.compile would trace, with a warning


@dataclass(frozen=True, slots=True)
class Prepared:
    """A right operand [K, N] as one backend wants it, and what it is good for."""

    backend: str
    operand: torch.Tensor
    how: Arithmetic
    shape: tuple[int, ...]

    def check(self, how: Arithmetic, right: torch.Tensor) -> None:
        """ValueError where a product has another arithmetic or a right operand of another shape than this."""
        if how != self.how or tuple(right.shape) != (1, *self.shape):
            raise ValueError(
                f"prepared is for a right operand {list(self.shape)} and {self.how}, "
                f"not for {list(right.shape[1:])} and {how}: prepare the operand with the settings of the product"
            )


def matmul(
    a: Any,
    b: Any,
    *,
    mantissa_bits: int | None = None,
    variant: str = "carry",
    rounding: str = "truncate",
    offset: str | float = "paper",
    backend: str = "auto",
    accumulate: str = "fp32",
    grad: str = "ste",
    exponent_bits: int | None = None,
    scale: str | None = None,
    seed: int | None = None,
    prepared: Prepared | None = None,
) -> Any:
    """``torch.matmul(a, b)`` with every multiplication by L-Mul.

    Args:
        a, b: [..., M, K] and [..., K, N] of one type, batches broadcast; one-dimensional operands as in torch.matmul.
            Tensors, or numpy arrays.
        mantissa_bits, variant, rounding, offset, exponent_bits, seed: as in :func:`lmul.mul`. ``scale="row"`` is one
            scale for each row of ``a`` and each column of ``b``.
        backend: ``"auto"`` takes what :func:`lmul.cost_model` expects to be fastest, or one of:
            ``"integer"`` (carry, CPU: the adder in vector instructions), ``"fused"`` (formula, CPU: two fused
            multiply-adds), ``"gemm"`` (formula: one GEMM of twice the length), ``"table"`` (k up to 7: one GEMM of 2^k
            times the length), ``"triton"`` (carry, GPU: the adder), ``"fp8"`` (carry, GPU, k up to 3: the table on
            float8 tensor cores where the operands' range allows), ``"elementwise"`` (the slow reference), and, the
            only one whose products are not bit-true, ``"lowrank"`` or ``"lowrank:r"`` (k up to 10: r = 8 GEMMs).
        accumulate: what the running sum is kept in: ``"fp32"`` (float64 for float64 operands), or ``"bf16"`` or
            ``"fp8_e4m3"`` (saturating at 448), rounded to nearest after every 64 terms.
        grad: ``"ste"``, the ordinary product's gradients dO·B' and A'·dO; ``"lmul"``, the same two products by L-Mul;
            ``"exact"``, the derivative almost everywhere, taking operands' rounding to be the identity
            (section 2.7: for the formula 0.5 to 1 of the true product's derivative, for the adder 0.5 to 2.06).
        prepared: what :func:`prepare` made of ``b`` with the same settings; it decides the backend. ``b`` must not have
            changed since: that is not noticed here, only a different shape or arithmetic is.

    Returns:
        [..., M, N] of the operands' type (float32 for float8).

    Products have the range of float32: operands are rounded in their own type, its subnormals to zero, and widened.
    One term therefore equals ``lmul.mul`` of the widened operands, bit for bit; the formula's products are not rounded
    to a type. Under autocast operands are cast as torch.matmul's are.

    Raises:
        TypeError: integer, boolean or complex operands. ValueError: a setting outside its choices.
        RuntimeError: shapes, types or devices that do not fit, as torch.matmul.
    """
    check_choice("grad", grad, GRADS)
    check_choice("accumulate", accumulate, ACCUMULATIONS)
    ta, tb = _operands(a, b)
    resolve = arithmetic if torch.compiler.is_compiling() else _arithmetic
    how = resolve(format_of(ta), mantissa_bits, variant, rounding, offset, exponent_bits, scale)
    left, right, shape = _batched(ta, tb)
    if prepared is not None:
        prepared.check(how, right)
    name = prepared.backend if prepared else backend
    if name != "auto":
        check_able(name, how, left.device.type)
    ready, seed = prepared.operand if prepared else None, _seed(rounding, seed)
    if _are_plain(left, right):
        result = computed(left, right, ready, how, name, accumulate, seed)
    else:
        k, limits = how.mantissa_bits, (exponent_bits or 0, scale or "")
        result = product(left, right, ready, k, variant, rounding, how.c, name, accumulate, grad, *limits, seed)
    return like(a, result.reshape(shape))


def prepare(
    b: torch.Tensor,
    *,
    mantissa_bits: int | None = None,
    variant: str = "carry",
    rounding: str = "truncate",
    offset: str | float = "paper",
    backend: str = "auto",
    accumulate: str = "fp32",
    exponent_bits: int | None = None,
    scale: str | None = None,
) -> Prepared | None:
    """A right operand [K, N] made ready once for many products of :func:`matmul` with the same settings.

    None where a product would not gain from it, or would be wrong (stochastic rounding, non-finite numbers).
    """
    how = arithmetic(format_of(b), mantissa_bits, variant, rounding, offset, exponent_bits, scale)
    right = b.detach()[None]
    name = choose(right.mT, right, how) if backend == "auto" else backend
    check_able(name, how, right.device.type)
    maker = named(name).prepare
    if maker is None or rounding == "stochastic" or accumulate != "fp32":
        return None
    if not how.only_drops_bits:
        _, right = how.rounded(right.mT, right, None)
    operand = maker(computable(right), how)
    return None if operand is None else Prepared(name, operand, how, tuple(b.shape))


def _operands(a: Any, b: Any) -> tuple[torch.Tensor, torch.Tensor]:
    ta, tb = tensor_of(a), tensor_of(b)
    format_of(ta), format_of(tb)
    ta, tb = autocast(ta), autocast(tb)
    if ta.dtype != tb.dtype:
        raise RuntimeError(f"expected both operands to have the same dtype, but got {ta.dtype} and {tb.dtype}")
    if ta.device != tb.device:
        raise RuntimeError(f"expected both operands on the same device, but got {ta.device} and {tb.device}")
    return ta, tb


def autocast(x: torch.Tensor) -> torch.Tensor:
    """``x`` in autocast's type where that is on; as in torch, float64 stays."""
    kind = x.device.type
    if kind == "meta" or not torch.is_autocast_enabled(kind) or x.dtype == torch.float64:
        return x
    return x.to(torch.get_autocast_dtype(kind))


def _batched(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, tuple[int, ...]]:
    """Operands as [B, M, K] and [B, K, N], and the result's shape. One matrix b takes all rows of a as one batch."""
    if a.ndim == 0 or b.ndim == 0:
        raise RuntimeError(f"both operands must have at least one dimension, but have {a.ndim} and {b.ndim}")
    left = a[None] if a.ndim == 1 else a
    right = b[:, None] if b.ndim == 1 else b
    if left.shape[-1] != right.shape[-2]:
        raise RuntimeError(f"shapes {tuple(a.shape)} and {tuple(b.shape)} cannot be multiplied")
    if a.ndim == b.ndim == 2:  # said apart because a small product takes little longer than finding out the general way
        return a[None], b[None], (a.shape[0], b.shape[1])
    batch = _broadcast(left.shape[:-2], right.shape[:-2])
    ends = (left.shape[-2],) * (a.ndim > 1) + (right.shape[-1],) * (b.ndim > 1)
    if right.shape[:-2].numel() == 1:
        left, right = left.reshape(1, left.shape[:-1].numel(), left.shape[-1]), right.reshape(1, *right.shape[-2:])
    else:
        left = left.expand(*batch, *left.shape[-2:]).reshape(batch.numel(), *left.shape[-2:])
        right = right.expand(*batch, *right.shape[-2:]).reshape(batch.numel(), *right.shape[-2:])
    return left, right, (*batch, *ends)


def _broadcast(left: torch.Size, right: torch.Size) -> torch.Size:
    if left == right or not right:
        return left
    return torch.Size(torch.broadcast_shapes(left, right))  # type: ignore[no-untyped-call]


def _are_plain(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether nobody but the caller watches this product: neither autograd, nor a tracer, nor a tensor subclass."""
    if not type(a) is type(b) is torch.Tensor or a.is_meta or b.is_meta or torch.compiler.is_compiling():
        return False
    return not ((a.requires_grad or b.requires_grad) and torch.is_grad_enabled())


def _seed(rounding: str, seed: int | None) -> int:
    """An int that torch's default generator draws, where one is needed and none is given."""
    if rounding != "stochastic":
        return 0
    return int(torch.randint(2**31, ()).item()) if seed is None else seed
