"""The attention modules of a transformers model: which they are, their settings, and what is asked of them for a while.

What a context manager asks stands on the modules themselves, not in a context variable: with gradient checkpointing a
layer runs again during the backward pass, on a thread of autograd's, and has to do there what it did before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from .attention import penalties
from .config import Budgets, SelectiveConfig
from .layout import Layout

NAME = "selective"  # in transformers' registries
SETTINGS = "selective_attention"  # in a model's config
LIMIT = "_selective_limit"
OBSERVER = "_selective_observer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a layer's whole sequences are evaluated under: a budget of stored tokens, a window, or neither."""

    budget: int | None = None
    window: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the votes of one layer in one call are made from: ``query`` [B, H, N, D], ``key`` [B, H_kv, M, D]."""

    layer: int
    query: Tensor
    key: Tensor
    layout: Layout
    scale: float
    selector_head: int
    softcap: float | None
    before: Tensor | None

    def penalties(self) -> tuple[Tensor, Tensor]:
        """F [B, N, M] and F_next [B, M]."""
        return penalties(
            self.query,
            self.key,
            self.layout,
            scale=self.scale,
            selector_head=self.selector_head,
            before=self.before,
            softcap=self.softcap,
        )


Observer = Callable[[Selection], None]


def settings_of(config: Any) -> SelectiveConfig:
    """The settings in a model's config, or in that of its text decoder; the defaults where there are none."""
    decoder = config.get_text_config(decoder=True)
    return SelectiveConfig.from_dict(getattr(decoder, SETTINGS, None) or {})


def attention_modules(model: Any) -> list[Any]:
    """The self-attention modules of a decoder in the order of its layers.

    Raises ValueError where the model has none, or attends in both directions.
    """
    found = [module for module in model.modules() if hasattr(module, "is_causal") and hasattr(module, "layer_idx")]
    if model.config.is_encoder_decoder or not found or not all(module.is_causal for module in found):
        raise ValueError(
            f"selective attention is defined for causal decoders: {type(model).__name__} has no causal self-attention "
            "alone that transformers dispatches by name"
        )
    return sorted(found, key=lambda module: int(module.layer_idx))


@contextmanager
def pruned(model: Any, budgets: Budgets = None) -> Iterator[None]:
    """Let ``model`` evaluate whole sequences as if every layer had kept to its budget, token by token.

    This is what decoding with `SelectiveCache` computes, in one pass over the sequence. ``budgets`` is one number, one
    a layer (None: no limit), or None for those of the model's settings. Raises ValueError for budgets that do not fit.
    """
    modules = attention_modules(model)
    budgets = settings_of(model.config).budgets_of(len(modules), budgets)
    with _marked(modules, LIMIT, [Limit(budget=budget) for budget in budgets]):
        yield


@contextmanager
def windowed(model: Any, window: int) -> Iterator[None]:
    """Let every layer of ``model`` see the last ``window`` tokens alone, the query's own among them.

    The local attention that pruning is compared with: a budget of K compares with a window of K + 1, since both store
    K tokens between steps. Raises ValueError for a window that does not hold the query's own token.
    """
    if window < 1:
        raise ValueError(f"a window must hold the query's own token at least, not {window}")
    modules = attention_modules(model)
    with _marked(modules, LIMIT, [Limit(window=window)] * len(modules)):
        yield


@contextmanager
def observed(model: Any, observer: Observer) -> Iterator[None]:
    """Call ``observer`` with the `Selection` of every layer that selects, each time ``model`` runs.

    With gradient checkpointing the layers run, and are observed, once more in the backward pass; keep the context open
    until then, so that both runs do the same.
    """
    modules = attention_modules(model)
    with _marked(modules, OBSERVER, [observer] * len(modules)):
        yield


@contextmanager
def _marked(modules: Sequence[Any], mark: str, values: Sequence[Any]) -> Iterator[None]:
    before = [getattr(module, mark, None) for module in modules]
    for module, value in zip(modules, values, strict=True):
        setattr(module, mark, value)
    try:
        yield
    finally:
        for module, value in zip(modules, before, strict=True):
            setattr(module, mark, value)
