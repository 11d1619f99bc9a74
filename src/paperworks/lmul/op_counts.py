"""How many multiplications one forward pass of a model does, from the shapes of its layers alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["OpCount", "count_operations"]

_ATTENDING = ("full_attention", "sliding_attention", "chunked_attention")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpCount:
    """Operations of one part of a model in one forward pass."""

    part: str
    multiplications: int
    accumulations: int


def count_operations(model: Any, seq_len: int) -> tuple[tuple[OpCount, ...], int, tuple[str, ...]]:
    """Counts by part, the number of weights, and what could not be counted; for a model or a transformers config."""
    import torch

    if not isinstance(model, torch.nn.Module):
        model = _from_config(model)
    parts: dict[str, int] = {}
    left_out: dict[str, None] = {}
    for name, module in model.named_modules():
        if (weights := _multiplied_weights(module)) is not None:
            part = _part(name, module)
            parts[part] = parts.get(part, 0) + weights * seq_len
        elif any(p.ndim >= 3 for p in module.parameters(recurse=False)):
            left_out[f"{type(module).__name__} (its shape does not tell how often it is applied)"] = None
    queries, reason = _attention(model)
    if reason:
        left_out[reason] = None
    if queries:
        for part in ("attention scores q·k", "attention mixture p·v"):
            parts[part] = queries * seq_len**2
    counts = tuple(OpCount(part=part, multiplications=n, accumulations=n) for part, n in parts.items())
    return counts, sum(p.numel() for p in model.parameters()), tuple(left_out)


def _from_config(config: Any) -> Any:
    """A causal language model without weights, on the meta device."""
    import torch

    if not hasattr(config, "model_type"):
        raise TypeError(
            f"expected a torch model, a transformers config or a mapping of counts, not {type(config).__name__}"
        )
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]


def _multiplied_weights(module: Any) -> int | None:
    """Products per token of a linear layer; None for anything else."""
    import torch

    if isinstance(module, torch.nn.Linear) or type(module).__name__ == "Conv1D":  # transformers' Conv1D is linear
        return int(module.weight.numel())
    if isinstance(module, torch.nn.MultiheadAttention):  # its projections in are no layer of their own
        return sum(
            w.numel()
            for w in (module.in_proj_weight, module.q_proj_weight, module.k_proj_weight, module.v_proj_weight)
            if w is not None
        )
    return None


def _part(name: str, module: Any) -> str:
    """Linear layers of one role in all blocks are one part: the last component of the name."""
    return name.rpartition(".")[2] if name else type(module).__name__


def _attention(model: Any) -> tuple[int, str]:
    """Multiplications per query and key of QK^T in all layers (heads times head width), or why that is not known.

    Grouped heads share keys and values in memory; every query head still multiplies.
    """
    import torch

    config = getattr(model, "config", None)
    if config is None or not hasattr(config, "get_text_config"):
        modules = [m for m in model.modules() if isinstance(m, torch.nn.MultiheadAttention)]
        return sum(m.embed_dim for m in modules), "" if modules else "attention (the model has no config that tells)"
    text = config.get_text_config()
    heads = getattr(text, "num_attention_heads", None)
    if getattr(config, "is_encoder_decoder", False) or heads is None:
        return 0, f"attention of {type(config).__name__}"
    kinds = getattr(text, "layer_types", None) or ["full_attention"] * text.num_hidden_layers
    layers = sum(kind in _ATTENDING for kind in kinds)
    width = getattr(text, "head_dim", None) or text.hidden_size // heads
    return layers * heads * width, ""
