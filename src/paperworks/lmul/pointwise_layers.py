"""Modules of transformers whose elementwise products become L-Mul: gated networks, rotary embeddings, norms.

Section 2.5, case (b). Each twin has the attributes of the class that it stands for and one more, ``pointwise``, the
product. Which classes have twins is a list of names, since a module that computes something else may look the same.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from .config import LMulConfig
from .pointwise import Pointwise

__all__ = ["added", "resembles", "twin"]

_FAMILIES = ("llama", "mistral", "qwen2", "gemma2")
_ENDINGS = {"gate": "MLP", "norm": "RMSNorm", "rope": "RotaryEmbedding"}


def twin(module: nn.Module, kind: str) -> type[nn.Module] | None:
    """The class that does ``module``'s products of one kind by L-Mul; None where there is none."""
    for family in _FAMILIES:
        modeling = sys.modules.get(f"transformers.models.{family}.modeling_{family}")
        if modeling is None or type(module).__module__ != modeling.__name__:
            continue
        if type(module).__name__.lower() == f"{family}{_ENDINGS[kind]}".lower():
            return _made(type(module), kind)
    return None


def resembles(module: nn.Module) -> Iterator[str]:
    """The kinds of elementwise products that a module seems to do, whether or not it has a twin."""
    name = type(module).__name__
    if hasattr(module, "gate_proj") and hasattr(module, "up_proj"):
        yield "gate"
    if "Norm" in name and any(True for _ in module.parameters(recurse=False)):
        yield "norm"
    if "Rotary" in name:
        yield "rope"


def added(config: LMulConfig) -> dict[str, Any]:
    """The instance attributes that a twin needs besides its module's own."""
    return {"pointwise": Pointwise(config)}


def __getattr__(name: str) -> type[nn.Module]:
    """The twin of that name, which is how pickle finds the classes of a converted model."""
    for family in _FAMILIES:
        for kind, ending in _ENDINGS.items():
            if name.lower() == f"lmul{family}{ending}".lower():
                modeling = import_module(f"transformers.models.{family}.modeling_{family}")
                return _made(getattr(modeling, name.removeprefix("LMul")), kind)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def _made(original: type[nn.Module], kind: str) -> type[nn.Module]:
    """A subclass of the module's class, so that whoever looks for that class still finds it."""
    forwards = {"gate": _gate, "norm": _gemma_norm if "Gemma" in original.__name__ else _norm, "rope": _rope(original)}
    body = {"forward": forwards[kind], "__module__": __name__, "__doc__": f"{original.__name__} by L-Mul."}
    return type(f"LMul{original.__name__}", (original,), body)


def _gate(self: Any, x: Tensor) -> Tensor:
    """The activated gate times what it lets through."""
    down: Tensor = self.down_proj(self.pointwise(self.act_fn(self.gate_proj(x)), self.up_proj(x)))
    return down


def _norm(self: Any, hidden_states: Tensor) -> Tensor:
    """Scaled by the inverse root mean square and by the weight; the squares under the root are ordinary."""
    wide = hidden_states.to(torch.float32)
    inverse = torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)
    scaled: Tensor = self.pointwise(self.weight, self.pointwise(wide, inverse).to(hidden_states.dtype))
    return scaled


def _gemma_norm(self: Any, x: Tensor) -> Tensor:
    """As :func:`_norm`, in float32 to the end and with one added to the weight."""
    wide = x.float()
    inverse = torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)
    return self.pointwise(self.pointwise(wide, inverse), 1.0 + self.weight.float()).type_as(x)


def _rope(original: type[nn.Module]) -> Any:
    ordinary: Any = original.forward

    def forward(self: Any, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Cosine and sine that multiply by L-Mul whatever they are multiplied with."""
        cos, sin = ordinary(self, *args, **kwargs)
        return _Factor.of(cos, self.pointwise), _Factor.of(sin, self.pointwise)

    return forward


_PRODUCTS = (torch.Tensor.mul, torch.mul, torch.Tensor.__mul__, torch.Tensor.__rmul__)
_KEPT = (torch.Tensor.unsqueeze, torch.Tensor.to)  # what a model does to them before it multiplies


class _Factor(torch.Tensor):
    """A tensor whose products are L-Mul: rotary embeddings are multiplied where no module can be exchanged."""

    pointwise: Any

    @staticmethod
    def of(x: Tensor, pointwise: Any) -> _Factor:
        factor: _Factor = x.as_subclass(_Factor)
        factor.pointwise = pointwise
        return factor

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Products are L-Mul; they, and all but a new dimension or another device, give ordinary tensors."""
        pointwise: Any = next((x.pointwise for x in args if isinstance(x, _Factor)), None)
        with torch._C.DisableTorchFunctionSubclass():
            if func in _PRODUCTS:
                return pointwise(*args)
            result = func(*args, **(kwargs or {}))
            return _Factor.of(result, pointwise) if func in _KEPT else result
