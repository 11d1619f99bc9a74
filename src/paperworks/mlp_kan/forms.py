"""The functions that an edge may turn out to be: a f(b x + c) + d for each known f, fitted by least squares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy.optimize import minimize

__all__ = ["FORMS", "EdgeFit", "Form", "constant", "fitted"]

Floats = NDArray[np.float64]

_OUTSIDE = 1e6
_POINTS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A function f, as numpy and as sympy know it, the pairs (b, c) that a fit is begun from, and how complex it is.

    The pairs are for x scaled to [-1, 1], and keep b x + c where f is defined.
    """

    name: str
    function: Callable[[Floats], Floats]
    symbol: Callable[[sympy.Expr], sympy.Expr]
    starts: Sequence[tuple[float, float]]
    complexity: int

    def __call__(self, x: Floats) -> Floats:
        """f at ``x``, far away where it is not defined."""
        with np.errstate(all="ignore"):
            return np.nan_to_num(self.function(x), nan=_OUTSIDE, posinf=_OUTSIDE, neginf=-_OUTSIDE)


def _grid(b: Iterable[float], c: Iterable[float]) -> list[tuple[float, float]]:
    c = list(c)
    return [(float(each), float(shift)) for each in b for shift in c]


_BEYOND = 1 + np.geomspace(1e-3, 10, 25)
_WITHIN = np.linspace(-2, 2, 41)
_RATES = np.geomspace(0.2, 12, 25)

FORMS = (
    Form(name="x", function=lambda x: x, symbol=lambda x: x, starts=[(1, 0)], complexity=1),
    Form(name="x^2", function=np.square, symbol=lambda x: x**2, starts=_grid([1], 3 * _WITHIN), complexity=2),
    Form(name="x^3", function=lambda x: x**3, symbol=lambda x: x**3, starts=_grid([1], 3 * _WITHIN), complexity=3),
    Form(name="exp", function=np.exp, symbol=sympy.exp, starts=_grid([*_RATES, *-_RATES], [0]), complexity=3),
    Form(name="sin", function=np.sin, symbol=sympy.sin, starts=_grid(_RATES, np.linspace(0, 3.1, 12)), complexity=3),
    Form(name="abs", function=np.abs, symbol=sympy.Abs, starts=_grid([1], _WITHIN), complexity=3),
    Form(name="sqrt", function=np.sqrt, symbol=sympy.sqrt, starts=_grid([1, -1], _BEYOND), complexity=3),
    Form(name="log", function=np.log, symbol=sympy.log, starts=_grid([1, -1], _BEYOND), complexity=3),
    Form(name="1/x", function=np.reciprocal, symbol=lambda x: 1 / x, starts=_grid([1, -1], _BEYOND), complexity=3),
    Form(name="tanh", function=np.tanh, symbol=sympy.tanh, starts=_grid(_RATES, 3 * _WITHIN), complexity=4),
    Form(
        name="gauss",
        function=lambda x: np.exp(-np.square(x)),
        symbol=lambda x: sympy.exp(-(x**2)),
        starts=_grid(_RATES, 3 * _WITHIN),
        complexity=4,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeFit:
    """What an edge was found to be: a f(b x + c) + d, and the share of its variance that this explains.

    ``form`` is None for an edge that hardly varies and counts as the constant d.
    """

    form: Form | None
    a: float
    b: float
    c: float
    d: float
    r2: float

    @property
    def name(self) -> str:
        """The function's name, "constant" where there is none."""
        return self.form.name if self.form else "constant"

    def __call__(self, x: Floats) -> Floats:
        """The function at ``x`` [n]."""
        return np.full_like(x, self.d) if self.form is None else self.a * self.form(self.b * x + self.c) + self.d

    def expression(self, x: sympy.Expr) -> sympy.Expr:
        """The function of a sympy expression."""
        if self.form is None:
            return sympy.Float(self.d)
        inner = sympy.Float(self.b) * x + sympy.Float(self.c)
        return sympy.Float(self.a) * self.form.symbol(inner) + sympy.Float(self.d)


def constant(value: float) -> EdgeFit:
    """An edge that does not vary."""
    return EdgeFit(form=None, a=0.0, b=0.0, c=0.0, d=value, r2=1.0)


def fitted(x: Floats, y: Floats, *, tolerance: float) -> EdgeFit:
    """The simplest form whose fit to y [n] at x [n] leaves at most ``tolerance`` of the variance more than the best."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return constant(float(y.mean()))
    chosen = np.argsort(x)[np.linspace(0, len(x) - 1, min(len(x), _POINTS)).astype(int)]
    fits = [_fit(form, x[chosen], y[chosen]) for form in FORMS]
    best = max(fit.r2 for fit in fits)
    return min(
        (fit for fit in fits if fit.r2 >= best - tolerance),
        key=lambda fit: (fit.form.complexity if fit.form else 0, -fit.r2),
    )


def _fit(form: Form, x: Floats, y: Floats) -> EdgeFit:
    """The best (b, c) of the starts, refined by a simplex search; a and d follow from them by regression."""
    middle, half = (x.max() + x.min()) / 2, np.ptp(x) / 2
    scaled = (x - middle) / half
    starts = np.array(form.starts)
    values = form(starts[:, :1] * scaled + starts[:, 1:])
    start = starts[np.argmax(_r2(values, y))]
    found = minimize(
        lambda pair: 1 - _r2(form(pair[0] * scaled + pair[1])[None], y)[0],
        start,
        method="Nelder-Mead",
        options={"maxfev": 200, "xatol": 1e-7, "fatol": 1e-12},
    )
    b, c = found.x
    value = form(b * scaled + c)
    a, d = _line(value, y)
    return EdgeFit(form=form, a=a, b=b / half, c=c - b * middle / half, d=d, r2=float(_r2(value[None], y)[0]))


def _line(values: Floats, y: Floats) -> tuple[float, float]:
    slope = float(np.mean((values - values.mean()) * (y - y.mean())) / max(float(values.var()), 1e-300))
    return slope, float(y.mean() - slope * values.mean())


def _r2(values: Floats, y: Floats) -> Floats:
    """The squared correlation of each row of values [m, n] with y [n]: 0 where one leaves what f is defined on."""
    centred = values - values.mean(axis=1, keepdims=True)
    variance = np.mean(centred**2, axis=1) * y.var()
    share = np.mean(centred * (y - y.mean()), axis=1) ** 2 / np.maximum(variance, 1e-300)
    return np.where((np.abs(values) < _OUTSIDE).all(axis=1), share, 0.0)
