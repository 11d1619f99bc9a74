"""HellaSwag (claim S5): which of four endings goes on with a scene, as lm-evaluation-harness asks it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperworks.core import MissingExtra, UserError

__all__ = ["HellaSwag", "answers"]

_TASK = "hellaswag"
_METRIC = "acc_norm"
"""An ending's log-likelihood is divided by its length, which is how results on this task are given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HellaSwag:
    """Where the questions come from: the harness, or a task of that name that lies as YAML in ``folder``."""

    folder: str = ""
    batch: int = 32


def answers(model: Any, tokenizer: Any, asked: HellaSwag) -> NDArray[np.float64]:
    """[Q]: 1 for each question that ``model`` answers rightly and 0 for the others, in the task's order.

    ``model`` is a causal language model of transformers on its device, ``tokenizer`` its tokenizer. The global random
    state stays as it is.

    Raises MissingExtra without lm_eval, UserError where the questions cannot be had.
    """
    try:
        from lm_eval import simple_evaluate
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager
    except ModuleNotFoundError as error:
        raise MissingExtra("selective_attention's preset 'paper'", error.name or "lm_eval", "lm-eval") from error
    try:
        found = simple_evaluate(
            model=HFLM(pretrained=model, tokenizer=tokenizer, batch_size=asked.batch),
            tasks=[_TASK],
            task_manager=TaskManager(include_path=asked.folder or None, include_defaults=not asked.folder),
            bootstrap_iters=0,
            random_seed=None,
            numpy_random_seed=None,
            torch_random_seed=None,
        )
    except OSError as error:  # which no connection is to the `datasets` library
        why = str(error).strip().partition("\n")[0]
        raise UserError(f"the questions of HellaSwag cannot be had: {why}") from error
    samples = sorted(found["samples"][_TASK], key=lambda sample: sample["doc_id"])
    return np.array([sample[_METRIC] for sample in samples], dtype=np.float64)
