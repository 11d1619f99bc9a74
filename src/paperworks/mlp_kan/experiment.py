"""Measures the paper's claims: three networks on formulas at equal parameter counts, and how splines converge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from paperworks.core import Measurement, Untested
from paperworks.lab import Lab, stats

from . import contenders, feynman, splines

__all__ = ["PRESETS", "Sizes", "run"]

_GRIDS = (5, 10, 20, 40, 80)
_IMAGES = "needs vision transformers trained on images, and this experiment has none yet"
_NOT_MEASURED = {
    "MK3-MLP": _IMAGES,
    "MK3-KAN": _IMAGES,
    "MK4": "needs a text encoder fine-tuned on SST-2, and this experiment has none yet",
    "MK5": _IMAGES,
    "MK5-8": _IMAGES,
    "MK6": _IMAGES,
}


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much an experiment does: the equations, the parameters of each network, and its training steps."""

    seeds: int
    equations: tuple[str, ...]
    budget: int
    steps: int


_ALL = tuple(feynman.TABLE)
PRESETS = {
    "smoke": Sizes(seeds=3, equations=_ALL[:2], budget=6000, steps=20),
    "quick": Sizes(seeds=3, equations=_ALL, budget=6000, steps=300),
    "full": Sizes(seeds=5, equations=_ALL, budget=6000, steps=5000),
}


def run(lab: Lab, sizes: Sizes) -> Iterator[Measurement | Untested]:
    """A result for every claim, as soon as it is known, cheapest first."""
    yield _convergence()
    for claim, reason in _NOT_MEASURED.items():
        yield Untested(claim=claim, reason=reason)
    errors = {kind: _errors(lab, sizes, kind) for kind in contenders.CONTENDERS}
    yield from _formulas(sizes, errors)


def _errors(lab: Lab, sizes: Sizes, kind: str) -> NDArray[np.float64]:
    """Test RMSE of a kind of network, [seeds, equations]."""
    columns = [
        lab.each_seed(
            f"{kind}-{equation}",
            contenders.rmse_of_fit,
            kind=kind,
            equation=equation,
            budget=sizes.budget,
            steps=sizes.steps,
        )
        for equation in sizes.equations
    ]
    return np.array(columns).T


def _formulas(sizes: Sizes, errors: dict[str, NDArray[np.float64]]) -> Iterator[Measurement]:
    setting = (
        f"{len(sizes.equations)} of the 30 equations, 1000 points to train and 1000 to test, at most "
        f"{sizes.budget} parameters, {sizes.steps} steps"
    )
    ratios = np.exp(np.log(errors["MLP"] / errors["MLP-KAN"]).mean(axis=1))
    yield Measurement(
        claim="MK1",
        **stats.geometric_mean(ratios).as_fields(),
        scale="smaller",
        setting=setting,
        unit="times",
        note="The last column is the paper's MLP beside the error of always predicting the mean, which is 1.",
        rows=tuple(_row(equation, at, errors) for at, equation in enumerate(sizes.equations)),
    )
    wins = (errors["MLP-KAN"] < errors["KAN"]).mean(axis=1)
    yield Measurement(
        claim="MK2", **stats.mean(wins).as_fields(), scale="smaller", setting=setting, unit="of the equations"
    )


def _row(equation: str, at: int, errors: dict[str, NDArray[np.float64]]) -> dict[str, str | float | None]:
    paper = feynman.TABLE[equation]
    return {
        "equation": equation,
        **{f"{kind}, RMSE": float(np.exp(np.log(found[:, at]).mean())) for kind, found in errors.items()},
        "paper: MLP": paper.mlp,
        "paper: KAN": paper.kan,
        "paper: MLP-KAN": paper.mlp_kan,
        "paper: MLP / std of the target": paper.mlp / feynman.target_std(equation),
    }


def _convergence() -> Measurement:
    found = [_spline_error(cells) for cells in _GRIDS]
    slope = float(np.polyfit(np.log(_GRIDS), np.log(found), 1)[0])
    return Measurement(
        claim="MK7",
        **stats.exact(slope).as_fields(),
        scale="smaller",
        setting="sin(pi x) on [-1, 1] by cubic splines of 5 to 80 cells, least squares in float64",
        rows=tuple({"cells": float(cells), "RMSE": error} for cells, error in zip(_GRIDS, found, strict=True)),
    )


def _spline_error(cells: int) -> float:
    x = torch.linspace(-1, 1, 4001, dtype=torch.float64)[:-1, None]
    y = torch.sin(torch.pi * x)
    knots = splines.uniform_knots(-1.0, 1.0, grid_size=cells, order=3)[None]
    fitted = splines.fit_coefficients(x, y[..., None], knots, order=3)
    values = splines.basis(x, knots, order=3)[:, 0] @ fitted[0]
    return float((values - y).square().mean().sqrt())
