"""Images at our scale: transformers' ViT on scikit-learn's handwritten digits, with various feed-forward parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from transformers import ViTConfig, ViTForImageClassification
from transformers.models.vit.modeling_vit import ViTLayer

from paperworks.lab import timing

from . import hf
from .bumps import FasterKANLinear
from .contenders import parameters, widest
from .mixture import MLPKAN

__all__ = ["HELD_OUT", "Shape", "correct_answers", "feed_forward_parameters"]

HELD_OUT = 697
"""Images that no network is trained on, the same for every seed; the other 1100 are for training."""

_BATCH = 64
_LEARNING_RATE = 3e-3
_SPLIT_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Tokens of ``width`` numbers through ``layers`` layers; ``expert`` is the hidden width of an expert."""

    width: int
    layers: int
    expert: int


def correct_answers(
    *, seed: int, kind: str, experts: int, top_k: int, shape: Shape, steps: int, threads: int, device: str = "cpu"
) -> NDArray[np.float32]:
    """Which of the held-out digits a network reads right after ``steps`` batches, 0 or 1: [HELD_OUT].

    ``kind`` is "MLP-KAN" with so many experts, of which a token goes to ``top_k``, or "MLP" or "KAN" with as many
    parameters as that mixture.
    """
    train, test = _digits(device)
    with timing.threads(threads), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _vit(shape)
        _put_in(model, kind, experts, top_k, shape)
        _train(model.to(device), *train, steps=steps, seed=seed)
        with torch.no_grad():
            answers = model.eval()(pixel_values=test[0]).logits.argmax(dim=-1)
    return (answers == test[1]).float().cpu().numpy()


def feed_forward_parameters(kind: str, *, experts: int, shape: Shape) -> int:
    """How many parameters one layer's feed-forward part has."""
    if kind == "MLP-KAN":
        return parameters(MLPKAN(shape.width, hidden=shape.expert, num_experts=experts))
    return parameters(_as_large(kind, experts, shape))


def _vit(shape: Shape) -> ViTForImageClassification:
    config = ViTConfig(
        image_size=8,
        patch_size=2,
        num_channels=1,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=2,
        intermediate_size=shape.width,
        num_labels=10,
        initializer_range=0.1,
    )
    return ViTForImageClassification(config)


def _put_in(model: nn.Module, kind: str, experts: int, top_k: int, shape: Shape) -> None:
    if kind == "MLP-KAN":
        hf.replace_ffn(model, hidden=shape.expert, num_experts=experts, top_k=top_k)
        return
    for layer in model.modules():
        if isinstance(layer, ViTLayer):
            layer.mlp = _as_large(kind, experts, shape)


def _mlp(width: int, hidden: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width, hidden), nn.SiLU(), nn.Linear(hidden, width))


def _kan(width: int, hidden: int) -> nn.Module:
    return nn.Sequential(FasterKANLinear(width, hidden), FasterKANLinear(hidden, width))


_PLAIN: dict[str, Callable[[int, int], nn.Module]] = {"MLP": _mlp, "KAN": _kan}


def _as_large(kind: str, experts: int, shape: Shape) -> nn.Module:
    """The widest feed-forward part of a kind that has at most as many parameters as the mixture."""
    make = partial(_PLAIN[kind], shape.width)
    return make(widest(make, feed_forward_parameters("MLP-KAN", experts=experts, shape=shape)))


def _train(model: nn.Module, images: Tensor, labels: Tensor, *, steps: int, seed: int) -> None:
    optimiser = torch.optim.AdamW(model.parameters(), lr=_LEARNING_RATE, weight_decay=0.05, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=_LEARNING_RATE, total_steps=steps, pct_start=0.1)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        batch = torch.randint(len(images), (_BATCH,), generator=generator).to(images.device)
        loss = model(pixel_values=images[batch], labels=labels[batch]).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


def _digits(device: str) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Images [N, 1, 8, 8] in [-1, 1] and labels [N]: for training, and held out, the same share of every digit."""
    pixels, labels = load_digits(return_X_y=True)
    parts: list[Any] = train_test_split(
        pixels.reshape(-1, 1, 8, 8) / 8 - 1, labels, test_size=HELD_OUT, stratify=labels, random_state=_SPLIT_SEED
    )
    images, new_images = (torch.tensor(part, dtype=torch.float32, device=device) for part in parts[:2])
    answers, new_answers = (torch.tensor(part, device=device) for part in parts[2:])
    return (images, answers), (new_images, new_answers)
