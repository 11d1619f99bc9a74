"""Small Llamas of Python source with selective and standard attention, trained alike and judged on the same tokens.

A model of a recipe and a seed starts from the same draw and sees the same batches as the others; what differs is the
attention, or the loss. Everything is a step of the lab: a run that is cut off goes on where it was, in the middle of a
training too.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from paperworks.lab import Lab, tiny_lm
from paperworks.lab.corpus import Split
from paperworks.lab.disk import write_atomically
from paperworks.lab.tiny_lm import Recipe, Tokens
from paperworks.lab.train_tiny_lm import Objective, Training, next_token_loss, untrained

from . import hf
from .budgets import find_budgets
from .hellaswag import HellaSwag, answers
from .memory import memory_loss, recorded
from .models import pruned, windowed
from .pruned_loss import PrunedLoss
from .texts import Texts

__all__ = ["VARIANTS", "Study", "Variant"]

Point = dict[str, float]
ByFile = dict[str, Any]

_WATCHED_PER_FILE = 1000
"""How much of each validation file a learning curve is taken on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What a model has in the place of standard attention. ``heads`` multiplies the recipe's, of the same width each;
    ``memory`` is the weight of the memory loss."""

    says: str
    selective: bool = False
    heads: int = 1
    memory: float = 0.0


VARIANTS: Mapping[str, Variant] = {
    "standard": Variant(says="standard"),
    "selective": Variant(says="selective", selective=True),
    "wide": Variant(says="standard, twice the heads", heads=2),
    "memory": Variant(says="selective, memory loss", selective=True, memory=0.1),
}


def built(recipe: Recipe, variant: Variant) -> LlamaForCausalLM:
    """The untrained model of a variant."""
    config = replace(recipe, heads=variant.heads * recipe.heads, kv_heads=variant.heads * recipe.kv_heads).config()
    config.head_dim = recipe.hidden // recipe.heads
    model = untrained(recipe, config)
    if variant.selective:
        hf.enable(model, mem_loss_eps=variant.memory)
    return model


def objective(variant: Variant) -> Objective:
    """What is lowered in training: the cross-entropy, with the memory loss where the variant has one."""
    if not variant.memory:
        return next_token_loss

    def with_memory(model: LlamaForCausalLM, inputs: Tensor, targets: Tensor) -> Tensor:
        with recorded(model) as recorder:
            loss = next_token_loss(model, inputs, targets)
        return loss + memory_loss(recorder, eps=variant.memory)

    return with_memory


class Study:
    """The models of one recipe, trained and judged on ``texts``.

    ``checkpoints`` says at how many places of a training the validation loss is taken, evenly apart.
    """

    def __init__(self, lab: Lab, recipe: Recipe, texts: Texts, *, checkpoints: int) -> None:
        self.recipe, self.texts = recipe, texts
        self._lab, self._checkpoints = lab, checkpoints
        self._tokenizer = tiny_lm.tokenizer_of(lab, texts.corpus, recipe.vocabulary)
        self._sizes = tiny_lm.token_sizes(self._tokenizer)
        self._key = {"recipe": recipe, "corpus": texts.corpus.digest}
        self._streams: dict[tuple[Split, int | None], Tokens] = {}
        self._curves: dict[str, list[list[Point]]] = {}

    def stream(self, split: Split, tokens_per_file: int | None = None) -> Tokens:
        """[N]: the files of a split as tokens, a separator before each, or so many tokens of each file at most."""
        if (split, tokens_per_file) not in self._streams:
            files = [tiny_lm.token_stream(self._tokenizer, [text]) for text in self.texts.corpus.texts(split)]
            self._streams[split, tokens_per_file] = np.concatenate([file[:tokens_per_file] for file in files])
        return self._streams[split, tokens_per_file]

    def curves(self, variant: str) -> list[list[Point]]:
        """The learning curve of each seed: ``step``, ``seconds`` of training until then, and validation ``nats``."""
        if variant not in self._curves:
            trained = self._lab.each_seed(self._training(variant), self._train, **self._settings(variant))
            self._curves[variant] = [one["curve"] for one in trained]
        return self._curves[variant]

    def losses(
        self, variant: str, *, tokens_per_file: int | None = None, budget: int | None = None, window: int | None = None
    ) -> list[ByFile]:
        """The validation loss of each seed, ``nats`` [F] summed over each file's ``tokens`` [F].

        With a ``budget`` every layer stores so many tokens, by the penalty; with a ``window`` it sees the last ones.
        """
        what = {"tokens_per_file": tokens_per_file, "budget": budget, "window": window}
        name = f"judge-{variant}-{self.recipe.context}"
        return self._lab.each_seed(name, self._losses, variant=variant, **what, **self._key)

    def budgets(self, *, sequences: int, step: int) -> list[dict[str, Any]]:
        """For each seed, how far the model with the memory loss can be pruned at the standard model's loss.

        ``factor`` is that of memory and ``budgets`` one number a layer, found on ``sequences`` sequences of validation.
        "validation" and "test" hold the loss that was to be reached, the ``target``, and the pruned model's, on as many
        sequences of each split; "window" is how many tokens a sliding window of one size for all layers has to store
        for it on the validation ones. Where even the whole context does not reach the target, the factor is 1.
        """
        name = f"budgets-{self.recipe.context}"
        return self._lab.each_seed(name, self._budgets, sequences=sequences, step=step, **self._key)

    def answers(self, variant: str, asked: HellaSwag) -> list[ByFile]:
        """How each seed's model does on HellaSwag: ``correct`` [Q], 1 or 0 for each question."""
        name = f"hellaswag-{variant}-{self.recipe.context}"
        return self._lab.each_seed(name, self._answers, variant=variant, asked=asked, **self._key)

    def _training(self, variant: str) -> str:
        return f"train-{variant}-{self.recipe.context}"

    def _settings(self, variant: str) -> dict[str, Any]:
        return {"variant": variant, "checkpoints": self._checkpoints, **self._key}

    def _train(self, *, seed: int, variant: str, checkpoints: int, recipe: Recipe, corpus: str) -> dict[str, Any]:
        """The weights by name, and the learning curve."""
        kind, recipe, folder = VARIANTS[variant], replace(recipe, seed=seed), self._lab.scratch("training")
        training = Training(
            recipe,
            self.stream("train"),
            folder,
            device=self._lab.device,
            model=built(recipe, kind),
            objective=objective(kind),
        )
        curve = self._followed(training, f"train {kind.says}, seed {seed}", checkpoints, folder / "curve.json")
        weights = {name: tensor.cpu().numpy() for name, tensor in training.model.state_dict().items()}
        return {"weights": weights, "curve": curve}

    def _followed(self, training: Training, label: str, checkpoints: int, file: Path) -> list[Point]:
        """Train to the end; the points of the curve are kept in ``file`` on the way."""
        steps = training.recipe.steps
        due = {round(steps * place / checkpoints) for place in range(1, checkpoints + 1)}
        watched = self.stream("validation", _WATCHED_PER_FILE)
        points = [point for point in _stored(file) if point["step"] <= training.done]
        if training.done in due and training.done not in [point["step"] for point in points]:
            points.append(self._point(training, watched, []))
        paces, began = [], perf_counter()
        for done in self._lab.progress(training.run(), label, steps - training.done):
            paces.append(perf_counter() - began)
            if done in due:
                points.append(self._point(training, watched, paces))
                write_atomically(file, json.dumps(points).encode())
                paces = []
            began = perf_counter()
        return _timed(points)

    def _point(self, training: Training, watched: Tokens, paces: Sequence[float]) -> dict[str, Any]:
        """``pace`` is in seconds a step, None where a cut has lost it."""
        nats = self._evaluated(training.model, watched).nats_per_token
        return {"step": training.done, "nats": nats, "pace": median(paces) if paces else None}

    def _model(self, variant: str, seed: int) -> LlamaForCausalLM:
        trained = self._lab.step(self._training(variant), self._train, seed=seed, **self._settings(variant))
        model = built(self.recipe, VARIANTS[variant])
        model.load_state_dict({name: torch.from_numpy(array) for name, array in trained["weights"].items()})
        return model.to(torch.device(self._lab.device)).eval()  # type: ignore[arg-type]

    def _losses(
        self,
        *,
        seed: int,
        variant: str,
        tokens_per_file: int | None,
        budget: int | None,
        window: int | None,
        recipe: Recipe,
        corpus: str,
    ) -> ByFile:
        model, stream = self._model(variant, seed), self.stream("validation", tokens_per_file)
        if not VARIANTS[variant].selective:
            hf.enable(model, layers=())  # standard attention still, by a function that knows of windows
        with _limited(model, budget, window):
            score = self._evaluated(model, stream)
        files = np.cumsum(stream == tiny_lm.SEPARATOR_ID)
        file = files[1:][self._sizes[stream[1:]] > 0] - 1
        return {
            "nats": np.bincount(file, weights=score.nats, minlength=int(files[-1])),
            "tokens": np.bincount(file, minlength=int(files[-1])),
        }

    def _answers(self, *, seed: int, variant: str, asked: HellaSwag, recipe: Recipe, corpus: str) -> ByFile:
        spoken: Any = PreTrainedTokenizerFast
        tokenizer = spoken(
            tokenizer_object=self._tokenizer, eos_token=tiny_lm.SEPARATOR, clean_up_tokenization_spaces=False
        )
        return {"correct": answers(self._model(variant, seed), tokenizer, asked)}

    def _evaluated(self, model: LlamaForCausalLM, stream: Tokens) -> tiny_lm.Score:
        """Every window is read from its first token on, as a model that serves reads a context."""
        context = self.recipe.context
        return tiny_lm.evaluate(model, stream, self._sizes, context=context, stride=context)

    def _budgets(self, *, seed: int, sequences: int, step: int, recipe: Recipe, corpus: str) -> dict[str, Any]:
        standard, model = (self._model(variant, seed) for variant in ("standard", "memory"))
        rows = {split: self._sequences(split, sequences) for split in ("validation", "test")}
        budgets, factor, window = (recipe.context,) * recipe.layers, 1.0, recipe.context
        targets = {split: _loss(standard, tokens, budgets) for split, tokens in rows.items()}
        whole = _loss(model, rows["validation"], budgets)
        if whole <= targets["validation"]:
            found = find_budgets(model, rows["validation"].split(_ROWS), targets["validation"], step=step)
            budgets, factor = found.budgets, found.memory_factor
            window = _stored_by_window(model, rows["validation"], targets["validation"])
        losses = {split: _loss(model, tokens, budgets) for split, tokens in rows.items()}
        outcome = {split: {"target": targets[split], "loss": losses[split]} for split in rows}
        return {"factor": factor, "budgets": list(budgets), "whole": whole, "window": window, **outcome}

    def _sequences(self, split: Split, count: int) -> Tensor:
        """``count`` rows [B, context] of a split, evenly apart."""
        stream, context = self.stream(split), self.recipe.context
        starts = np.linspace(0, len(stream) - context, count).astype(int)
        rows = torch.from_numpy(np.stack([stream[start : start + context] for start in starts]).astype(np.int64))
        return rows.to(self._lab.device)


_ROWS = 16
"""Sequences that are evaluated at once."""


def _limited(model: LlamaForCausalLM, budget: int | None, window: int | None) -> AbstractContextManager[None]:
    if window is not None:
        return windowed(model, window)
    return nullcontext() if budget is None else pruned(model, budget)


def _loss(model: LlamaForCausalLM, tokens: Tensor, budgets: tuple[int, ...]) -> float:
    """Nats a token on rows [B, N], computed as the search for budgets does; a budget of N drops nothing."""
    return PrunedLoss(model, [{"input_ids": rows} for rows in tokens.split(_ROWS)])(budgets)


def _stored_by_window(model: LlamaForCausalLM, tokens: Tensor, target: float) -> int:
    """How many of a row's N tokens the smallest sliding window that reaches the target stores, by bisection."""

    def reaches(window: int) -> bool:
        with torch.inference_mode(), windowed(model, window):
            losses = [model(input_ids=rows, labels=rows).loss for rows in tokens.split(_ROWS)]
        return float(np.average([float(loss) for loss in losses], weights=[*map(len, tokens.split(_ROWS))])) <= target

    return max(1, bisect_left(range(1, tokens.shape[1]), True, key=reaches))


def _stored(file: Path) -> list[dict[str, Any]]:
    points: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    return points


def _timed(points: Sequence[Mapping[str, Any]]) -> list[Point]:
    """The points with the seconds of training up to each; a pace that is not known is taken as the others' median."""
    usual = median([point["pace"] for point in points if point["pace"] is not None] or [0.0])
    timed, step, seconds = [], 0, 0.0
    for point in points:
        seconds += (point["step"] - step) * (usual if point["pace"] is None else point["pace"])
        step = point["step"]
        timed.append({"step": float(step), "seconds": seconds, "nats": float(point["nats"])})
    return timed
