"""C4, C5b and C6 on published models, as the paper has them: tasks of lm-evaluation-harness, text, and fine-tuning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from paperworks.core import Measurement, MissingExtra, Untested
from paperworks.lab import Lab, corpus, stats, tiny_lm

from . import hub
from .contenders import CONTENDERS, attention_by
from .harness import answer
from .sizes import HubSizes, Sizes
from .text_claims import tuned_measurement
from .tuning import TUNED_WITH, Subject, tuned

__all__ = ["claims"]

_ORDINARY = "float32"  # the contender whose products are torch's own, of the type that a model has
_COMPARED = ("e5m2", "carry3")
_CONTEXT = 1024
_LEARNING_RATE = 2e-5


def claims(lab: Lab, sizes: Sizes, wanted: HubSizes) -> Iterator[Measurement | Untested]:
    """C4, C5b and C6. Raises UserError for a model or data that cannot be had, MissingExtra without lm_eval."""
    yield _tasks(lab, sizes, wanted)
    yield _text(lab, sizes, wanted)
    yield _tuning(lab, sizes, wanted)


def _tasks(lab: Lab, sizes: Sizes, wanted: HubSizes) -> Measurement | Untested:
    """Accuracy lost to 4-bit L-Mul; each pair of model and task counts the same, questions are what varies."""
    pairs = [(model, task) for model in wanted.models for task in (*wanted.tasks, *wanted.more_tasks)]
    answered = {pair: {name: _answers(lab, wanted, *pair, name) for name in sizes.contenders} for pair in pairs}
    judged = [found for (_, task), found in answered.items() if task in wanted.tasks]
    ours, before = (_evenly(found[name] for found in judged) for name in ("carry4", _ORDINARY))
    if not before.any():
        return Untested(claim="C4", reason="no question was answered rightly, with ordinary products either")
    lost = stats.clustered(100 * (before - ours) / before.mean(), lab.rng("tasks", 0))
    return Measurement(
        claim="C4",
        **lost.as_fields(),
        scale="same",
        setting=f"{', '.join(wanted.models)} on {', '.join(wanted.tasks)}; {len(ours):,} questions; attention only",
        unit="%",
        baseline=100 * float(before.sum()) / len(judged),
        note="Tokens are those of the answers: a question counts as one item, and every task the same.",
        rows=tuple(_task_row(*pair, found) for pair, found in answered.items()),
    )


def _answers(lab: Lab, wanted: HubSizes, model: str, task: str, contender: str) -> dict[str, Any]:
    def answers(model: str, task: str, contender: str, folder: str, limit: int) -> dict[str, Any]:
        loaded, tokenizer, _ = _kept(model, lab.device)
        with attention_by(loaded, CONTENDERS[contender]):
            found = answer(loaded, tokenizer, task, folder=folder, limit=limit or None)
        return {"correct": found.correct, "metric": found.metric}

    settings: dict[str, Any] = {"folder": wanted.include, "limit": wanted.limit}
    return lab.step("answers", answers, model=model, task=task, contender=contender, **settings)


def _evenly(answered: Iterable[Mapping[str, Any]]) -> Any:
    """All answers in a row [questions], those of each pair of model and task weighing 1 together."""
    return np.concatenate([found["correct"] / len(found["correct"]) for found in answered])


def _task_row(model: str, task: str, found: Mapping[str, Mapping[str, Any]]) -> dict[str, str | float | None]:
    shares = {f"{CONTENDERS[name].says}, %": 100 * float(answers["correct"].mean()) for name, answers in found.items()}
    return {"model": model, "task": task, "judged by": found[_ORDINARY]["metric"], **shares}


def _text(lab: Lab, sizes: Sizes, wanted: HubSizes) -> Measurement:
    """3-bit L-Mul against e5m2 on text: nats a token, the mean over the models; files are what varies."""

    def read(model: str, contender: str, tokens_per_file: int) -> dict[str, Any]:
        loaded, tokenizer, _ = _kept(model, lab.device)
        files = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in _held_out()]
        vocabulary = np.ones(max(len(tokenizer), loaded.config.vocab_size), dtype=np.int32)
        with attention_by(loaded, CONTENDERS[contender]):
            streams = [np.array(ids[:tokens_per_file], dtype=np.int32) for ids in files if len(ids) > 1]
            scores = [tiny_lm.evaluate(loaded, one, vocabulary, context=_CONTEXT) for one in streams]
        return {"nats": [float(score.nats.sum()) for score in scores], "tokens": sum(len(s.nats) for s in scores)}

    read_by = {
        name: [
            lab.step("read", read, model=model, contender=name, tokens_per_file=sizes.tokens_per_file)
            for model in wanted.models
        ]
        for name in _COMPARED
    }
    nats = {name: np.mean([_nats_by_file(one) for one in found], axis=0) for name, found in read_by.items()}
    change = stats.clustered(nats["carry3"] - nats["e5m2"], lab.rng("text", 0))
    tokens = read_by["carry3"][0]["tokens"]
    return Measurement(
        claim="C5b",
        **change.as_fields(),
        scale="same",
        setting=f"{', '.join(wanted.models)}; {tokens:,} tokens of Python source, {change.n} files; attention only",
        unit="nats",
        baseline=0.0,
        rows=tuple({"in attention": CONTENDERS[name].says, "loss, nats": float(nats[name].mean())} for name in nats),
    )


def _nats_by_file(found: Mapping[str, Any]) -> Any:
    """[F], whose mean is the loss of a token: files count by their length."""
    return np.array(found["nats"]) * len(found["nats"]) / found["tokens"]


def _held_out() -> list[str]:
    return list(corpus.standard_library().texts("test"))


def _tuning(lab: Lab, sizes: Sizes, wanted: HubSizes) -> Measurement:
    def tune(model: str, dataset: str, contender: str, seed: int, steps: int, context: int) -> dict[str, float]:
        loaded, tokenizer, _ = hub.load(model, "float32", lab.device)
        train, held_out = (_stream(tokenizer, texts) for texts in _questions(dataset))
        vocabulary = np.ones(max(len(tokenizer), loaded.config.vocab_size), dtype=np.int32)
        subject = Subject(
            model=loaded,
            train=train,
            held_out=held_out,
            sizes=vocabulary,
            context=context,
            learning_rate=_LEARNING_RATE,
        )
        return tuned(subject, TUNED_WITH[contender], seed=seed, steps=steps)

    settings: dict[str, Any] = {"model": wanted.tuned, "dataset": wanted.dataset, "context": wanted.context}
    losses = {
        name: lab.each_seed(f"tune-{name}", tune, contender=name, steps=sizes.tuning_steps, **settings)
        for name in TUNED_WITH
    }
    setting = (
        f"{wanted.tuned}, {sizes.tuning_steps} steps of 4 x {wanted.context} tokens of {wanted.dataset}'s training "
        "questions with answers, loss on its test questions; gradients of the ordinary product"
    )
    return replace(tuned_measurement(losses, setting), scale="same")


def _questions(dataset: str) -> tuple[list[str], list[str]]:
    """Questions with their answers, of the train and of the test split."""
    try:
        from datasets import load_dataset
    except ModuleNotFoundError as error:
        raise MissingExtra("lmul's fine-tuning on questions", error.name or "datasets", "lm-eval") from error
    part = () if Path(dataset).is_dir() else ("main",)
    try:
        splits = load_dataset(dataset, *part)
    except (OSError, ValueError) as error:
        raise hub.refusal(f"the data set {dataset!r} cannot be had", error) from error
    train, test = ([f"{row['question']}\n{row['answer']}\n\n" for row in splits[name]] for name in ("train", "test"))
    return train, test


def _stream(tokenizer: Any, texts: Iterable[str]) -> tiny_lm.Tokens:
    """[N]: the texts as one stream of tokens."""
    ids = tokenizer("".join(texts), add_special_tokens=False, verbose=False)["input_ids"]
    return np.asarray(ids, dtype=np.int32)


@lru_cache(maxsize=1)
def _kept(model: str, device: str) -> tuple[Any, Any, str]:
    """The model that was asked for last, in the type its weights have: loading takes longer than a small task."""
    return hub.load(model, "auto", device)
