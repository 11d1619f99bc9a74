"""Vision at our scale: transformers' own ViT on scikit-learn's handwritten digits, and the numbers it multiplies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import ViTConfig, ViTForImageClassification

from .contenders import CONTENDERS, attention_by
from .error_table import error_table

__all__ = ["HELD_OUT", "measure"]

HELD_OUT = 697
"""Images that no model is trained on, the same for every seed; the other 1100 are for training."""

_SPLIT_SEED = 0
_BATCH = 128
_OPERANDS = 20_000


def measure(
    *, seed: int, training_steps: int, contenders: Iterable[str], ks: Iterable[int], pairs: int, device: str = "cpu"
) -> dict[str, Any]:
    """Train one model, then look at it in every arithmetic, and at the numbers it multiplies.

    Returns ``loss`` and ``correct``, each by contender an array [HELD_OUT] (cross-entropy in nats; 0 or 1), and
    ``errors``: :func:`lmul.error_table`'s records for activations times weights of this ViT and of a multilayer
    perceptron that scikit-learn trained on the same images.
    """
    train, test = _digits(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _trained(train, training_steps)
    outcome: dict[str, Any] = {"loss": {}, "correct": {}}
    for name in contenders:
        with attention_by(model, CONTENDERS[name]):
            loss, correct = _tested(model, test)
        outcome["loss"][name], outcome["correct"][name] = loss, correct
    ks = list(ks)
    operands = {"vision transformer": _operands_of_vit(model, test[0]), "perceptron": _operands_of_mlp(train, seed)}
    outcome["errors"] = [
        {**record, "dist": name}
        for name, pair in operands.items()
        for record in error_table(ks, pair, pairs=pairs, seed=seed)
    ]
    return outcome


def _digits(device: str) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Images [N, 1, 8, 8] in [0, 1] and labels [N]: for training, and held out, the same share of every digit."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(images, labels, test_size=HELD_OUT, stratify=labels, random_state=_SPLIT_SEED)
    train_x, test_x = (torch.tensor(part / 16, dtype=torch.float32).reshape(-1, 1, 8, 8) for part in parts[:2])
    train_y, test_y = (torch.tensor(part) for part in parts[2:])
    train_x, test_x, train_y, test_y = (part.to(device) for part in (train_x, test_x, train_y, test_y))
    return (train_x, train_y), (test_x, test_y)


def _trained(train: tuple[Tensor, Tensor], steps: int) -> ViTForImageClassification:
    """A ViT of two layers and 18 thousand parameters, trained for ``steps`` batches; seeded by torch's generator."""
    config = ViTConfig(
        image_size=8,
        patch_size=2,
        num_channels=1,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        num_labels=10,
    )
    model = ViTForImageClassification(config).to(train[0].device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps, pct_start=0.1)
    images, labels = train
    for _ in range(steps):
        chosen = torch.randint(len(images), (_BATCH,))
        loss = model(pixel_values=images[chosen], labels=labels[chosen]).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval()


@torch.no_grad()
def _tested(
    model: ViTForImageClassification, test: tuple[Tensor, Tensor]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    images, labels = test
    logits = model(pixel_values=images).logits
    loss = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    return loss.cpu().numpy(), (logits.argmax(-1) == labels).float().cpu().numpy()


@torch.no_grad()
def _operands_of_vit(model: ViTForImageClassification, images: Tensor) -> tuple[Tensor, Tensor]:
    """What its linear layers multiply: a sample of their inputs, and all of their weights."""
    inputs: list[Tensor] = []
    layers = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    hooks = [layer.register_forward_pre_hook(lambda _, given: inputs.append(given[0].flatten())) for layer in layers]
    try:
        model(pixel_values=images)
    finally:
        for hook in hooks:
            hook.remove()
    activations = torch.cat(inputs)
    return activations[:: max(1, len(activations) // _OPERANDS)], torch.cat(
        [layer.weight.flatten() for layer in layers]
    )


def _operands_of_mlp(train: tuple[Tensor, Tensor], seed: int) -> tuple[Tensor, Tensor]:
    """What scikit-learn's perceptron of one hidden layer multiplies in its second layer."""
    from sklearn.neural_network import MLPClassifier

    images, labels = train[0].flatten(1).cpu().numpy(), train[1].cpu().numpy()
    mlp = MLPClassifier(hidden_layer_sizes=(32,), max_iter=200, early_stopping=True, random_state=seed)
    mlp.fit(images, labels)
    hidden = np.maximum(images @ mlp.coefs_[0] + mlp.intercepts_[0], 0)
    return torch.from_numpy(hidden).flatten(), torch.from_numpy(mlp.coefs_[1]).flatten()
