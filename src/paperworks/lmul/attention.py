"""L-Mul inside transformers' attention: scores q·k and mixtures weights·v by integer addition, the softmax in float32.

Sections 2.4 and 2.5 of the specification, case (a). The scale 1/sqrt(D) stays an ordinary multiplication (for D = 64
or 256 it is a power of two, which L-Mul multiplies by exactly anyway).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from paperworks.lab.attention import attention_weights, grouped

from .config import PRODUCTS, LMulConfig
from .matmul import matmul

__all__ = ["NAME", "attend", "attention_forward"]

Product: TypeAlias = Callable[[Tensor, Tensor], Tensor]

NAME = "lmul"  # in transformers' registries

_DEFAULTS: Mapping[str, Any] = LMulConfig().to_dict()
_ARITHMETIC = tuple(LMulConfig().arithmetic)

EXACT_MARK = "_lmul_exact"  # set by convert on attention modules that stay as they are
AFTER = "_lmul_after"  # set by calibrate: by product, what is done with (a, b, their product)


def attention_forward(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[Tensor, Tensor]:
    """Attention with both products by L-Mul, for transformers (registered as ``"lmul"`` by ``paperworks.lmul.hf``).

    ``query`` [B, H, N, D], ``key`` and ``value`` [B, H_kv, M, D] (grouped heads are shared here, not by the caller);
    ``attention_mask`` additive or boolean, broadcast to [B, H, N, M]; ``scaling`` defaults to 1/sqrt(D).
    Returns the output [B, N, H, D] and the weights [B, H, N, M] in the dtype of ``value``.

    The settings are ``module.config.lmul``, a dictionary with any of :class:`LMulConfig`'s fields; what it leaves
    out, or a config without one, means LMulConfig's defaults. Masked keys get a weight of exactly zero, and zero
    times anything is zero in L-Mul. ``softcap`` (Gemma 2), ``position_bias`` (T5), ``s_aux`` (sinks, GPT-OSS) and
    dropout act as in transformers' eager attention; other keywords (sliding windows come with the mask) are ignored.

    Raises ValueError for an unknown setting.
    """
    return attend(_products(module), module, query, key, value, attention_mask, scaling, dropout, **kwargs)


def attend(
    products: tuple[Product, Product],
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    *,
    softcap: float | None = None,
    position_bias: Tensor | None = None,
    s_aux: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor]:
    """:func:`attention_forward` with any two functions ``(a, b) -> a @ b``, for q·k and for weights·v."""
    scores_product, mixture_product = products
    if scaling is None:
        scaling = query.shape[-1] ** -0.5
    scores = grouped(scores_product, query, key.transpose(-2, -1)).float() * scaling
    weights = attention_weights(scores, attention_mask, softcap=softcap, position_bias=position_bias, sinks=s_aux)
    weights = nn.functional.dropout(weights.to(value.dtype), p=dropout, training=module.training)
    mixed = grouped(mixture_product, weights, value)
    return mixed.transpose(1, 2).contiguous(), weights


def _products(module: nn.Module) -> tuple[Product, Product]:
    """The functions that multiply q·k and weights·v in this module: L-Mul's with its settings, or torch's."""
    settings = {**_DEFAULTS, **(getattr(getattr(module, "config", None), "lmul", None) or {})}
    if unknown := sorted(set(settings) - set(_DEFAULTS)):
        raise ValueError(f"config.lmul has unknown settings {', '.join(unknown)}: choose from {', '.join(_DEFAULTS)}")
    wanted = settings["products"]
    if not set(wanted) <= set(PRODUCTS):
        raise ValueError(f"config.lmul['products'] must be some of {', '.join(PRODUCTS)}, not {wanted!r}")
    if getattr(module, EXACT_MARK, False):
        wanted = ()
    lmul_product = partial(matmul, **{name: settings[name] for name in _ARITHMETIC})
    after = getattr(module, AFTER, {})
    scores, mixture = (_then(lmul_product, after.get(name)) if name in wanted else torch.matmul for name in PRODUCTS)
    return scores, mixture


def _then(product: Product, after: Callable[[Tensor, Tensor, Tensor], Tensor] | None) -> Product:
    return product if after is None else lambda a, b: after(a, b, product(a, b))
