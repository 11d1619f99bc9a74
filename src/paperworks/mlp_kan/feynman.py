"""The thirty formulas of the Feynman lectures on which the paper measures, with its ranges and its errors (Table 2)."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import sympy
from numpy.typing import NDArray

__all__ = ["TABLE", "Equation", "load", "target_std"]

Range = tuple[float, float]

_UNIT, _SHARE, _POSITIVE, _LIGHT = (-1.0, 1.0), (0.0, 1.0), (0.5, 2.0), (1.0, 2.0)
_TURN = (0.0, 2 * math.pi)


@dataclass(frozen=True)
class Equation:
    """A formula, its variables with their ranges in the order of the columns of X, and the paper's test RMSEs."""

    text: str
    ranges: dict[str, Range]
    kan: float
    mlp: float
    mlp_kan: float

    @cached_property
    def expression(self) -> sympy.Expr:
        """The formula as a sympy expression of real variables."""
        return sympy.parse_expr(self.text, local_dict=dict(zip(self.ranges, self._symbols(), strict=True)))

    @cached_property
    def formula(self) -> Callable[..., NDArray[np.float64]]:
        """The formula as a function of one array a variable."""
        function: Callable[..., NDArray[np.float64]] = sympy.lambdify(self._symbols(), self.expression, "numpy")
        return function

    def _symbols(self) -> list[sympy.Symbol]:
        return [sympy.Symbol(name, real=True) for name in self.ranges]


def _all(names: str, given: Range) -> dict[str, Range]:
    return dict.fromkeys(names.split(), given)


TABLE = {
    "I.6.20a": Equation("exp(-t**2/2)/sqrt(2*pi)", {"t": (-3.0, 3.0)}, 8.82e-4, 1.37e-1, 3.87e-4),
    "I.6.20": Equation("exp(-t**2/(2*s**2))/sqrt(2*pi*s**2)", {"t": _UNIT, "s": _POSITIVE}, 1.42e-2, 1.20e-1, 8.44e-3),
    "I.6.20b": Equation(
        "exp(-(t - t1)**2/(2*s**2))/sqrt(2*pi*s**2)",
        {**_all("t t1", (-1.5, 1.5)), "s": _POSITIVE},
        1.59e-2,
        1.16e-1,
        4.99e-3,
    ),
    "I.8.4": Equation("sqrt((x2 - x1)**2 + (y2 - y1)**2)", _all("x1 x2 y1 y2", _UNIT), 4.58e-3, 1.91e-1, 1.23e-2),
    "I.9.18": Equation(
        "G*m1*m2/((x2 - x1)**2 + (y2 - y1)**2 + (z2 - z1)**2)",
        {
            **_all("G m1 m2", _UNIT),
            **{f"{axis}{end}": span for axis in "xyz" for end, span in ((1, (-1.0, -0.5)), (2, (0.5, 1.0)))},
        },
        4.87e-3,
        1.40e-2,
        3.13e-3,
    ),
    "I.10.7": Equation("m0/sqrt(1 - v**2/c**2)", {"m0": _SHARE, "v": _SHARE, "c": _LIGHT}, 2.04e-2, 3.22e-1, 1.46e-1),
    "I.11.19": Equation("x1*y1 + x2*y2 + x3*y3", _all("x1 y1 x2 y2 x3 y3", _UNIT), 3.37e-2, 9.89e-2, 2.65e-2),
    "I.12.1": Equation("mu*Nn", _all("mu Nn", _UNIT), 9.22e-3, 3.34e-1, 7.17e-3),
    "I.12.2": Equation(
        "q1*q2/(4*pi*e*r**2)", {**_all("q1 q2", _UNIT), **_all("e r", _POSITIVE)}, 6.75e-3, 4.75e-2, 3.06e-3
    ),
    "I.12.4": Equation("q1/(4*pi*e*r**2)", {"q1": _UNIT, **_all("e r", _POSITIVE)}, 5.62e-3, 4.87e-2, 3.86e-3),
    "I.12.5": Equation("q2*Ef", _all("q2 Ef", _UNIT), 2.93e-3, 3.25e-1, 3.61e-3),
    "I.12.11": Equation("q*(Ef + B*v*sin(th))", {**_all("q Ef B v", _UNIT), "th": _TURN}, 6.38e-2, 1.85e-1, 3.56e-2),
    "I.13.4": Equation("m*(v**2 + u**2 + w**2)/2", _all("m v u w", _UNIT), 2.10e-2, 1.26e-1, 9.68e-3),
    "I.13.12": Equation(
        "G*m1*m2*(1/r2 - 1/r1)", {**_all("G m1 m2", _SHARE), **_all("r1 r2", _POSITIVE)}, 8.69e-3, 3.87e-2, 9.78e-3
    ),
    "I.14.3": Equation("m*g*z", {**_all("m g", _SHARE), "z": _UNIT}, 8.98e-3, 1.64e-1, 2.80e-3),
    "I.14.4": Equation("ks*x**2/2", {"ks": _SHARE, "x": _UNIT}, 5.13e-3, 1.11e-1, 6.79e-3),
    "I.15.3x": Equation(
        "(x - u*t)/sqrt(1 - u**2/c**2)", {**_all("x u t", _UNIT), "c": _LIGHT}, 3.50e-2, 3.48e-1, 8.52e-2
    ),
    "I.15.3t": Equation(
        "(t - u*x/c**2)/sqrt(1 - u**2/c**2)", {**_all("t u x", _UNIT), "c": _LIGHT}, 3.69e-2, 3.44e-1, 7.18e-2
    ),
    "I.15.10": Equation(
        "m0*v/sqrt(1 - v**2/c**2)", {"m0": _UNIT, "v": (-0.9, 0.9), "c": (1.1, 2.0)}, 2.36e-2, 2.27e-1, 1.47e-2
    ),
    "I.16.6": Equation("(u + v)/(1 + u*v/c**2)", {**_all("u v", (-0.8, 0.8)), "c": _LIGHT}, 8.73e-3, 1.45e-1, 1.06e-2),
    "I.18.4": Equation(
        "(m1*r1 + m2*r2)/(m1 + m2)",
        {"m1": (0.5, 1.0), "r1": _UNIT, "m2": (0.5, 1.0), "r2": _UNIT},
        6.18e-3,
        2.33e-1,
        2.26e-2,
    ),
    "I.18.5": Equation("r*F*sin(th)", {**_all("r F", _UNIT), "th": _TURN}, 5.67e-2, 2.03e-1, 4.93e-2),
    "I.18.16": Equation("m*r*v*sin(th)", {**_all("m r v", _UNIT), "th": _TURN}, 6.88e-2, 1.02e-1, 3.40e-2),
    "I.24.6": Equation("m*(w**2 + w0**2)*x**2/4", {"m": _SHARE, **_all("w w0 x", _UNIT)}, 7.99e-3, 6.20e-2, 5.87e-3),
    "I.25.13": Equation("q/C", {"q": _UNIT, "C": _POSITIVE}, 1.07e-2, 5.17e-1, 8.33e-3),
    "I.26.2": Equation("asin(n*sin(th2))", {"n": (0.0, 0.99), "th2": _TURN}, 2.74e-2, 4.45e-1, 1.15e-2),
    "I.27.6": Equation("1/(1/d1 + n/d2)", {"d1": _POSITIVE, "d2": _LIGHT, "n": _POSITIVE}, 5.97e-3, 1.42e-1, 6.18e-3),
    "I.29.4": Equation("w/c", {"w": _SHARE, "c": _POSITIVE}, 5.27e-3, 2.26e-1, 3.45e-3),
    "I.29.16": Equation(
        "sqrt(x1**2 + x2**2 - 2*x1*x2*cos(th1 - th2))",
        {**_all("x1 x2", _UNIT), **_all("th1 th2", _TURN)},
        8.48e-2,
        2.91e-1,
        5.31e-2,
    ),
    "I.30.3": Equation(
        "I0*sin(n*th/2)**2/sin(th/2)**2",
        {"I0": _SHARE, "n": (0.0, 4.0), "th": (0.4 * math.pi, 1.6 * math.pi)},
        2.24e-1,
        4.07e-1,
        1.99e-1,
    ),
}

# What pykan's table computes under these names: I.16.6 multiplies the velocities that it should add, and "I.18.4" is
# the torque of I.18.5.
_AS_IN_PYKAN = {
    "I.16.6": replace(TABLE["I.16.6"], text="u*v/(1 + u*v/c**2)"),
    "I.18.4": TABLE["I.18.5"],
}


def load(
    name: str, *, n: int, rng: np.random.Generator, variant: Literal["true", "pykan"] = "true"
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``n`` points X [n, variables], uniform in the equation's ranges, and the formula's values y [n].

    ``variant="pykan"`` gives what pykan's table computes, wrong for I.16.6 and I.18.4. Raises ValueError for an
    equation that is not in the table.
    """
    if name not in TABLE:
        near = difflib.get_close_matches(name, TABLE, n=5, cutoff=0.5) or list(TABLE)
        raise ValueError(f"there is no equation {name!r} here: there are {', '.join(near)}")
    equation = _AS_IN_PYKAN.get(name, TABLE[name]) if variant == "pykan" else TABLE[name]
    low, high = np.array(list(equation.ranges.values())).T
    x = rng.uniform(low, high, size=(n, len(low)))
    return x, equation.formula(*x.T)


def target_std(name: str, *, n: int = 200_000) -> float:
    """The standard deviation of the formula over its ranges: the RMSE of always predicting the mean."""
    return float(load(name, n=n, rng=np.random.default_rng(0))[1].std())
