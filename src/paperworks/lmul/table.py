"""The adder (or the formula) as one ordinary matrix product over a table of mantissa products: exact (section 7.2a).

T[i, j] is the product of the k-bit significands 1 + i/2^k and 1 + j/2^k, and P(x) is x without its mantissa. Then
x (x) y = P(x)·T[i, j]·P(y), and a sum of such products is a matrix product of length K·2^k: the left operand holds P(x)
in the place of x's mantissa and zeros elsewhere, the right one T[j, mantissa of y]·P(y) for every j. Left entries are
powers of two and right ones have the operands' own mantissas, so that no product is rounded.

One GEMM of 2^k times the work: slow on a CPU, right for a GPU's tensor cores at small k.
"""

from __future__ import annotations

import torch

from .arithmetic import Arithmetic, power
from .operands import bits_of, format_of
from .significand import product_table

__all__ = ["WIDEST", "mantissas", "multiply", "prepare"]

WIDEST = 7  # mantissa bits: the operands grow by 2^k

_WORDS_AT_ONCE = 1 << 25


def multiply(
    a: torch.Tensor, b: torch.Tensor, how: Arithmetic, prepared: torch.Tensor | None = None
) -> tuple[torch.Tensor, bool]:
    """[B, M, K] (x) [B, K, N] in ``how.sum_dtype``; and whether all operands were finite.

    ``prepared``: what :func:`prepare` made of ``b``. Raises ValueError for more than 7 mantissa bits.
    """
    _check(how)
    entries = 2**how.mantissa_bits
    rows, terms, columns = a.shape[1], a.shape[2], b.shape[2]
    total = torch.zeros(a.shape[0], rows, columns, dtype=how.sum_dtype, device=a.device)
    step = max(1, _WORDS_AT_ONCE // (a.shape[0] * entries * max(rows, columns)))
    for begin in range(0, terms, step):
        run = slice(begin, begin + step)
        left = _one_hot(a[:, :, run], how)
        right = _spread(b[:, run], how) if prepared is None else prepared[:, begin * entries : (begin + step) * entries]
        total.baddbmm_(left, right)
    return total, bool(a.isfinite().all()) and bool(b.isfinite().all())


def prepare(b: torch.Tensor, how: Arithmetic) -> torch.Tensor | None:
    """The right operand [B, K·2^k, N], to keep for many products; None where numbers are not finite."""
    _check(how)
    return _spread(b, how) if bool(b.isfinite().all()) else None


def mantissas(x: torch.Tensor, k: int) -> torch.Tensor:
    """The first k mantissa bits of each number, as an index."""
    fmt = format_of(x)
    return (bits_of(x, fmt) >> (fmt.mantissa_bits - k)).long() & ((1 << k) - 1)


def _one_hot(a: torch.Tensor, how: Arithmetic) -> torch.Tensor:
    """[B, M, K·2^k]: P(x) in the place of its mantissa."""
    x = how.ready(a).to(how.sum_dtype)
    out = x.new_zeros(*x.shape, 2**how.mantissa_bits)
    out.scatter_(3, mantissas(x, how.mantissa_bits)[..., None], power(x)[..., None])
    return out.flatten(2)


def _spread(b: torch.Tensor, how: Arithmetic) -> torch.Tensor:
    """[B, K·2^k, N]: every mantissa's product with y, times P(y)."""
    y = how.ready(b).to(how.sum_dtype)
    table = torch.from_numpy(product_table(how.mantissa_bits, how.variant, how.c)).to(y)
    columns, powers = mantissas(y, how.mantissa_bits), power(y)
    spread = torch.stack([row[columns] * powers for row in table], dim=2)
    return spread.flatten(1, 2)


def _check(how: Arithmetic) -> None:
    if how.mantissa_bits > WIDEST:
        raise ValueError(f"backend 'table' takes mantissa_bits up to {WIDEST}, not {how.mantissa_bits}")
