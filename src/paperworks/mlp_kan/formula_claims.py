"""The claims on formulas: errors of the three networks on the equations, at equal sizes and at equal training times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperworks.core import Measurement
from paperworks.lab import Lab, stats

from . import contenders, draw, feynman
from .sizes import Sizes

__all__ = ["formulas"]

Errors = Mapping[str, NDArray[np.float64]]
"""Test RMSE by kind of network, [seeds, equations]."""

_OURS = "MLP-KAN"
_NOTHING_LEARNED = 0.9


def formulas(lab: Lab, sizes: Sizes) -> Iterator[Measurement]:
    """The claims on formulas: at equal parameters first, then at equal times too."""
    equal = dict.fromkeys(contenders.CONTENDERS, dict.fromkeys(sizes.equations, sizes.steps))
    errors = _errors(lab, sizes, equal)
    figure = _figure(lab, sizes, errors)
    yield from _at_equal_sizes(sizes, errors, figure)
    yield from _at_equal_times(lab, sizes)


def _errors(lab: Lab, sizes: Sizes, steps: Mapping[str, Mapping[str, int]]) -> Errors:
    return {kind: np.array(_columns(lab, sizes, kind, by_equation)).T for kind, by_equation in steps.items()}


def _columns(lab: Lab, sizes: Sizes, kind: str, steps: Mapping[str, int]) -> list[list[float]]:
    return [
        lab.each_seed(
            f"{kind}-{equation}-{count}",
            contenders.rmse_of_fit,
            kind=kind,
            equation=equation,
            budget=sizes.budget,
            steps=count,
            device=lab.device,
        )
        for equation, count in steps.items()
    ]


def _at_equal_sizes(sizes: Sizes, errors: Errors, figure: str) -> Iterator[Measurement]:
    setting = f"{_setting(sizes)}, {sizes.steps} steps"
    yield _ratio("MK1", "MLP", errors, setting, note=_finding(sizes, errors), rows=_table(sizes, errors), figure=figure)
    yield _wins("MK1-wins", "MLP", errors, setting, rows=_summary(errors))
    yield _wins("MK2", "KAN", errors, setting, rows=_summary(errors))
    yield _ratio("MK2-mean", "KAN", errors, setting)


def _at_equal_times(lab: Lab, sizes: Sizes) -> Iterator[Measurement]:
    steps = _steps_of_equal_time(lab, sizes)
    errors = _errors(lab, sizes, steps)
    setting = f"{_setting(sizes)}, each trained for as long as {sizes.steps} steps of MLP-KAN take"
    counts = tuple(
        {"equation": equation, **{f"steps, {kind}": float(steps[kind][equation]) for kind in steps}}
        for equation in sizes.equations
    )
    yield _ratio("MK1-time", "MLP", errors, setting, rows=_summary(errors))
    yield _wins("MK2-time", "KAN", errors, setting, rows=counts)


def _steps_of_equal_time(lab: Lab, sizes: Sizes) -> dict[str, dict[str, int]]:
    """By kind and equation, how many steps take as long as ``sizes.steps`` steps of MLP-KAN, as measured here."""
    inputs = {equation: len(feynman.TABLE[equation].ranges) for equation in sizes.equations}
    seconds = {
        count: lab.step(
            f"seconds-{count}", contenders.seconds_of_steps, inputs=count, budget=sizes.budget, device=lab.device
        )
        for count in sorted(set(inputs.values()))
    }
    return {
        kind: {
            equation: max(1, round(sizes.steps * seconds[count][_OURS] / seconds[count][kind]))
            for equation, count in inputs.items()
        }
        for kind in contenders.CONTENDERS
    }


def _setting(sizes: Sizes) -> str:
    return (
        f"{len(sizes.equations)} of the 30 equations, 1000 points to train and 1000 to test, "
        f"at most {sizes.budget} parameters"
    )


def _ratio(claim: str, kind: str, errors: Errors, setting: str, *, figure: str = "", **more: Any) -> Measurement:
    by_seed = np.exp(np.log(errors[kind] / errors[_OURS]).mean(axis=1))
    return Measurement(
        claim=claim,
        **stats.geometric_mean(by_seed).as_fields(),
        scale="smaller",
        setting=setting,
        unit="times",
        figures=(figure,) if figure else (),
        **more,
    )


def _wins(claim: str, kind: str, errors: Errors, setting: str, **more: Any) -> Measurement:
    by_seed = (errors[_OURS] < errors[kind]).mean(axis=1)
    return Measurement(
        claim=claim,
        **stats.mean(by_seed).as_fields(),
        scale="smaller",
        setting=setting,
        unit="of the equations",
        **more,
    )


def _summary(errors: Errors) -> tuple[dict[str, str | float | None], ...]:
    """A row a network: the geometric mean of its RMSEs, and the share of the equations on which it is the best."""
    stacked = np.stack(list(errors.values()))
    best = stacked.argmin(axis=0)
    rows: list[dict[str, str | float | None]] = []
    for at, (kind, found) in enumerate(errors.items()):
        mean = stats.geometric_mean(np.exp(np.log(found).mean(axis=1)))
        wins = stats.mean((best == at).mean(axis=1))
        rows.append(
            {
                "network": kind,
                "RMSE, geometric mean": mean.value,
                "from": mean.low,
                "to": mean.high,
                "best on, share": wins.value,
                "share from": wins.low,
                "share to": wins.high,
            }
        )
    return tuple(rows)


def _table(sizes: Sizes, errors: Errors) -> tuple[dict[str, str | float | None], ...]:
    return tuple(_row(equation, at, errors) for at, equation in enumerate(sizes.equations))


def _row(equation: str, at: int, errors: Errors) -> dict[str, str | float | None]:
    paper, spread = feynman.TABLE[equation], feynman.target_std(equation)
    ours = {kind: float(np.exp(np.log(found[:, at]).mean())) for kind, found in errors.items()}
    return {
        "equation": equation,
        **{f"{kind}, RMSE": value for kind, value in ours.items()},
        "paper: MLP": paper.mlp,
        "paper: KAN": paper.kan,
        "paper: MLP-KAN": paper.mlp_kan,
        "MLP / std of the target": ours["MLP"] / spread,
        "paper: MLP / std of the target": paper.mlp / spread,
    }


def _finding(sizes: Sizes, errors: Errors) -> str:
    """How often the paper's MLP, and ours, learned nothing: an error at least 0.9 of that of predicting the mean."""
    papers = [feynman.TABLE[equation].mlp / feynman.target_std(equation) for equation in sizes.equations]
    ours = [row["MLP / std of the target"] for row in _table(sizes, errors)]
    learned_nothing = [equation for equation, ratio in zip(sizes.equations, papers, strict=True) if _nothing(ratio)]
    return (
        f"The paper's MLP learned nothing (RMSE at least {_NOTHING_LEARNED} of the target's standard deviation, the "
        f"error of always predicting the mean) on {len(learned_nothing)} of these equations: "
        f"{', '.join(learned_nothing)}. The MLP here: on {sum(map(_nothing, ours))}."
    )


def _nothing(ratio: Any) -> bool:
    return bool(ratio >= _NOTHING_LEARNED)


def _figure(lab: Lab, sizes: Sizes, errors: Errors) -> str:
    rows: Sequence[Mapping[str, Any]] = _table(sizes, errors)
    spreads = [feynman.target_std(equation) for equation in sizes.equations]
    sources = (("here, as many parameters each", "{}, RMSE"), ("the paper, Table 2", "paper: {}"))
    panels = {
        title: {
            kind: [row[column.format(kind)] / spread for row, spread in zip(rows, spreads, strict=True)]
            for kind in contenders.CONTENDERS
        }
        for title, column in sources
    }
    return lab.figure(
        "formula-errors",
        draw.errors_by_equation(sizes.equations, panels),
        "Test error of MLP, KAN and MLP-KAN on each equation, over the standard deviation of the target, here and in "
        "the paper. In the paper, the MLP lies at or near 1, the error of predicting the mean, on a third of them.",
    )
