"""Tasks for Inspect (inspect_ai), whose models are chat models: they are asked for what stands in a marked hole.

``inspect eval paperworks/hlp/inspect_task.py@stdlib_fim -T kind=call --model openai/gpt-4o``, or in Python
``inspect_ai.eval(stdlib_fim(kind="call"), model=...)``. What a model says is taken out of its code fence if it set one,
and scored as every other filling is. Needs the extra ``inspect``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from inspect_ai import Task as InspectTask
from inspect_ai import task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import Score, Target, mean, scorer, stderr
from inspect_ai.solver import TaskState, generate, system_message

from .evaluation import Task, text_metrics, text_scores
from .holes import Hole, Kind, StdlibFIM
from .stdlib_exec import StdlibExec

__all__ = ["inspect_task", "stdlib_exec", "stdlib_fim"]

MARK = "<FILL>"
_ASKED = (
    f"The user shows a source file with a hole, marked {MARK}. Answer with exactly the text that belongs into the "
    "hole, with its blanks and line ends, in a code fence, and nothing else."
)
_FENCE = re.compile(r"```[\w+-]*\n(.*?)\n?```", re.DOTALL)


@task  # type: ignore[untyped-decorator]
def stdlib_fim(kind: Kind = "line", n: int = 100) -> InspectTask:
    """Holes in Python's standard library, see `StdlibFIM`."""
    return inspect_task(StdlibFIM(kind=kind, n=n))


@task  # type: ignore[untyped-decorator]
def stdlib_exec(n: int = 40) -> InspectTask:
    """Holes whose filling doctests judge, see `StdlibExec`."""
    return inspect_task(StdlibExec(n=n))


def inspect_task(holes_of: Task, *, characters: int = 4000) -> InspectTask:
    """Any task of holes as one of Inspect's. ``characters``: how many are shown on either side of the hole."""
    holes = holes_of.holes()
    samples = [
        Sample(
            input=f"{hole.prefix[-characters:]}{MARK}{hole.suffix[:characters]}",
            target=hole.truth,
            id=hole.name,
            metadata={"number": number, "source": hole.source, "kind": hole.kind},
        )
        for number, hole in enumerate(holes)
    ]
    return InspectTask(
        dataset=MemoryDataset(samples, name=holes_of.name),
        solver=[system_message(_ASKED), generate()],
        scorer=filling(holes),
        name=holes_of.name,
    )


@scorer(metrics={"*": [mean(), stderr()]})  # type: ignore[untyped-decorator]
def filling(holes: Sequence[Hole]) -> Any:
    """Scores an answer by the metrics of `FIMEval`."""

    metrics = text_metrics(holes)

    async def score(state: TaskState, target: Target) -> Score:
        text = answered(state.output.completion)
        found = text_scores(holes[state.metadata["number"]], text)
        return Score(value={name: found[name] for name in metrics}, answer=text)

    return score


def answered(completion: str) -> str:
    """What stands in an answer's first code fence; the answer itself where it has none."""
    fenced = _FENCE.search(completion)
    return fenced.group(1) if fenced else completion
