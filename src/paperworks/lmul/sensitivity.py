"""Which layer, and which product in it, a model can spare its multiplier in: one place converted at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from .config import LMulConfig
from .convert import apply, linear_kinds, undo

__all__ = ["Sensitivity", "Site", "attends", "sensitivity"]


@dataclass(frozen=True, kw_only=True)
class Site:
    """A product that can be L-Mul: ``"qk"`` or ``"pv"`` of an attention module, or the one of a ``"linear"`` layer.

    ``loss`` is the model's with this product alone converted, ``change`` that less the ordinary model's.
    """

    module: str
    product: str
    loss: float
    change: float


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """The loss without L-Mul, with all of it, and with each site alone, the most harmful first."""

    ordinary: float
    converted: float
    sites: tuple[Site, ...]


def sensitivity(
    model: nn.Module,
    config: LMulConfig,
    loss: Callable[[nn.Module], Any],
    *,
    progress: Callable[[str, int, int], None] | None = None,
) -> Sensitivity:
    """Measure ``loss(model)`` with every product that ``config`` names converted alone, and with all of them.

    Products of matrices, that is: elementwise ones count in the loss with all.
    ``loss`` gives a number or a tensor of one, the same for the same model (fix its data and seeds); it is called once
    a site and twice more. ``progress`` receives (stage, done, total). The model is left as it was, also after an
    exception. Raises ValueError as :func:`lmul.convert` does.
    """
    places = list(_places(model, config))
    ordinary = _number(loss(model))
    converted = _loss_with(model, config, config.covers, loss)
    sites = []
    for done, (module, product) in enumerate(places):
        if progress is not None:
            progress("sites", done, len(places))
        value = _loss_with(model, _alone(config, product), module.__eq__, loss)
        sites.append(Site(module=module, product=product, loss=value, change=value - ordinary))
    if progress is not None:
        progress("sites", len(places), len(places))
    sites.sort(key=lambda site: site.change, reverse=True)
    return Sensitivity(ordinary=ordinary, converted=converted, sites=tuple(sites))


def _places(model: nn.Module, config: LMulConfig) -> Iterator[tuple[str, str]]:
    """Module name and product of every place that ``config`` converts, in the model's order."""
    kinds = linear_kinds()
    for name, module in model.named_modules():
        if not config.covers(name):
            continue
        if config.attention and attends(module):
            yield from ((name, product) for product in config.products)
        if config.linear and type(module) in kinds:
            yield name, "linear"


def attends(module: nn.Module) -> bool:
    """Whether the module is one that calls an attention function: the innermost named so that holds the config."""
    return _is_named_attention(module) and not any(_is_named_attention(m) for m in module.modules() if m is not module)


def _is_named_attention(module: nn.Module) -> bool:
    return "Attention" in type(module).__name__ and hasattr(module, "config")


def _alone(config: LMulConfig, product: str) -> LMulConfig:
    if product == "linear":
        return config.replace(targets="linear", elementwise=())
    return config.replace(targets="attention", products=(product,), elementwise=())


def _loss_with(
    model: nn.Module, config: LMulConfig, covers: Callable[[str], bool], loss: Callable[[nn.Module], Any]
) -> float:
    apply(model, config, covers)
    try:
        return _number(loss(model))
    finally:
        undo(model)


def _number(loss: Any) -> float:
    """A loss as a float; one that carries a gradient is taken without it."""
    return float(loss.detach() if isinstance(loss, Tensor) else loss)
