"""What is compared in small transformers: their feed-forward parts, of equal size, and how the models are trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from . import hf
from .bumps import FasterKANLinear
from .contenders import parameters, widest
from .mixture import MLPKAN

__all__ = ["Shape", "put_in", "size", "train"]

_BATCH = 64
_LEARNING_RATE = 3e-3


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Tokens of ``width`` numbers through ``layers`` layers of ``heads``; ``expert`` is an expert's hidden width."""

    width: int
    layers: int
    expert: int
    heads: int = 2


def put_in(model: nn.Module, kind: str, experts: int, top_k: int, shape: Shape) -> None:
    """Replace every feed-forward part of a ViT or BERT of transformers.

    ``kind`` is "MLP-KAN" with so many experts, of which a token goes to ``top_k``, or "MLP" or "KAN" with as many
    parameters as that mixture.
    """
    hf.insert(model, lambda width: _made(kind, experts, top_k, replace(shape, width=width)))


def size(kind: str, *, experts: int, shape: Shape) -> int:
    """How many parameters one layer's feed-forward part has."""
    return parameters(_made(kind, experts, 1, shape))


def _made(kind: str, experts: int, top_k: int, shape: Shape) -> nn.Module:
    if kind == "MLP-KAN":
        # The layer drops out what its feed-forward part returns, so that the mixture does not.
        return MLPKAN(shape.width, hidden=shape.expert, num_experts=experts, top_k=top_k, dropout=0.0)
    make = partial(_PLAIN[kind], shape.width)
    return make(widest(make, size("MLP-KAN", experts=experts, shape=shape)))


def _mlp(width: int, hidden: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width, hidden), nn.SiLU(), nn.Linear(hidden, width))


def _kan(width: int, hidden: int) -> nn.Module:
    return nn.Sequential(FasterKANLinear(width, hidden), FasterKANLinear(hidden, width))


_PLAIN: dict[str, Callable[[int, int], nn.Module]] = {"MLP": _mlp, "KAN": _kan}


def train(
    model: nn.Module,
    inputs: Mapping[str, Tensor],
    labels: Tensor,
    *,
    steps: int,
    seed: int,
    batch: int = _BATCH,
    learning_rate: float = _LEARNING_RATE,
) -> None:
    """So many batches of the model's own loss, for ``inputs`` by name, each [N, ...], and labels [N]."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.05, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=learning_rate, total_steps=steps, pct_start=0.1)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        rows = torch.randint(len(labels), (batch,), generator=generator).to(labels.device)
        chosen: Any = {name: values[rows] for name, values in inputs.items()}
        loss = model(**chosen, labels=labels[rows]).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
