"""A network of spline layers read as a formula: every edge a known function, all constants then fitted together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import sympy
import torch
from numpy.typing import NDArray
from scipy.optimize import least_squares
from torch import Tensor

from .forms import EdgeFit, constant, fitted
from .units import Units

if TYPE_CHECKING:
    from .network import KAN

__all__ = ["Formula", "read"]

Floats = NDArray[np.float64]
Layer = list[list[EdgeFit]]
"""The fits of a layer's edges, [out][in]."""

_DIGITS = 4
_SMALL = 1e-4
_EVALUATIONS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """A sympy expression of ``variables``, the share ``r2`` of the network's variance that it explains, and its edges.

    ``edges[layer][output][input]`` is what each edge was found to be, with an R² of its own.
    """

    expression: sympy.Expr
    variables: tuple[sympy.Symbol, ...]
    r2: float
    edges: tuple[Layer, ...]

    def __call__(self, x: Floats) -> Floats:
        """The expression at x [n, variables]: [n], nan where it is not defined."""
        return _values(self.expression, self.variables, x)

    def __str__(self) -> str:
        return str(self.expression)


def read(
    network: KAN,
    x: Tensor,
    *,
    names: Sequence[str] = (),
    tolerance: float = 5e-3,
    targets: Tensor | None = None,
    units: Units | None = None,
) -> Formula:
    """What `KAN.symbolic` documents; with ``targets`` [n] the constants are fitted to those, not to the outputs.

    With ``units`` the expression is that of the table's own columns, while ``x`` and ``targets`` are the network's.
    """
    variables = _variables(network, names)
    with torch.no_grad():
        outputs = network(x)
    if outputs.shape[-1] != 1:
        raise ValueError(f"the network has {outputs.shape[-1]} outputs: a formula has one")
    points, wanted = _array(x), _array(outputs)[:, 0]
    layers = _without_dead_ends(_snapped(network, points, tolerance))
    layers = _polished(layers, points, wanted if targets is None else _array(targets))
    inputs, rows = list(variables), points
    if units is not None:
        inputs, rows, wanted = units.input_expressions(variables), units.rows(x), units.answers(outputs)[:, 0]
    expression = _expression(layers, inputs)
    if units is not None:
        expression = units.answer_expression(expression)
    expression = _tidy(expression, variables, rows)
    r2 = _explained(_values(expression, variables, rows), wanted)
    return Formula(expression=expression, variables=variables, r2=r2, edges=tuple(layers))


def _explained(values: Floats, wanted: Floats) -> float:
    """The share of the variance of ``wanted`` that is explained, the mean standing for values not defined."""
    if wanted.var() == 0:
        return 1.0
    return 1 - float(np.mean(np.square(np.where(np.isfinite(values), values, wanted.mean()) - wanted)) / wanted.var())


def _variables(network: KAN, names: Sequence[str]) -> tuple[sympy.Symbol, ...]:
    count = network.spline_layers()[0].in_features
    names = names or [f"x{place}" for place in range(1, count + 1)]
    if len(names) != count or len(set(names)) != count:
        raise ValueError(f"the network has {count} inputs: give as many different names, not {list(names)}")
    return tuple(sympy.Symbol(name, real=True) for name in names)


def _array(x: Tensor) -> Floats:
    return x.detach().cpu().double().numpy()


def _snapped(network: KAN, points: Floats, tolerance: float) -> list[Layer]:
    """The fits layer by layer, each on the values that the formula so far gives to the layer's inputs."""
    layers = []
    for layer in network.spline_layers():
        with torch.no_grad():
            curves = _array(layer.edges(torch.as_tensor(points).to(layer.weight)))
        layers.append([_node(points, curves[:, output], tolerance) for output in range(layer.out_features)])
        points = _through(layers[-1], points)
    return layers


def _node(points: Floats, curves: Floats, tolerance: float) -> list[EdgeFit]:
    """The fits of the edges into one node, whose values are curves [n, in]; those that hardly vary are constants."""
    spread = curves.var(axis=0)
    least = tolerance * spread.sum()
    return [
        fitted(points[:, edge], curves[:, edge], tolerance=tolerance)
        if spread[edge] > least
        else constant(float(curves[:, edge].mean()))
        for edge in range(curves.shape[1])
    ]


def _through(layer: Layer, x: Floats) -> Floats:
    return np.stack([sum((fit(x[:, edge]) for edge, fit in enumerate(node)), np.zeros(len(x))) for node in layer], 1)


def _without_dead_ends(layers: list[Layer]) -> list[Layer]:
    """The layers with nodes that no varying edge leads on from made constant."""
    alive = {0}
    kept = []
    for layer in reversed(layers):
        kept.append([node if at in alive else [constant(0.0)] * len(node) for at, node in enumerate(layer)])
        alive = {edge for node in kept[-1] for edge, fit in enumerate(node) if fit.form is not None}
    return kept[::-1]


def _polished(layers: list[Layer], points: Floats, wanted: Floats) -> list[Layer]:
    """The layers with all constants moved together to where the formula comes closest to ``wanted`` [n]."""
    start = _constants(layers)
    if not len(start):
        return layers

    def misses(constants: Floats) -> Floats:
        values = points
        for layer in _with_constants(layers, constants):
            values = _through(layer, values)
        return np.clip(np.nan_to_num(values[:, 0] - wanted, nan=1e6), -1e6, 1e6)

    found = least_squares(misses, start, max_nfev=_EVALUATIONS, x_scale="jac")
    better = np.square(found.fun).sum() < np.square(misses(start)).sum()
    return _with_constants(layers, found.x) if better else layers


def _constants(layers: list[Layer]) -> Floats:
    return np.array([value for fit in _varying(layers) for value in (fit.a, fit.b, fit.c, fit.d)])


def _varying(layers: list[Layer]) -> list[EdgeFit]:
    return [fit for layer in layers for node in layer for fit in node if fit.form is not None]


def _with_constants(layers: list[Layer], constants: Floats) -> list[Layer]:
    given = iter(constants.reshape(-1, 4))

    def moved(fit: EdgeFit) -> EdgeFit:
        if fit.form is None:
            return fit
        a, b, c, d = next(given).tolist()
        return replace(fit, a=a, b=b, c=c, d=d)

    return [[[moved(fit) for fit in node] for node in layer] for layer in layers]


def _expression(layers: list[Layer], nodes: list[sympy.Expr]) -> sympy.Expr:
    for layer in layers:
        nodes = [sympy.Add(*(fit.expression(nodes[edge]) for edge, fit in enumerate(node))) for node in layer]
    return nodes[0]


def _tidy(expression: sympy.Expr, variables: Sequence[sympy.Symbol], x: Floats) -> sympy.Expr:
    """The shorter of the expression as it is and multiplied out, without terms that hardly vary, with few digits.

    What was multiplied out counts only where its value is still the same: large terms may have cancelled out before.
    """
    plain = _values(expression, variables, x)
    forms = [expression, expression.expand(power_base=False, power_exp=False, log=False)]
    tidied = [_rounded(_without_small_terms(form, variables, x)) for form in forms]
    moved = [np.mean(np.square(_values(each, variables, x) - plain)) for each in tidied]
    same = [each for each, by in zip(tidied, moved, strict=True) if by <= 2 * moved[0] + _SMALL * plain.var()]
    return min(same or tidied[:1], key=sympy.count_ops)


def _without_small_terms(expression: sympy.Expr, variables: Sequence[sympy.Symbol], x: Floats) -> sympy.Expr:
    values = {term: _values(term, variables, x) for term in sympy.Add.make_args(expression)}
    least = _SMALL * _values(expression, variables, x).var()
    small = [term for term, value in values.items() if value.var() <= least]
    rest = sum(float(values[term].mean()) for term in small)
    return sympy.Add(*(term for term in values if term not in small), sympy.Float(rest))


def _rounded(expression: sympy.Expr) -> sympy.Expr:
    return expression.xreplace(
        {number: sympy.Float(str(number.round(_DIGITS)), _DIGITS) for number in expression.atoms(sympy.Float)}
    )


def _values(expression: sympy.Expr, variables: Sequence[sympy.Symbol], x: Floats) -> Floats:
    function = sympy.lambdify(variables, expression, "numpy")
    with np.errstate(all="ignore"):
        values = function(*x.T)
    return np.broadcast_to(np.asarray(values, dtype=np.float64), len(x)).copy()
