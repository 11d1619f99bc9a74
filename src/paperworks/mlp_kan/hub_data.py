"""The paper's own data, from the hub: images to classify, and sentences for a BERT with its published weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import ViTConfig, ViTForImageClassification

from paperworks.core import MissingExtra, UserError
from paperworks.lab import timing

from . import feed_forward
from .feed_forward import Shape

__all__ = ["CIFAR10", "SST2", "HubImages", "HubSentences", "images_read", "sentences_read"]

_BATCH = 250  # items at a time when a network is asked


@dataclass(frozen=True, slots=True, kw_only=True)
class HubImages:
    """Images of ``size`` by ``size`` pixels, in patches of ``patch``, of so many ``classes``; splits and columns."""

    says: str
    dataset: str
    image: str
    label: str
    classes: int
    size: int
    patch: int
    train: str = "train"
    test: str = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSentences:
    """Sentences of two classes, and the BERT ``model`` fine-tuned on them; what is beyond ``longest`` tokens is cut."""

    says: str
    dataset: str
    model: str
    sentence: str = "sentence"
    label: str = "label"
    train: str = "train"
    test: str = "validation"
    longest: int = 64


CIFAR10 = HubImages(
    says="CIFAR-10", dataset="uoft-cs/cifar10", image="img", label="label", classes=10, size=32, patch=4
)
SST2 = HubSentences(says="SST-2", dataset="stanfordnlp/sst2", model="google-bert/bert-base-uncased")

Part = tuple[dict[str, Tensor], Tensor]
"""A model's inputs by name, each [N, ...], and labels [N]."""


def images_read(
    *,
    seed: int,
    kind: str,
    experts: int,
    top_k: int,
    shape: Shape,
    steps: int,
    threads: int,
    device: str = "cpu",
    data: HubImages,
) -> NDArray[np.float32]:
    """Which test images a vision transformer classifies right after ``steps`` batches, 0 or 1: [images].

    Other arguments are those of `digits.correct_answers`. Raises UserError where the images cannot be had, MissingExtra
    without datasets.
    """
    train, test = _images(data)
    with timing.threads(threads), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _vit(data, shape)
        feed_forward.put_in(model, kind, experts, top_k, shape)
        return _fitted(model, train, test, steps=steps, seed=seed, device=device)


def sentences_read(
    *,
    seed: int,
    kind: str,
    experts: int,
    top_k: int,
    shape: Shape,
    steps: int,
    threads: int,
    device: str = "cpu",
    data: HubSentences,
) -> NDArray[np.float32]:
    """The same of sentences, by the hub's model with other feed-forward parts; only ``shape.expert`` counts of a shape.

    It is fine-tuned as the paper says (Section 5): batches of 128, a learning rate of 5e-5.
    """
    train, test = _sentences(data)
    with timing.threads(threads), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _bert(data)
        feed_forward.put_in(model, kind, experts, top_k, shape)
        return _fitted(model, train, test, steps=steps, seed=seed, device=device, batch=128, learning_rate=5e-5)


def _fitted(
    model: Any, train: Part, test: Part, *, steps: int, seed: int, device: str, **recipe: Any
) -> NDArray[np.float32]:
    (inputs, labels), (held_out, answers) = (_on(part, device) for part in (train, test))
    feed_forward.train(model.to(device), inputs, labels, steps=steps, seed=seed, **recipe)
    model.eval()
    with torch.no_grad():
        parts = (
            model(**{name: values[start : start + _BATCH] for name, values in held_out.items()}).logits.argmax(-1)
            for start in range(0, len(answers), _BATCH)
        )
        found = torch.cat([*parts])
    right: NDArray[np.float32] = (found == answers).float().cpu().numpy()
    return right


def _on(part: Part, device: str) -> Part:
    inputs, labels = part
    return {name: values.to(device) for name, values in inputs.items()}, labels.to(device)


def _vit(data: HubImages, shape: Shape) -> Any:
    config: Any = ViTConfig(
        image_size=data.size,
        patch_size=data.patch,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.width,
    )
    config.num_labels = data.classes
    return ViTForImageClassification(config)


def _bert(data: HubSentences) -> Any:
    from transformers import BertForSequenceClassification

    with _had(f"{data.model} for {data.says}"):
        return BertForSequenceClassification.from_pretrained(data.model)


@cache
def _images(data: HubImages) -> tuple[Part, Part]:
    """For training, and for the test: pixels in [-1, 1], [N, 3, size, size]."""

    def part(split: str) -> Part:
        rows = _rows(data.says, data.dataset, split)
        with _had(data.says):
            pixels = np.stack([np.asarray(row[data.image].convert("RGB")) for row in rows])
            labels = torch.tensor([row[data.label] for row in rows])
        if pixels.shape[1:] != (data.size, data.size, 3):
            raise UserError(f"{data.says} has images of {pixels.shape[1:]}, not of {data.size} x {data.size} pixels")
        return {"pixel_values": torch.from_numpy(pixels).movedim(-1, 1).float() / 127.5 - 1}, labels

    return part(data.train), part(data.test)


@cache
def _sentences(data: HubSentences) -> tuple[Part, Part]:
    from transformers import AutoTokenizer

    with _had(f"the tokenizer of {data.model}"):
        tokenizer: Any = AutoTokenizer.from_pretrained(data.model)

    def part(split: str) -> Part:
        rows = _rows(data.says, data.dataset, split)
        with _had(data.says):
            texts, labels = ([row[name] for row in rows] for name in (data.sentence, data.label))
        length = {"padding": "max_length", "truncation": True, "max_length": data.longest}
        encoded = tokenizer(texts, return_tensors="pt", **length)
        return {name: encoded[name] for name in ("input_ids", "attention_mask")}, torch.tensor(labels)

    return part(data.train), part(data.test)


def _rows(says: str, dataset: str, split: str) -> list[Any]:
    try:
        from datasets import load_dataset
    except ModuleNotFoundError as error:
        raise MissingExtra("mlp_kan's preset 'paper'", error.name or "datasets", "lm-eval") from error
    with _had(says):
        return [*load_dataset(dataset, split=split)]


@contextmanager
def _had(what: str) -> Iterator[None]:
    """One sentence where ``what`` cannot be had, or lacks what is asked of it."""
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{what} cannot be had: {str(error).strip().partition(chr(10))[0]}") from error
