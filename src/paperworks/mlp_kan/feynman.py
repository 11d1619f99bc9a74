"""Formulas of the Feynman lectures on which the paper measures, with its ranges and its errors (Table 2)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["TABLE", "Equation", "load", "target_std"]

_UNIT = (-1.0, 1.0)
_POSITIVE = (0.5, 2.0)
_TURN = (0.0, 2 * math.pi)


@dataclass(frozen=True, kw_only=True)
class Equation:
    """A formula of the columns of X, the range of each column, and the paper's test RMSE of KAN, MLP and MLP-KAN."""

    formula: Callable[..., NDArray[np.float64]]
    ranges: tuple[tuple[float, float], ...]
    kan: float
    mlp: float
    mlp_kan: float


TABLE = {
    "I.6.20": Equation(
        formula=lambda t, s: np.exp(-((t / s) ** 2) / 2) / np.sqrt(2 * np.pi * s**2),
        ranges=(_UNIT, _POSITIVE),
        kan=1.42e-2,
        mlp=1.20e-1,
        mlp_kan=8.44e-3,
    ),
    "I.8.4": Equation(
        formula=lambda x1, x2, y1, y2: np.hypot(x2 - x1, y2 - y1),
        ranges=(_UNIT,) * 4,
        kan=4.58e-3,
        mlp=1.91e-1,
        mlp_kan=1.23e-2,
    ),
    "I.12.1": Equation(formula=lambda mu, n: mu * n, ranges=(_UNIT,) * 2, kan=9.22e-3, mlp=3.34e-1, mlp_kan=7.17e-3),
    "I.12.11": Equation(
        formula=lambda q, e, b, v, angle: q * (e + b * v * np.sin(angle)),
        ranges=(*(_UNIT,) * 4, _TURN),
        kan=6.38e-2,
        mlp=1.85e-1,
        mlp_kan=3.56e-2,
    ),
    "I.13.12": Equation(
        formula=lambda g, m1, m2, r1, r2: g * m1 * m2 * (1 / r2 - 1 / r1),
        ranges=(*((0.0, 1.0),) * 3, _POSITIVE, _POSITIVE),
        kan=8.69e-3,
        mlp=3.87e-2,
        mlp_kan=9.78e-3,
    ),
    "I.16.6": Equation(
        formula=lambda u, v, c: (u + v) / (1 + u * v / c**2),
        ranges=((-0.8, 0.8), (-0.8, 0.8), (1.0, 2.0)),
        kan=8.73e-3,
        mlp=1.45e-1,
        mlp_kan=1.06e-2,
    ),
}


def load(name: str, *, n: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``n`` points X [n, variables], uniform in the equation's ranges, and the formula's values y [n].

    Raises ValueError for an equation that is not in the table.
    """
    if name not in TABLE:
        raise ValueError(f"there is no equation {name!r} here: the equations are {', '.join(TABLE)}")
    low, high = np.array(TABLE[name].ranges).T
    x = rng.uniform(low, high, size=(n, len(low)))
    return x, TABLE[name].formula(*x.T)


def target_std(name: str, *, n: int = 200_000) -> float:
    """The standard deviation of the formula over its ranges: the RMSE of always predicting the mean."""
    return float(load(name, n=n, rng=np.random.default_rng(0))[1].std())
