"""Tasks for EleutherAI's lm-evaluation-harness: any task of holes, answered by any model that the harness runs.

>>> from lm_eval import simple_evaluate  # doctest: +SKIP
>>> simple_evaluate(model="hf", model_args="pretrained=bigcode/starcoder2-3b",
...     tasks=[lm_eval_task(StdlibFIM(kind="call"), "starcoder2")])  # doctest: +SKIP

The harness hands models text, so the sentinels are spelled in the prompt, by the scheme of the models' family; a hole
in a file that spells one itself is left out. Needs the extra ``lm-eval``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from paperworks.core import MissingExtra

from .evaluation import Task, text_metrics, text_scores
from .holes import Hole
from .rules import Rule
from .schemes import FIM_SCHEMES

__all__ = ["lm_eval_task"]

_CHARACTERS = 4000


def lm_eval_task(
    task: Task,
    scheme: str,
    *,
    rules: Sequence[Rule] = (),
    max_new_tokens: int = 128,
    characters: int = _CHARACTERS,
) -> Any:
    """A task object for ``simple_evaluate(tasks=[...])``.

    ``scheme``: a name out of `FIM_SCHEMES`, prefix first. ``characters``: how many stand in the prompt on either side
    of the hole. Raises MissingExtra without lm-eval, ValueError for a scheme that is none or knows no such order.
    """
    try:
        from datasets import Dataset
        from lm_eval.api.task import ConfigurableTask
    except ModuleNotFoundError as error:
        raise MissingExtra("hlp's tasks for lm-evaluation-harness", error.name or "lm_eval", "lm-eval") from error
    spelled = _Spelled(scheme, characters)
    holes = [hole for hole in task.holes() if not spelled.stands_in(hole)]
    metrics = text_metrics(holes)
    rows = [
        {"number": number, "prompt": spelled.prompt(hole), "truth": hole.truth} for number, hole in enumerate(holes)
    ]

    def score(row: dict[str, Any], results: list[str]) -> dict[str, float]:
        found = text_scores(holes[row["number"]], results[0], rules)
        return {name: found[name] for name in metrics}

    return ConfigurableTask(
        config={
            "task": task.name,
            "custom_dataset": lambda **_: {"test": Dataset.from_list(rows)},
            "test_split": "test",
            "output_type": "generate_until",
            "doc_to_text": "prompt",
            "doc_to_target": "truth",
            "process_results": score,
            "generation_kwargs": {
                "until": spelled.stops,
                "max_gen_toks": max_new_tokens,
                "do_sample": False,
            },
            "metric_list": [
                {"metric": name, "aggregation": _mean, "higher_is_better": name != "suffix_repeat"} for name in metrics
            ],
        }
    )


class _Spelled:
    """The sentinels of a scheme as text, prefix first."""

    def __init__(self, scheme: str, characters: int) -> None:
        if scheme not in FIM_SCHEMES or "psm" not in FIM_SCHEMES[scheme].modes:
            known = ", ".join(name for name, sentinels in FIM_SCHEMES.items() if "psm" in sentinels.modes)
            raise ValueError(f"{scheme!r} is no scheme that has the prefix first; choose from {known}")
        self._sentinels = FIM_SCHEMES[scheme]
        self._characters = characters
        self.stops = [self._sentinels.end, *self._sentinels.stops]

    def stands_in(self, hole: Hole) -> bool:
        """Whether a file spells a sentinel, which the harness could not tell from one."""
        text = hole.filled(hole.truth)
        marks = (self._sentinels.prefix, self._sentinels.suffix, self._sentinels.middle, *self.stops)
        return any(mark in text for mark in marks if mark)

    def prompt(self, hole: Hole) -> str:
        """The hole as text; the beginning-of-sequence token is the harness' own to add."""
        before, after = hole.prefix[-self._characters :], hole.suffix[: self._characters]
        sentinels = self._sentinels
        return f"{sentinels.prefix}{before}{sentinels.suffix}{after}{sentinels.middle}"


def _mean(values: Sequence[float]) -> float:
    return float(np.nanmean(values))
