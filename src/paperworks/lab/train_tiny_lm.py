"""Training of the small language models, and the script that makes the one that is shipped.

``python -m paperworks.lab.train_tiny_lm`` trains `tiny_lm.RECIPES["tiny_lm"]` on this interpreter's standard library,
holds it against an interpolated Kneser-Ney 5-gram on the same tokens, and writes the folder
``paperworks/lab/weights/tiny_lm`` where it wins. Started again after a cut, it goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import math
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from . import tiny_lm, values
from .corpus import SPLITS, Corpus, Split, standard_library
from .disk import write_atomically
from .ngram import KneserNey
from .tiny_lm import Recipe, Tokens

LOG_EVERY = 50
SHOW_EVERY = 250
WATCHED = 20_000
"""The first tokens of validation, whose loss is shown along the way."""
CHECKPOINT = "checkpoint.pt"
Objective = Callable[[LlamaForCausalLM, torch.Tensor, torch.Tensor], torch.Tensor]
Batches = Callable[[Recipe, torch.Tensor, int], tuple[torch.Tensor, torch.Tensor]]
_LARGEST_GRADIENT = 1.0
_WORTH_A_SAVE = 20
"""Seconds of training for a second of writing checkpoints."""


def next_token_loss(model: LlamaForCausalLM, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The mean cross-entropy in nats of ``targets`` [B, T], each of which follows its input [B, T]."""
    logits = model(input_ids=inputs, use_cache=False).logits
    return torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten())


def batch(recipe: Recipe, stream: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and targets of a step: [B, T] and [B, T], the targets one token on.

    An epoch cuts the stream into windows of T tokens, from a random offset, and takes them in random order.
    """
    length = recipe.context
    windows = (len(stream) - 1) // length - 1
    epoch, place = divmod(step, windows // recipe.batch)
    rng = np.random.default_rng([recipe.seed, epoch])
    offset = int(rng.integers(length))
    chosen = rng.permutation(windows)[place * recipe.batch : (place + 1) * recipe.batch]
    rows = torch.stack([stream[start : start + length + 1] for start in (offset + chosen * length).tolist()])
    return rows[:, :-1], rows[:, 1:]


class Training:
    """A training that can be cut off anywhere and gives the same model, bit for bit, as one that was not.

    Between steps its state is the model, the optimizers and the number of steps done; they go to ``folder`` every
    ``every_s`` seconds (less often where writing them takes long) and when the loop is left. The batch of a step
    follows from the seed and the step alone, and the global random state is neither used nor changed. The same holds on
    one machine with one number of threads; sums are taken in another order elsewhere, and on a GPU.

    ``stream`` is [N] tokens. ``model`` is what to train, else `untrained` of the recipe, and ``objective`` what to
    lower; where a checkpoint is found, they must be those it was made with. ``batches`` makes the batch of a step, by
    default windows from anywhere in the stream. ``log`` gets the objective's mean over
    every `LOG_EVERY` steps. Raises ValueError for a
    stream shorter than one batch and for a checkpoint of another recipe or stream.
    """

    def __init__(
        self,
        recipe: Recipe,
        stream: Tokens,
        folder: Path,
        *,
        device: str = "cpu",
        every_s: float = 20.0,
        model: LlamaForCausalLM | None = None,
        objective: Objective = next_token_loss,
        batches: Batches = batch,
    ) -> None:
        if len(stream) <= recipe.batch * recipe.context + recipe.context:
            raise ValueError(
                f"a stream of {len(stream)} tokens is too short for batches of {recipe.batch} x {recipe.context}"
            )
        self.recipe = recipe
        self.model = (untrained(recipe) if model is None else model).to(torch.device(device))  # type: ignore[arg-type]
        self.done = 0
        self.log: list[dict[str, float]] = []
        self._stream = torch.from_numpy(stream.astype(np.int64))
        self._identity = values.digest([asdict(recipe), hashlib.sha256(stream.tobytes()).hexdigest()])
        self._checkpoint = folder / CHECKPOINT
        self._every_s = every_s
        self._objective = objective
        self._batches = batches
        self._optimizers = _optimizers(self.model, recipe)
        self._recent: list[float] = []
        self._whole = True
        self._saved = 0
        if self._checkpoint.exists():
            self._restore()

    def run(self) -> Iterator[int]:
        """Train to the end, or until the caller leaves the loop; yields the number of steps done after each."""
        last, wait = time.monotonic(), self._every_s
        try:
            while self.done < self.recipe.steps:
                self._step()
                yield self.done
                began = time.monotonic()
                if began - last > wait:
                    self.save()
                    last = time.monotonic()
                    wait = max(self._every_s, _WORTH_A_SAVE * (last - began))
        finally:
            if self._whole and self._saved != self.done:
                self.save()

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {
            "identity": self._identity,
            "done": self.done,
            "log": self.log,
            "recent": self._recent,
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
        }
        data = io.BytesIO()
        torch.save(state, data)
        write_atomically(self._checkpoint, data.getvalue())
        self._saved = self.done

    def _restore(self) -> None:
        state: dict[str, Any] = torch.load(self._checkpoint, weights_only=True, map_location=self.model.device)
        if state["identity"] != self._identity:
            raise ValueError(f"{self._checkpoint} belongs to another recipe or corpus: give an empty folder")
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.done = self._saved = state["done"]
        self.log, self._recent = state["log"], state["recent"]

    def _step(self) -> None:
        """One step; an interrupt during the update alone leaves the state torn, and then the last checkpoint counts."""
        self.model.train()
        self.model.zero_grad()
        device = self.model.device
        inputs, targets = (part.to(device) for part in self._batches(self.recipe, self._stream, self.done))
        with torch.autocast(device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
            loss = self._objective(self.model, inputs, targets)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), _LARGEST_GRADIENT)
        self._whole = False
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(self.recipe, self.done)
            optimizer.step()
        self._note(loss.item())
        self.done += 1
        self._whole = True

    def _note(self, loss: float) -> None:
        self._recent.append(loss)
        if len(self._recent) == LOG_EVERY or self.done + 1 == self.recipe.steps:
            tokens = (self.done + 1) * self.recipe.batch * self.recipe.context
            self.log.append(
                {"step": self.done + 1, "tokens": tokens, "train_nats": round(float(np.mean(self._recent)), 4)}
            )
            self._recent = []


def untrained(recipe: Recipe, config: LlamaConfig | None = None) -> LlamaForCausalLM:
    """The model before the first step, drawn from the recipe's seed; the global random state stays as it was.

    ``config`` takes the place of the recipe's.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return LlamaForCausalLM(recipe.config() if config is None else config)


def learning_rate(recipe: Recipe, step: int) -> float:
    """The rate of a step, counted from 0: a linear rise over the warm-up, then half a cosine down to 0."""
    warm = max(1, round(recipe.warmup * recipe.steps))
    if step < warm:
        return recipe.learning_rate * (step + 1) / warm
    return recipe.learning_rate * 0.5 * (1.0 + math.cos(math.pi * (step - warm) / (recipe.steps - warm)))


def _optimizers(model: LlamaForCausalLM, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Weight decay for matrices, none for the gains of norms."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    embeddings = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" in name]
    gains = [p for p in model.parameters() if p.ndim != 2]
    by_adamw = embeddings if recipe.optimizer == "muon" else embeddings + matrices
    groups = [{"params": by_adamw, "weight_decay": recipe.weight_decay}, {"params": gains, "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.95), fused=True)
    if recipe.optimizer == "adamw":
        return [adamw]
    if not hasattr(torch.optim, "Muon"):
        raise ImportError(f"optimizer='muon' needs torch 2.9 or later, this is {torch.__version__}; take 'adamw'")
    muon = torch.optim.Muon(
        matrices, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, adjust_lr_fn="match_rms_adamw"
    )
    return [muon, adamw]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, compare, and write the folder of the shipped model; see the module's docstring."""
    train_and_ship(tiny_lm.RECIPES["tiny_lm"], tiny_lm.SHIPPED, module="paperworks.lab.train_tiny_lm", given=arguments)


def train_and_ship(
    recipe: Recipe,
    out: Path,
    *,
    module: str,
    given: Sequence[str] | None = None,
    model: LlamaForCausalLM | None = None,
    objective: Objective = next_token_loss,
) -> None:
    """What a script that makes a shipped model does: train on the standard library, compare, write the folder ``out``.

    ``module`` is the script's name after ``python -m``, and ``given`` its arguments, else those of the command line.
    ``model`` and ``objective`` are as `Training` has them. Raises RuntimeError as `ship` does.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}", description="Train, compare with a 5-gram, and write the folder of the model."
    )
    work = Path(".paperworks/training") / out.name
    parser.add_argument("--work", type=Path, default=work, help="where checkpoints are kept")
    parser.add_argument("--out", type=Path, default=out, help="the folder to write")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(given)
    torch.set_num_threads(options.threads)
    library = standard_library()
    tokenizer = tiny_lm.train_tokenizer(library.texts("train"), recipe.vocabulary)
    streams = {split: tiny_lm.token_stream(tokenizer, library.texts(split)) for split in SPLITS}
    sizes = tiny_lm.token_sizes(tokenizer)
    print(library.sizes(), {split: len(stream) for split, stream in streams.items()}, flush=True)
    training = Training(recipe, streams["train"], options.work, model=model, objective=objective)
    _train_loudly(training, streams["validation"][:WATCHED], sizes)
    ship(options.out, training, tokenizer, library, streams, sizes)


def _train_loudly(training: Training, watched: Tokens, sizes: Tokens) -> None:
    """Train to the end; a line on standard output every `SHOW_EVERY` steps, with the loss on a part of validation."""
    began, first = time.monotonic(), training.done
    for done in training.run():
        if done % SHOW_EVERY and done != training.recipe.steps:
            continue
        part = tiny_lm.evaluate(training.model, watched, sizes, stride=training.recipe.context)
        training.log[-1]["validation_bits_per_byte"] = round(part.bits_per_byte, 4)
        seconds = time.monotonic() - began
        left = seconds / (done - first) * (training.recipe.steps - done)
        print(f"{training.log[-1]}, {seconds:.0f} s, {left:.0f} s to go", flush=True)


def ship(
    out: Path,
    training: Training,
    tokenizer: Tokenizer,
    library: Corpus,
    streams: Mapping[Split, Tokens],
    sizes: Tokens,
) -> None:
    """Write the model's folder, complete or not at all, with its results on validation and test.

    Raises RuntimeError where, rounded to half precision, it does not beat the 5-gram on validation.
    """
    model = training.model
    torch.nn.Module.half(model)
    torch.nn.Module.float(model)
    grams = KneserNey(streams["train"], len(sizes))
    results: dict[str, dict[str, float]] = {}
    for split in ("validation", "test"):
        by_grams = tiny_lm.score(streams[split], sizes, *grams.losses(streams[split]))
        for name, result in (("model", tiny_lm.evaluate(model, streams[split], sizes)), ("5-gram", by_grams)):
            results[f"{name} on {split}"] = {
                "bits_per_byte": round(result.bits_per_byte, 4),
                "nats_per_token": round(result.nats_per_token, 4),
                "accuracy": round(result.accuracy, 4),
                "tokens": len(result.nats),
            }
    for name, figures in results.items():
        print(name, figures, flush=True)
    if results["model on validation"]["bits_per_byte"] >= results["5-gram on validation"]["bits_per_byte"]:
        raise RuntimeError("the model does not beat the 5-gram on validation; it is not written: train it longer")
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    notes = {"results": results, "log": training.log}
    tiny_lm.save(beside, model=model, tokenizer=tokenizer, recipe=training.recipe, library=library, notes=notes)
    beside.chmod(0o755)
    if out.exists():
        shutil.rmtree(out)
    beside.rename(out)


if __name__ == "__main__":
    main()
