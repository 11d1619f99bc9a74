"""Turn a model's multiplications into L-Mul in place, and back: :func:`convert`, :func:`revert`, :func:`simulate`.

A linear layer keeps its identity and changes its class: parameters, ties between them, hooks, optimizers and every
other reference to the layer stay as they are, and going back restores the very same object. Attention changes by its
name in the model's config, which is transformers' own way. What is needed to go back is kept on the changed modules.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import nn

from . import pointwise_layers
from .attention import AFTER, EXACT_MARK, NAME
from .config import LMulConfig
from .layers import LMulLinear

__all__ = ["convert", "revert", "simulate"]

Model = TypeVar("Model", bound=nn.Module)
Covers = Callable[[str], bool]

_UNDO_CLASS = "_lmul_undo_class"
_UNDO_CONFIG = "_lmul_undo_config"
_UNDO_SAVING = "_lmul_undo_saving"


@dataclass(frozen=True)
class _ClassBefore:
    """A module's class before, and the attributes that L-Mul added to it."""

    kind: type[nn.Module]
    added: tuple[str, ...]


@dataclass(frozen=True)
class _ConfigBefore:
    """What a transformers config said about attention before; ``settings`` is None where it had no ``lmul``."""

    implementation: str | None
    settings: Any


def convert(model: Model, config: LMulConfig) -> Model:
    """Change ``model`` in place so that the products ``config`` names are L-Mul, and return it.

    Linear layers are nn.Linear and transformers' Conv1D (their subclasses, such as a router with a forward of its own,
    stay as they are); attention is that of transformers models. Embeddings, convolutions and, unless ``elementwise``
    names them, elementwise products stay ordinary. A transformers model saved afterwards says so in its config.json and
    comes back converted where ``paperworks.lmul.hf`` is imported.

    A transformers config that two models share is changed for both, as with ``set_attn_implementation``.

    Raises ValueError where the model, or a part of it, is converted already; where ``targets`` asks for attention and
    the model has none that can be exchanged; where a module multiplies out of reach (nn.MultiheadAttention, experts
    in one tensor, a norm of another kind where norms are asked for) and ``skip`` does not name it; and where nothing at
    all would change.
    """
    apply(model, config, config.covers)
    if _is_pretrained(model) and getattr(_config_of(model), "quantization_config", None) is None:
        _config_of(model).quantization_config = config
        model.__dict__[_UNDO_SAVING] = True
    return model


def revert(model: Model) -> Model:
    """Undo :func:`convert` in place and return the model: the same classes, parameters and attention as before.

    Weights are never touched, so an untrained model computes bit for bit what it computed before. A model that
    ``from_pretrained`` converted becomes an ordinary one.

    Raises ValueError where nothing in the model is converted.
    """
    if not any(_is_converted(module) for module in model.modules()):
        raise ValueError(f"{type(model).__name__} is not converted: there is nothing to revert")
    if any("forward" in module.__dict__ for module in model.modules() if _UNDO_CLASS in module.__dict__):
        raise ValueError("a converted layer's forward was replaced, by accelerate perhaps: remove its hooks first")
    undo(model)
    return model


@contextmanager
def simulate(model: Model, config: LMulConfig) -> Iterator[Model]:
    """The model converted for the length of a ``with`` block; reverted at its end, also after an exception."""
    convert(model, config)
    try:
        yield model
    finally:
        revert(model)


def apply(model: nn.Module, config: LMulConfig, covers: Covers) -> None:
    """Convert the modules whose dotted names ``covers`` accepts; nothing is changed where an error is raised."""
    _refuse_converted(model)
    _refuse_out_of_reach(model, config, covers)
    try:
        gates = _convert_pointwise(model, config, covers)
        layers = _convert_linears(model, config, covers) if config.linear else 0
        has_attention = _convert_attention(model, config, covers) if config.attention else False
        if not (layers or has_attention or gates):
            raise ValueError(f"{type(model).__name__} has no linear layer that `skip` leaves to convert")
    except BaseException:
        undo(model)
        raise


def undo(model: nn.Module) -> None:
    """Take back what :func:`apply` and :func:`convert` did, however far they came."""
    for module in model.modules():
        if _UNDO_CLASS in module.__dict__:
            _undo_class(module)
        if _UNDO_CONFIG in module.__dict__:
            _undo_config(module)
        for mark in (EXACT_MARK, AFTER):
            module.__dict__.pop(mark, None)
        if module.__dict__.pop(_UNDO_SAVING, False):
            del _config_of(module).quantization_config
        quantizer = getattr(module, "hf_quantizer", None)
        if quantizer is not None and isinstance(quantizer.quantization_config, LMulConfig):
            quantizer.remove_quantization_config(module)


def _is_converted(module: nn.Module) -> bool:
    return _UNDO_CLASS in module.__dict__ or _UNDO_CONFIG in module.__dict__


def _called(name: str, module: nn.Module) -> str:
    return name or f"this {type(module).__name__}"


def _refuse_converted(model: nn.Module) -> None:
    for name, module in model.named_modules():
        if _is_converted(module):
            raise ValueError(f"{_called(name, module)} is converted already: call lmul.revert on the model first")


def _refuse_out_of_reach(model: nn.Module, config: LMulConfig, covers: Covers) -> None:
    """Say so, rather than leave products ordinary that the settings ask for."""
    kinds = linear_kinds()
    for name, module in model.named_modules():
        if not covers(name):
            continue
        if isinstance(module, nn.MultiheadAttention | nn.TransformerEncoderLayer):
            reason = f"torch computes {type(module).__name__} without calling its layers"
        elif config.linear and _has_stacked_experts(module):
            reason = "its experts are one tensor, not linear layers"
        elif config.linear and type(module) in kinds and "forward" in module.__dict__:
            reason = "its forward was replaced, by accelerate perhaps: load with quantization_config instead"
        elif lacking := [kind for kind in _pointwise_in(module, config) if not pointwise_layers.twin(module, kind)]:
            reason = f"there is no {type(module).__name__} with elementwise {', '.join(lacking)} by L-Mul"
        else:
            continue
        raise ValueError(f"{_called(name, module)} cannot be converted ({reason}): name it in `skip` to leave it out")


def _has_stacked_experts(module: nn.Module) -> bool:
    return hasattr(module, "num_experts") and any(p.ndim == 3 for p in module.parameters(recurse=False))


def linear_kinds() -> dict[type[nn.Module], type[nn.Module]]:
    """Each class of linear layer that can be exchanged, and its L-Mul twin; transformers' own only where it is used."""
    kinds: dict[type[nn.Module], type[nn.Module]] = {nn.Linear: LMulLinear}
    if sys.modules.get("transformers.pytorch_utils"):
        from transformers.pytorch_utils import Conv1D

        from .conv1d import LMulConv1D

        kinds[Conv1D] = LMulConv1D
    return kinds


def _convert_linears(model: nn.Module, config: LMulConfig, covers: Covers) -> int:
    kinds = linear_kinds()
    chosen = [module for name, module in model.named_modules() if type(module) in kinds and covers(name)]
    for module in chosen:
        _exchange(module, kinds[type(module)], LMulLinear.settings(config))
    return len(chosen)


def _convert_pointwise(model: nn.Module, config: LMulConfig, covers: Covers) -> int:
    """Exchange the modules that do elementwise products; ValueError where a kind that is asked for is nowhere."""
    missing, exchanged = set(config.elementwise), 0
    for name, module in model.named_modules():
        for kind in _pointwise_in(module, config) if covers(name) else ():
            if (twin := pointwise_layers.twin(module, kind)) is not None:
                _exchange(module, twin, pointwise_layers.added(config))
                missing.discard(kind)
                exchanged += 1
    if missing:
        raise ValueError(f"{type(model).__name__} has no elementwise {', '.join(sorted(missing))} to convert")
    return exchanged


def _pointwise_in(module: nn.Module, config: LMulConfig) -> list[str]:
    return [kind for kind in pointwise_layers.resembles(module) if kind in config.elementwise]


def _exchange(module: nn.Module, kind: type[nn.Module], added: dict[str, Any]) -> None:
    module.__dict__[_UNDO_CLASS] = _ClassBefore(type(module), tuple(added))
    module.__dict__.update(added)
    module.__class__ = kind


def _undo_class(module: nn.Module) -> None:
    before = module.__dict__.pop(_UNDO_CLASS)
    module.__class__ = before.kind
    for name in before.added:
        module.__dict__.pop(name, None)


def _convert_attention(model: nn.Module, config: LMulConfig, covers: Covers) -> bool:
    """Give every transformers config in the model L-Mul's settings and attention; False where there is none."""
    owners = _config_owners(model)
    if not owners:
        if config.linear:
            return False
        raise ValueError(f"{type(model).__name__} holds no transformers model: use targets='linear' for its layers")
    importlib.import_module(".hf", __package__)  # registers the name that the configs get now
    for owner in owners:
        held = _config_of(owner)
        if held._attn_implementation == NAME:
            raise ValueError(f"attention is {NAME!r} already: set another implementation before converting")
        owner.__dict__[_UNDO_CONFIG] = _ConfigBefore(held._attn_implementation, getattr(held, "lmul", None))
        held.lmul = config.to_dict()
    for name, module in model.named_modules():
        if _is_pretrained(module):
            module.set_attn_implementation(NAME)
            if _config_of(module)._attn_implementation != NAME and covers(name):
                raise ValueError(
                    f"transformers cannot exchange the attention of {_called(name, module)}: "
                    "use targets='linear', or name it in `skip`"
                )
        elif hasattr(module, "config") and not covers(name):
            module.__dict__[EXACT_MARK] = True
    return True


def _undo_config(owner: nn.Module) -> None:
    before, held = owner.__dict__.pop(_UNDO_CONFIG), _config_of(owner)
    held._attn_implementation = {"": before.implementation}  # the form that leaves sub-configs alone
    if before.settings is None:
        del held.lmul
    else:
        held.lmul = before.settings


def _config_owners(model: nn.Module) -> list[nn.Module]:
    """For each transformers config in the model, the first module that holds it."""
    if not sys.modules.get("transformers"):
        return []
    from transformers import PreTrainedConfig

    owners: dict[int, nn.Module] = {}
    for module in model.modules():
        if isinstance(_config_of(module), PreTrainedConfig):
            owners.setdefault(id(_config_of(module)), module)
    return list(owners.values())


def _config_of(module: nn.Module) -> Any:
    return getattr(module, "config", None)


def _is_pretrained(module: nn.Module) -> bool:
    if not sys.modules.get("transformers"):
        return False
    from transformers import PreTrainedModel

    return isinstance(module, PreTrainedModel)
