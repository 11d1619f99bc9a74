"""Tasks of EleutherAI's lm-evaluation-harness answered by any transformers model, converted or not.

The model goes to the harness as it is, so whatever :func:`lmul.convert`, :func:`lmul.simulate` or an attention of
one's own did to it is what answers. Needs the extra ``lm-eval``; the harness' own tasks are downloaded from the hub.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperworks.core import MissingExtra, UserError
from paperworks.lab import Lab, stats

from .contenders import CONTENDERS, attention_by, named
from .hub import load, refusal

__all__ = ["Answers", "Compared", "answer", "compare"]

_ORDINARY = "float32"  # the contender whose products are torch's own, of the type that a model has
_METRICS = ("acc", "exact_match")  # per question, 0 or 1; the first that a task has


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """How a model did on a task: ``correct`` [questions], 0 or 1, by ``metric``; ``question`` names each [questions].

    A group of tasks (mmlu, bbh) is one task here. Two models' answers to one task are paired.
    """

    task: str
    metric: str
    question: tuple[str, ...]
    correct: NDArray[np.float64]

    @property
    def accuracy(self) -> float:
        """The share of correct answers."""
        return float(self.correct.mean())


def answer(
    model: Any, tokenizer: Any, task: str, *, folder: str = "", limit: int | None = None, batch_size: int = 8
) -> Answers:
    """Let ``model`` answer a task (or a group of them) with the task's own prompts and number of examples.

    Args:
        model: a transformers causal language model, on its device.
        tokenizer: its tokenizer.
        task: a name in the harness, such as ``"piqa"``, ``"mmlu"`` or ``"gsm8k"``.
        folder: where tasks of one's own lie as YAML files, in the place of the harness'.
        limit: how many questions of each task; None for all.
        batch_size: questions at a time.

    Raises:
        MissingExtra: lm_eval is not installed. UserError: there is no such task, its data cannot be had, or it is not
        judged by accuracy or exact match.
    """
    try:
        from lm_eval import simple_evaluate
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager
    except ModuleNotFoundError as error:
        raise MissingExtra("lmul's harness", error.name or "lm_eval", "lm-eval") from error
    manager = TaskManager(include_path=folder or None, include_defaults=not folder)
    if task not in manager.all_tasks:
        raise UserError(f"there is no task {task!r} in {folder or 'lm-evaluation-harness'}")
    try:
        found = simple_evaluate(
            model=HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch_size),
            tasks=[task],
            task_manager=manager,
            limit=limit,
            bootstrap_iters=0,
            random_seed=None,  # the global random state stays as it is
            numpy_random_seed=None,
            torch_random_seed=None,
        )
    except OSError as error:  # which no connection, and no such data set, are to the `datasets` library
        raise refusal(f"the questions of task {task!r} cannot be had", error) from error
    return _collected(task, found["samples"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A task in one arithmetic: ``accuracy`` in percent, and its ``change`` in points against ordinary products.

    The change is paired by question, with its 95 % interval.
    """

    task: str
    contender: str
    says: str
    questions: int
    accuracy: float
    change: float
    low: float
    high: float


def compare(
    model: str,
    tasks: Sequence[str],
    *,
    contenders: Sequence[str] = ("e4m3", "e5m2", "carry3", "carry4"),
    folder: str = "",
    limit: int = 0,
    home: Path | None = None,
) -> Iterator[Compared]:
    """Let a model answer tasks with its attention in one arithmetic after the other; what was finished is read back.

    ``model`` is a folder or a hub id, taken in the type its weights have; ``limit`` 0 means all questions, of which an
    interval needs five. ``home`` is where finished answers are kept, by default with the runs.

    Raises UserError as :func:`answer` and for a model or an arithmetic that does not exist; MissingExtra.
    """
    wanted = named([_ORDINARY, *contenders])
    loaded, tokenizer, version = load(model, "auto")
    lab = Lab("lmul", preset="tasks", home=home)

    def answers(task: str, contender: str, **_: Any) -> dict[str, Any]:
        with attention_by(loaded, CONTENDERS[contender]):
            return {"correct": answer(loaded, tokenizer, task, folder=folder, limit=limit or None).correct}

    for task in tasks:
        key = {"task": task, "model": version, "folder": folder, "limit": limit}
        found = {name: lab.step("answers", answers, contender=name, **key)["correct"] for name in wanted}
        for name, correct in found.items():
            change = stats.clustered(100 * (correct - found[_ORDINARY]), lab.rng(name, 0))
            yield Compared(
                task=task,
                contender=name,
                says=CONTENDERS[name].says,
                questions=len(correct),
                accuracy=100 * float(correct.mean()),
                change=change.value,
                low=change.low,
                high=change.high,
            )


def _collected(task: str, samples: dict[str, list[dict[str, Any]]]) -> Answers:
    """The first accuracy of every question; of several ways to read an answer off a text, the task's first."""
    names, correct, metrics = [], [], set()
    for part, given in samples.items():
        first_reading = given[0]["filter"]
        for sample in (sample for sample in given if sample["filter"] == first_reading):
            metric = next((name for name in _METRICS if name in sample), None)
            if metric is None:
                raise UserError(f"task {task!r} is judged by {', '.join(sample['metrics'])}, not by accuracy")
            metrics.add(metric)
            names.append(f"{part}/{sample['doc_id']}")
            correct.append(float(sample[metric]))
    order = np.argsort(np.array(names), kind="stable")
    return Answers(
        task=task,
        metric=" and ".join(sorted(metrics)),
        question=tuple(names[place] for place in order),
        correct=np.array(correct)[order],
    )
