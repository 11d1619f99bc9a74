"""Measures the claims: how splines converge, three networks on formulas, transformers on digits and on lines."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from paperworks.core import Measurement, Untested
from paperworks.lab import Lab, stats

from . import draw, formula_claims, image_claims, splines, text_claims
from .sizes import PRESETS, Sizes

__all__ = ["PRESETS", "Sizes", "run"]

_GRIDS = (5, 10, 20, 40, 80)


def run(lab: Lab, sizes: Sizes) -> Iterator[Measurement | Untested]:
    """A result for every claim, as soon as it is known, cheapest first."""
    yield _convergence(lab)
    yield from formula_claims.formulas(lab, sizes)
    yield from image_claims.images(lab, sizes)
    yield from text_claims.text(lab, sizes)


def _convergence(lab: Lab) -> Measurement:
    found = [_spline_error(cells) for cells in _GRIDS]
    slope = float(np.polyfit(np.log(_GRIDS), np.log(found), 1)[0])
    figure = lab.figure(
        "convergence",
        draw.convergence(_GRIDS, found, slope),
        f"The error of cubic splines falls along a straight line of slope {slope:.2f} on logarithmic axes, from "
        f"{_GRIDS[0]} to {_GRIDS[-1]} cells, beside a line of slope -4.",
    )
    return Measurement(
        claim="MK7",
        **stats.exact(slope).as_fields(),
        scale="smaller",
        setting="sin(pi x) on [-1, 1] by cubic splines of 5 to 80 cells, least squares in float64",
        rows=tuple({"cells": float(cells), "RMSE": error} for cells, error in zip(_GRIDS, found, strict=True)),
        figures=(figure,),
    )


def _spline_error(cells: int) -> float:
    x = torch.linspace(-1, 1, 4001, dtype=torch.float64)[:-1, None]
    y = torch.sin(torch.pi * x)
    knots = splines.uniform_knots(-1.0, 1.0, grid_size=cells, order=3)[None]
    fitted = splines.fit_coefficients(x, y[..., None], knots, order=3)
    values = splines.basis(x, knots, order=3)[:, 0] @ fitted[0]
    return float((values - y).square().mean().sqrt())
