"""A fitted factor for each product of a converted model (section 8.2 of the specification).

L-Mul's products are too large or too small on average, by a factor that rounding, constant and the numbers themselves
decide: 1.05 for operands rounded to nearest at k = 4. A sum of many products is off by the same factor, which is most
of its error; dividing by it costs one multiplication for a whole sum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .attention import AFTER, EXACT_MARK, NAME
from .config import PRODUCTS
from .conv1d import LMulConv1D
from .layers import LMulLinear
from .sensitivity import attends

__all__ = ["calibrate"]


def calibrate(model: nn.Module, run: Callable[[nn.Module], Any]) -> dict[str, float]:
    """Fit the gain of every product of a converted model while ``run(model)`` computes, and divide by it from then on.

    A gain is the factor by which a layer's, or one of attention's two, products of matrices exceed the exact ones on
    the operands that ``run`` brings, by least squares. Gradients are not recorded meanwhile; the model stays in its
    mode. Gains found before are fitted anew; :func:`lmul.revert` takes them away, and they are not saved with a model.

    Returns the gains by place, such as ``"model.layers.0.mlp.up_proj"`` and ``"model.layers.0.self_attn qk"``.
    Raises ValueError where nothing of the model is converted.
    """
    layers = {name: m for name, m in model.named_modules() if isinstance(m, LMulLinear | LMulConv1D)}
    attentions = {name: m for name, m in model.named_modules() if _is_converted(m)}
    if not layers and not attentions:
        raise ValueError(f"{type(model).__name__} has no product by L-Mul to calibrate: convert it first")
    fits = {name: _Fit() for name in [*layers, *(f"{name} {p}" for name in attentions for p in PRODUCTS)]}
    for layer in layers.values():
        layer.gain = 1.0
    hooks = [layer.register_forward_hook(_watch(fits[name])) for name, layer in layers.items()]
    for name, module in attentions.items():
        module.__dict__[AFTER] = {p: fits[f"{name} {p}"].record for p in PRODUCTS}
    try:
        with torch.no_grad():
            run(model)
    finally:
        for hook in hooks:
            hook.remove()
        for module in attentions.values():
            del module.__dict__[AFTER]
    gains = {place: fit.gain for place, fit in fits.items() if fit.square}
    for name, layer in layers.items():
        layer.gain = gains.get(name, 1.0)
    for name, module in attentions.items():
        module.__dict__[AFTER] = {p: _Divided(gains[place]) for p in PRODUCTS if (place := f"{name} {p}") in gains}
    return gains


class _Fit:
    """The least-squares g in ``ours = g·exact``, over all that was recorded."""

    def __init__(self) -> None:
        self.cross = self.square = 0.0

    def record(self, a: Tensor, b: Tensor, ours: Tensor) -> Tensor:
        """Note a product of ``a`` and ``b``, and pass it on."""
        exact, found = torch.matmul(a, b).double(), ours.double()
        self.cross += float((found * exact).sum())
        self.square += float(exact.square().sum())
        return ours

    @property
    def gain(self) -> float:
        """g, or 1 where the products are unlike the exact ones."""
        return self.cross / self.square if self.cross > 0 else 1.0


@dataclass(frozen=True)
class _Divided:
    gain: float

    def __call__(self, a: Tensor, b: Tensor, product: Tensor) -> Tensor:
        return product / self.gain


def _watch(fit: _Fit) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
    def hook(layer: Any, given: tuple[Tensor, ...], out: Tensor) -> None:
        weight = layer.weight if isinstance(layer, LMulConv1D) else layer.weight.T
        fit.record(given[0], weight, out if layer.bias is None else out - layer.bias)

    return hook


def _is_converted(module: nn.Module) -> bool:
    """Whether it is an attention module that multiplies by L-Mul."""
    if not attends(module) or getattr(module, EXACT_MARK, False):
        return False
    return getattr(module.config, "_attn_implementation", None) == NAME
