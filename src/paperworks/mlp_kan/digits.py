"""Images at our scale: transformers' ViT on scikit-learn's handwritten digits, with various feed-forward parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor
from transformers import ViTConfig, ViTForImageClassification

from paperworks.lab import timing

from . import feed_forward
from .feed_forward import Shape

__all__ = ["HELD_OUT", "correct_answers"]

HELD_OUT = 697
"""Images that no network is trained on, the same for every seed; the other 1100 are for training."""

_SPLIT_SEED = 0


def correct_answers(
    *, seed: int, kind: str, experts: int, top_k: int, shape: Shape, steps: int, threads: int, device: str = "cpu"
) -> NDArray[np.float32]:
    """Which of the held-out digits a network reads right after ``steps`` batches, 0 or 1: [HELD_OUT].

    ``kind``, ``experts`` and ``top_k`` are those of `feed_forward.put_in`.
    """
    train, test = _digits(device)
    with timing.threads(threads), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _vit(shape)
        feed_forward.put_in(model, kind, experts, top_k, shape)
        feed_forward.train(model.to(device), {"pixel_values": train[0]}, train[1], steps=steps, seed=seed)  # type: ignore[arg-type]
        with torch.no_grad():
            answers = model.eval()(pixel_values=test[0]).logits.argmax(dim=-1)
    return (answers == test[1]).float().cpu().numpy()


def _vit(shape: Shape) -> ViTForImageClassification:
    config = ViTConfig(
        image_size=8,
        patch_size=2,
        num_channels=1,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.width,
        num_labels=10,
        initializer_range=0.1,
    )
    return ViTForImageClassification(config)


def _digits(device: str) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Images [N, 1, 8, 8] in [-1, 1] and labels [N]: for training, and held out, the same share of every digit."""
    pixels, labels = load_digits(return_X_y=True)
    parts: list[Any] = train_test_split(
        pixels.reshape(-1, 1, 8, 8) / 8 - 1, labels, test_size=HELD_OUT, stratify=labels, random_state=_SPLIT_SEED
    )
    images, new_images = (torch.tensor(part, dtype=torch.float32, device=device) for part in parts[:2])
    answers, new_answers = (torch.tensor(part, device=device) for part in parts[2:])
    return (images, answers), (new_images, new_answers)
