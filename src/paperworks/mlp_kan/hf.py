"""The feed-forward parts of transformers' ViT, BERT and Llama models, replaced by mixtures of MLPs and KANs."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn
from transformers.models.bert.modeling_bert import BertLayer
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRMSNorm
from transformers.models.vit.modeling_vit import ViTLayer

from .mixture import MLPKAN

__all__ = ["insert", "replace_ffn"]


def replace_ffn(model: nn.Module, *, hidden: int = 192, num_experts: int = 8, top_k: int = 2) -> int:
    """Puts an untrained :class:`MLPKAN` into every layer in place of its feed-forward part; returns how many.

    Attention, norms, residuals and the layer's own dropout stay. Raises ValueError for a model without ViT, BERT or
    Llama layers.
    """
    # The layer drops out what its feed-forward part returns, so that the mixture does not.
    return insert(model, lambda width: MLPKAN(width, hidden=hidden, num_experts=num_experts, top_k=top_k, dropout=0.0))


def insert(model: nn.Module, make: Callable[[int], nn.Module]) -> int:
    """Puts ``make(width)``, which maps [..., width] to as many, into every layer as `replace_ffn` does."""
    layers = [layer for layer in model.modules() if type(layer) in _INSERT]
    if not layers:
        known = ", ".join(kind.__name__ for kind in _INSERT)
        raise ValueError(f"{type(model).__name__} has no layer whose feed-forward part is known: known are {known}")
    for layer in layers:
        weight = next(layer.parameters())
        made = make(_width(layer)).to(weight.device, weight.dtype)
        _INSERT[type(layer)](layer, made.train(layer.training))
    return len(layers)


def _width(layer: nn.Module) -> int:
    norm = next(module for module in layer.modules() if isinstance(module, nn.LayerNorm | LlamaRMSNorm))
    return int(norm.weight.shape[0])


def _as_mlp(layer: nn.Module, made: nn.Module) -> None:
    layer.mlp = made


def _into_bert(layer: nn.Module, made: nn.Module) -> None:
    layer.intermediate = made
    # BertOutput adds the residual and normalises; its linear map back from the wide layer has nothing left to do.
    layer.get_submodule("output").dense = nn.Identity()


_INSERT: dict[type[nn.Module], Callable[[nn.Module, nn.Module], None]] = {
    ViTLayer: _as_mlp,
    BertLayer: _into_bert,
    LlamaDecoderLayer: _as_mlp,
}
