"""The loss of a model on some batches by its layers' budgets, computed from the first layer that differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from .models import attention_modules, pruned

__all__ = ["PrunedLoss"]

Budgets = tuple[int, ...]


class PrunedLoss:
    """``PrunedLoss(model, batches)(budgets)`` is the mean loss in nats a token, of every token but the first of a row.

    ``batches`` are mappings with ``input_ids`` [B, N] and perhaps an ``attention_mask``. A budget of the whole length
    drops nothing. Each value is computed once.
    """

    def __init__(self, model: Any, batches: Sequence[Mapping[str, Tensor]]) -> None:
        self._model, self._batches = model, batches
        self._layers = _decoder_layers(model)
        self._known: dict[Budgets, float] = {}
        self._base: Budgets = ()
        self._outputs: list[list[Any]] = []

    def __call__(self, budgets: Budgets) -> float:
        """The loss; layers before the first that differs from `remember`'s budgets are not computed again."""
        if budgets not in self._known:
            pairs = zip(budgets, self._base, strict=False)
            same = next((layer for layer, (ours, base) in enumerate(pairs) if ours != base), len(self._base))
            with self._evaluating(budgets):
                sums = [self._sum(index, same) for index in range(len(self._batches))]
            self._known[budgets] = sum(loss for loss, _ in sums) / sum(count for _, count in sums)
        return self._known[budgets]

    def remember(self, budgets: Budgets) -> None:
        """Keep what every layer gives out with these budgets, L times the hidden states, for evaluations close by."""
        outputs: list[list[Any]] = []

        def keep(_: Any, __: Any, output: Any) -> None:
            outputs[-1].append(output)

        hooks = [layer.register_forward_hook(keep) for layer in self._layers]
        try:
            with self._evaluating(budgets):
                for batch in self._batches:
                    outputs.append([])
                    self._model(**_inputs(batch))
        finally:
            for hook in hooks:
                hook.remove()
        self._base, self._outputs = budgets, outputs

    @contextmanager
    def _evaluating(self, budgets: Budgets) -> Iterator[None]:
        was_training = self._model.training
        self._model.eval()
        longest = max(batch["input_ids"].shape[1] for batch in self._batches)
        limits = [budget if budget < longest else None for budget in budgets]
        try:
            with torch.inference_mode(), pruned(self._model, limits):
                yield
        finally:
            self._model.train(was_training)

    def _sum(self, index: int, same: int) -> tuple[float, int]:
        """The summed loss of a batch and its tokens; the first ``same`` layers give what they gave before."""
        batch = self._batches[index]
        known = self._outputs[index][:same] if same else []
        with _replaced(self._layers[: len(known)], known):
            logits = self._model(**_inputs(batch)).logits[:, :-1].float()
        targets = batch["input_ids"][:, 1:]
        if (mask := batch.get("attention_mask")) is not None:
            targets = targets.masked_fill(~(mask[:, 1:].bool() & mask[:, :-1].bool()), -100)
        losses = cross_entropy(logits.transpose(1, 2), targets, reduction="sum", ignore_index=-100)
        return float(losses), int((targets != -100).sum())


def _inputs(batch: Mapping[str, Tensor]) -> dict[str, Any]:
    return {name: batch[name] for name in ("input_ids", "attention_mask") if name in batch} | {"use_cache": False}


@contextmanager
def _replaced(layers: Sequence[Any], outputs: Sequence[Any]) -> Iterator[None]:
    """Let layers give these outputs and compute nothing."""
    for layer, output in zip(layers, outputs, strict=True):
        layer.forward = lambda *_, output=output, **__: output
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _decoder_layers(model: Any) -> list[Any]:
    """The decoder's layers: for each attention module, what stands in a list of modules and holds it."""
    names = {module: name for name, module in model.named_modules()}
    lists = {name for name, module in model.named_modules() if isinstance(module, torch.nn.ModuleList)}
    layers = []
    for attention in attention_modules(model):
        parts = names[attention].split(".")
        depth = next(depth for depth in range(len(parts) - 1, 0, -1) if ".".join(parts[:depth]) in lists)
        layers.append(model.get_submodule(".".join(parts[: depth + 1])))
    return layers
