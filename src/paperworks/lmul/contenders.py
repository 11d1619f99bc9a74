"""The arithmetics that an experiment holds against each other: L-Mul, and what it wants to replace.

Inside :func:`attention_by` a transformers model computes both products of its attention in one of them, and the rest as
before; inside :func:`everywhere` its linear layers too, which can be trained so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from paperworks.core import UserError
from paperworks.lab.attention import register

from .attention import attend
from .matmul import matmul
from .operands import quantize

__all__ = ["CONTENDERS", "Contender", "attention_by", "everywhere", "named"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A way to multiply: ``method`` ``"multiply"`` (ordinary), or L-Mul's variant ``"carry"`` or ``"formula"``.

    Operands have ``mantissa_bits`` bits (None: all of float32's), dropped by ``rounding``; L-Mul's running sum is kept
    in ``accumulate``. Gradients are the ordinary product's.
    """

    name: str
    says: str
    method: str
    mantissa_bits: int | None = None
    rounding: str = "truncate"
    accumulate: str = "fp32"

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        """``a @ b`` [..., M, N] in this arithmetic."""
        if self.method != "multiply":
            return matmul(
                a,
                b,
                mantissa_bits=self.mantissa_bits,
                variant=self.method,
                rounding=self.rounding,
                accumulate=self.accumulate,
            )
        if self.mantissa_bits is None:
            return torch.matmul(a, b)
        return torch.matmul(self._rounded(a), self._rounded(b))

    def _rounded(self, x: Tensor) -> Tensor:
        """``x`` with its mantissa shortened; to gradients the rounding is the identity."""
        return x + (quantize(x.detach(), self.mantissa_bits, rounding=self.rounding) - x.detach())


def _all() -> Iterator[Contender]:
    yield Contender(name="float32", says="ordinary, float32", method="multiply")
    yield Contender(name="bfloat16", says="ordinary, bfloat16", method="multiply", mantissa_bits=7, rounding="nearest")
    yield Contender(name="e4m3", says="ordinary, e4m3", method="multiply", mantissa_bits=3, rounding="nearest")
    yield Contender(name="e5m2", says="ordinary, e5m2", method="multiply", mantissa_bits=2, rounding="nearest")
    for k in (3, 2):
        yield Contender(name=f"truncated{k}", says=f"ordinary, {k} bits kept", method="multiply", mantissa_bits=k)
    for variant, says in (("carry", "L-Mul, adder"), ("formula", "L-Mul, formula")):
        for k in (2, 3, 4, 7, 23):
            yield Contender(name=f"{variant}{k}", says=f"{says}, k = {k}", method=variant, mantissa_bits=k)


CONTENDERS = {contender.name: contender for contender in _all()}
"""By name; e4m3 and e5m2 have their mantissas (rounded to nearest) and float32's exponents, as L-Mul's operands do."""


def named(names: Iterable[str]) -> tuple[str, ...]:
    """``names`` without repetition; UserError where `CONTENDERS` lacks one."""
    if unknown := sorted(set(names := tuple(names)) - set(CONTENDERS)):
        raise UserError(f"there is no arithmetic {', '.join(unknown)}; choose from {', '.join(CONTENDERS)}")
    return tuple(dict.fromkeys(names))


@contextmanager
def attention_by(model: PreTrainedModel, contender: Contender) -> Iterator[None]:
    """Inside the block both products of ``model``'s attention are ``contender``'s."""
    name = f"lmul_contender_{contender.name}"
    register(name, partial(attend, (contender.product, contender.product)), mask="eager")
    before = model.config._attn_implementation
    model.set_attn_implementation(name)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


@contextmanager
def everywhere(model: PreTrainedModel, contender: Contender) -> Iterator[None]:
    """Inside the block every linear layer's product and both products of attention are ``contender``'s."""
    layers = [module for module in model.modules() if type(module) is nn.Linear]
    for layer in layers:
        layer.__class__ = _ContenderLinear
        layer.contender = contender
    try:
        with attention_by(model, contender):
            yield
    finally:
        for layer in layers:
            layer.__class__ = nn.Linear
            del layer.contender


class _ContenderLinear(nn.Linear):
    contender: Any

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (nn.Linear names it so)
        product: Tensor = self.contender.product(input, self.weight.T)
        return product if self.bias is None else product + self.bias
