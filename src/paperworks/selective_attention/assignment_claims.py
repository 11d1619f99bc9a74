"""S4: variable assignment at the lengths of training and at longer ones, with selective and standard attention."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from torch import tensor

from paperworks.core import Measurement
from paperworks.lab import Lab, stats

from . import draw
from . import variable_assignment as task
from .sizes import AssignmentSizes

__all__ = ["claims"]

COUNTS = (6, 12, 24, 48)
"""The numbers of assignments that models are judged on."""

_PRUNED_AT = 24
_BUDGETS = (6, 8, 12, 16, 24, 32)
_ATTENTIONS: tuple[task.Attention, ...] = ("selective", "standard")

Table = dict[str, np.ndarray[Any, Any]]
Rows = tuple[Mapping[str, str | float | None], ...]


def claims(lab: Lab, sizes: AssignmentSizes) -> Iterator[Measurement]:
    """S4, S4-longer and S4-standard, over models trained from different seeds."""
    seeds = range(sizes.models_per_seed * len(lab.seeds))
    weights = {
        attention: lab.each_seed(f"assignment-{attention}", task.train, seeds, attention=attention, steps=sizes.steps)
        for attention in _ATTENTIONS
    }
    accuracies = {attention: _accuracies(weights[attention], attention, sizes.rows) for attention in _ATTENTIONS}
    judged = {
        "S4": ("selective", task.LONGEST, _overwritten(lab, weights["selective"], sizes.rows)),
        "S4-longer": ("selective", 4 * task.LONGEST, _pruned(lab, weights["selective"], sizes.rows)),
        "S4-standard": ("standard", 4 * task.LONGEST, ("", ())),
    }
    figure = lab.figure("assignment", draw.lengths(COUNTS, accuracies, task.LONGEST), alt=draw.LENGTHS_ALT)
    for claim, (attention, count, (note, figures)) in judged.items():
        yield Measurement(
            claim=claim,
            **stats.mean(accuracies[attention][:, COUNTS.index(count)]).as_fields(),
            scale="smaller",
            setting=(
                f"{len(seeds)} models of 2 layers, 2 heads and width 32, {sizes.steps} steps of training; "
                f"{sizes.rows} new sequences of {count} assignments"
            ),
            note=note,
            rows=_rows(accuracies),
            figures=(figure, *figures),
        )


def _accuracies(weights: Sequence[task.Weights], attention: task.Attention, rows: int) -> np.ndarray[Any, Any]:
    """[S, C] over seeds and `COUNTS`."""
    judged = [
        task.accuracy(trained, attention=attention, seed=seed, counts=COUNTS, rows=rows)
        for seed, trained in enumerate(weights)
    ]
    return np.array(judged)


def _overwritten(lab: Lab, weights: Sequence[task.Weights], rows: int) -> tuple[str, tuple[str, ...]]:
    """What the penalty does with values that have been overwritten, in a sentence and a figure."""
    acting = [
        task.overwritten_and_standing(trained, seed=seed, count=task.LONGEST, rows=rows)
        for seed, trained in enumerate(weights)
    ]
    means = {kind: np.mean([one[kind] for one in acting], axis=0) for kind in ("overwritten", "standing")}
    layer = int(np.argmax(means["overwritten"] - means["standing"]))
    note = (
        f"When the question comes, the penalty in layer {layer} is {means['overwritten'][layer]:.1f} on values that "
        f"were overwritten and {means['standing'][layer]:.1f} on those that stand, over all models."
    )
    penalty = task.penalties(weights[0], tensor([task.EXAMPLE]))[:, 0]
    drawing = draw.overwritten(penalty, [task.spelled(token) for token in task.EXAMPLE])
    return note, (lab.figure("overwritten", drawing, alt=draw.OVERWRITTEN_ALT),)


def _pruned(lab: Lab, weights: Sequence[task.Weights], rows: int) -> tuple[str, tuple[str, ...]]:
    """How far the same models can be pruned, in a sentence and a figure."""
    curves = [
        task.pruned_accuracy(trained, seed=seed, count=_PRUNED_AT, rows=rows, budgets=_BUDGETS)
        for seed, trained in enumerate(weights)
    ]
    table = {kind: np.array([curve[kind] for curve in curves]) for kind in ("selection", "window")}
    at = _BUDGETS.index(8)
    note = (
        f"With {_PRUNED_AT} assignments and {_BUDGETS[at]} stored tokens a layer, accuracy is "
        f"{table['selection'][:, at].mean():.3f} where the penalty says what is dropped, and "
        f"{table['window'][:, at].mean():.3f} where the oldest are."
    )
    figure = lab.figure("assignment-pruned", draw.task_budgets(_BUDGETS, table), alt=draw.TASK_BUDGETS_ALT)
    return note, (figure,)


def _rows(accuracies: Table) -> Rows:
    return tuple(
        {"attention": attention, "seed": str(seed)}
        | {f"{count} assignments": float(value) for count, value in zip(COUNTS, row, strict=True)}
        for attention, table in accuracies.items()
        for seed, row in enumerate(table)
    )
