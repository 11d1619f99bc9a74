"""Selective attention in transformers: importing this registers the attention function ``"selective"`` and its mask.

>>> from transformers import LlamaConfig, LlamaForCausalLM
>>> from paperworks.selective_attention import SelectiveCache, hf
>>> sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
>>> model = hf.enable(LlamaForCausalLM(LlamaConfig(vocab_size=64, **sizes)), budgets=16)
>>> ids = model.generate(max_new_tokens=40, past_key_values=SelectiveCache(model), bos_token_id=1, eos_token_id=None)

A folder that ``save_pretrained`` writes remembers it: where this module has been imported, ``from_pretrained`` gives a
model with selective attention again, and where it has not, an error.
"""

from __future__ import annotations

from typing import Any

from paperworks.lab.attention import register

from .config import SelectiveConfig
from .forward import attention_forward, tokens_mask
from .models import NAME, SETTINGS, attention_modules

__all__ = ["disable", "enable"]

_FORMER = "_selective_former"

register(NAME, attention_forward, mask=tokens_mask)


def enable(model: Any, config: SelectiveConfig | None = None, **settings: Any) -> Any:
    """Give a transformers decoder selective attention in place; returns the model.

    The settings are ``config``, or `SelectiveConfig`'s fields as keywords. They are stored in the model's config.

    Raises ValueError for a model that is not a causal decoder, a selector head or a layer that does not exist, and
    budgets that do not fit the layers.
    """
    if config is not None and settings:
        raise ValueError(f"give a SelectiveConfig or its fields, not both: {', '.join(settings)}")
    config = SelectiveConfig(**settings) if config is None else config
    layers, decoder = len(attention_modules(model)), model.config.get_text_config(decoder=True)
    if config.selector_head >= decoder.num_attention_heads:
        raise ValueError(
            f"selector_head={config.selector_head} does not exist: heads are 0 to {decoder.num_attention_heads - 1}"
        )
    if not isinstance(config.layers, str) and not set(config.layers) <= set(range(layers)):
        raise ValueError(f"layers={list(config.layers)} names layers that do not exist: they are 0 to {layers - 1}")
    config.budgets_of(layers)
    if model.config._attn_implementation != NAME:
        setattr(model, _FORMER, model.config._attn_implementation)
    model.set_attn_implementation(NAME)
    if model.config._attn_implementation != NAME:
        raise ValueError(f"{type(model).__name__} does not let its attention be replaced by name")
    setattr(decoder, SETTINGS, config.to_dict())
    model.config.attn_implementation = NAME  # what from_pretrained reads; transformers itself does not save it
    return model


def disable(model: Any) -> Any:
    """Give the model back the attention that it had before `enable`, or eager where that is not known."""
    decoder = model.config.get_text_config(decoder=True)
    model.set_attn_implementation(getattr(model, _FORMER, "eager"))
    for config, name in ((decoder, SETTINGS), (model.config, "attn_implementation")):
        if hasattr(config, name):
            delattr(config, name)
    return model
