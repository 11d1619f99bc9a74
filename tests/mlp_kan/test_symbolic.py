"""Edges and networks that are known functions are read as those, and drawn with a curve for every edge."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
import torch

from paperworks.mlp_kan import KAN, forms, plot, splines, symbolic
from paperworks.mlp_kan.units import Units

_X = np.linspace(-0.9, 1.1, 300)
_CURVES = {
    "x": 2 * _X - 1,
    "x^2": 3 * (_X - 0.2) ** 2 + 1,
    "x^3": (2 * _X + 0.5) ** 3,
    "exp": np.exp(1.7 * _X),
    "sin": 2 * np.sin(3 * _X + 0.4) - 1,
    "abs": np.abs(_X - 0.3),
    "sqrt": np.sqrt(_X + 0.95),
    "log": np.log(_X + 1),
    "1/x": 1 / (_X + 1.1),
    "tanh": np.tanh(4 * _X - 1),
    "gauss": np.exp(-((2 * _X - 0.3) ** 2)),
}


@pytest.mark.parametrize("name", _CURVES)
def test_a_known_function_is_found_with_its_values(name):
    fit = forms.fitted(_X, _CURVES[name], tolerance=1e-6)
    assert fit.name == name
    assert fit.r2 > 1 - 1e-6
    assert fit(_X) == pytest.approx(_CURVES[name], abs=2e-3 * np.ptp(_CURVES[name]))
    x = sympy.Symbol("x", real=True)
    assert float(fit.expression(x).subs(x, 0.5)) == pytest.approx(float(fit(np.array([0.5]))[0]))


def test_a_simpler_function_is_taken_where_it_loses_little():
    nearly_straight = _X + 0.001 * np.sin(20 * _X)
    assert forms.fitted(_X, nearly_straight, tolerance=1e-3).name == "x"
    assert forms.fitted(_X, np.full_like(_X, 2.0), tolerance=1e-3) == forms.constant(2.0)


def _network(*curves):
    """One layer whose splines were fitted to curves of their inputs, without the base function."""
    torch.manual_seed(0)
    network = KAN((len(curves), 1), grid_size=20).double()
    layer = network.spline_layers()[0]
    line = torch.linspace(-1, 1, 401, dtype=torch.float64)[:-1, None]
    knots = layer.knots.double()[:1]
    for at, curve in enumerate(curves):
        fitted = splines.fit_coefficients(line, curve(line)[..., None], knots, order=3)
        per_edge = layer.weight.data.view(1, len(curves), -1)
        per_edge[0, at, 0] = 0
        per_edge[0, at, 1:] = fitted[0, :, 0]
    return network


def test_a_network_of_known_splines_becomes_their_formula():
    formula = _network(lambda x: torch.sin(3 * x), torch.square, lambda x: 0 * x).symbolic(names=["a", "b", "c"])
    a, b, _ = formula.variables
    assert formula.r2 > 0.9999
    assert [fit.name for fit in formula.edges[0][0]] == ["sin", "x^2", "constant"]
    assert formula.expression.free_symbols == {a, b}
    point = {a: 0.3, b: 0.5}
    assert float(formula.expression.subs(point)) == pytest.approx(np.sin(0.9) + 0.25, abs=2e-3)
    assert formula(np.array([[0.3, 0.5, 0.0]])) == pytest.approx([np.sin(0.9) + 0.25], abs=2e-3)


def test_squares_of_sums_are_multiplied_out_to_a_product():
    torch.manual_seed(0)
    network = KAN((2, 2, 1), grid_size=20).double()
    line = torch.linspace(-1, 1, 401, dtype=torch.float64)[:-1, None]
    for layer, rows in zip(network.spline_layers(), (((0.5, 0.5), (0.5, -0.5)), ((1.0, -1.0),)), strict=True):
        power = 1 if layer.out_features == 2 else 2
        fitted = splines.fit_coefficients(line, (line**power)[..., None], layer.knots.double()[:1], order=3)[0, :, 0]
        per_edge = layer.weight.data.view(layer.out_features, 2, -1)
        per_edge[..., 0] = 0
        per_edge[..., 1:] = torch.tensor(rows, dtype=torch.float64)[..., None] * fitted
    formula = network.symbolic(names=["u", "v"])
    u, v = formula.variables
    assert sympy.Poly(formula.expression, u, v).coeff_monomial(u * v) == pytest.approx(1, abs=1e-3)
    assert sympy.count_ops(formula.expression) <= 3


def test_a_formula_has_the_units_of_the_table():
    network = _network(torch.square)
    units = Units.of(np.array([[10.0], [30.0]]), np.array([1.0, 5.0]))
    rows = np.linspace(10, 30, 50)[:, None]
    formula = symbolic.read(network, units.inputs(rows).double(), names=["t"], units=units)
    assert formula(rows) == pytest.approx(2 * ((rows[:, 0] - 20) / 10) ** 2 + 3, abs=0.02)


@pytest.mark.parametrize(
    ("widths", "names", "says"),
    [((2, 2), (), "2 outputs"), ((2, 1), ("a",), "2 inputs"), ((2, 1), ("a", "a"), "differ")],
)
def test_what_cannot_be_a_formula_is_refused(widths, names, says):
    with pytest.raises(ValueError, match=says):
        KAN(widths).symbolic(names=names)


def _curves(figure):
    return [inset for ax in figure.axes for inset in ax.child_axes]


def test_every_edge_is_drawn_with_its_function():
    network = _network(lambda x: torch.sin(3 * x), torch.square)
    figure = network.plot(names=["a", "b"], outputs=["y"])
    insets = _curves(figure)
    assert len(insets) == 2
    x, y = insets[0].lines[0].get_data()
    assert y - np.interp(0, x, y) == pytest.approx(np.sin(3 * x), abs=0.02)
    assert {text.get_text() for text in figure.axes[0].texts} == {"a", "b", "y"}


def test_of_a_wide_layer_the_edges_that_vary_most_are_drawn():
    torch.manual_seed(0)
    network = KAN((plot.MOST_EDGES + 3, 1))
    weight = network.spline_layers()[0].weight.data.view(1, plot.MOST_EDGES + 3, -1)
    weight[0, :3] = 0
    figure = network.plot()
    assert len(_curves(figure)) == plot.MOST_EDGES
    assert all(np.ptp(inset.lines[0].get_ydata()) > 0 for inset in _curves(figure))


def test_layers_of_a_network_follow_each_other_and_penalise_together():
    torch.manual_seed(0)
    network, x = KAN((3, 4, 2)), torch.rand(20, 3) * 2 - 1
    first, second = network.spline_layers()
    torch.testing.assert_close(network(x), second(first(x)))
    torch.testing.assert_close(network.regularization(x), first.regularization(x) + second.regularization(first(x)))


@pytest.mark.parametrize("widths", [(3,), (3, 0)])
def test_what_cannot_be_a_network_is_refused(widths):
    with pytest.raises(ValueError, match="each at least 1"):
        KAN(widths)


def test_wrong_names_of_a_picture_are_refused():
    with pytest.raises(ValueError, match="2 inputs: give as many names, not 1"):
        KAN((2, 1)).plot(names=["a"])
