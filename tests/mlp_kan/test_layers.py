"""Splines against the recursion, and layers that keep their outputs when their grid moves."""

from __future__ import annotations

import pytest
import torch

from paperworks.mlp_kan import FasterKANLinear, KANLinear, RBFKANLinear, reference, splines


def _points(order, grid_size):
    knots = splines.uniform_knots(-1.0, 1.0, grid_size=grid_size, order=order)
    return torch.cat([knots[:-1], torch.linspace(-3.1, 3.1, 41, dtype=torch.float64)])[:, None]


def _by_recursion(points, knots, order):
    row = knots.tolist()
    return torch.tensor(
        [[reference.bspline(x, row, g, order) for g in range(len(row) - order - 1)] for x in points[:, 0].tolist()],
        dtype=torch.float64,
    )


@pytest.mark.parametrize("order", range(6))
@pytest.mark.parametrize("grid_size", [1, 2, 5, 8])
def test_both_forms_are_the_recursion_on_and_off_the_knots(order, grid_size):
    points = _points(order, grid_size)
    knots = splines.uniform_knots(-1.0, 1.0, grid_size=grid_size, order=order)
    wanted = _by_recursion(points, knots, order)
    torch.testing.assert_close(splines.basis(points, knots[None], order=order)[:, 0], wanted, atol=1e-12, rtol=0)
    # On a knot, a rounding error decides the cell; only steps (order 0) tell the cells apart.
    kept = points if order else points[len(knots) - 1 :]
    wanted = _by_recursion(kept, knots, order)
    torch.testing.assert_close(splines.uniform_basis(kept, knots[None], order=order)[:, 0], wanted, atol=1e-9, rtol=0)


def test_knots_that_coincide_divide_nothing_by_nothing():
    knots = torch.tensor([[-2.0, -1, 0, 0, 0, 1, 2, 3]], dtype=torch.float64)
    points = torch.linspace(-2.5, 3.5, 61, dtype=torch.float64)[:, None]
    found = splines.basis(points, knots, order=3)[:, 0]
    torch.testing.assert_close(found, _by_recursion(points, knots[0], 3), atol=1e-12, rtol=0)


@pytest.mark.parametrize("order", range(6))
def test_the_basis_sums_to_one_on_the_grid(order):
    knots = splines.uniform_knots(-1.0, 1.0, grid_size=5, order=order)[None]
    points = torch.linspace(-1, 0.999, 101, dtype=torch.float64)[:, None]
    torch.testing.assert_close(splines.uniform_basis(points, knots, order=order).sum(-1), torch.ones_like(points))


def test_the_cubic_has_its_known_values():
    knots = splines.uniform_knots(-1.0, 1.0, grid_size=5, order=3)[None]
    found = splines.uniform_basis(torch.tensor([[-0.8]], dtype=torch.float64), knots, order=3)[0, 0, :4]
    torch.testing.assert_close(found, torch.tensor([1, 23, 23, 1], dtype=torch.float64) / 48)


@pytest.mark.parametrize("uniform", [True, False])
def test_gradients_are_those_of_finite_differences(uniform):
    torch.manual_seed(0)
    layer = KANLinear(2, 3).double()
    layer.uniform = uniform
    x = torch.tensor([[-1.7, 0.13], [0.55, -0.31], [3.0, 0.9]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x,))
    assert torch.autograd.gradgradcheck(layer, (x,))
    assert torch.autograd.gradcheck(
        lambda weight: torch.func.functional_call(layer, {"weight": weight}, (x.detach(),)), (layer.weight,)
    )


def test_not_a_number_stays_so_and_far_away_only_the_base_is_left():
    layer = KANLinear(1, 1)
    assert layer(torch.tensor([[float("nan")]])).isnan().all()
    assert not layer.basis(torch.tensor([[100.0], [-100.0]])).any()


@pytest.mark.parametrize("size", [5, 10, 20])
def test_extending_the_grid_leaves_the_outputs_unchanged(size):
    torch.manual_seed(0)
    layer, x = KANLinear(3, 4, scale_noise=10.0), torch.rand(200, 3) * 1.98 - 0.99
    before = layer(x)
    layer.extend_grid(size)
    assert layer.grid_size == size
    torch.testing.assert_close(layer(x), before, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [5, 10, 15])
def test_a_grid_that_follows_the_data_is_extended_without_a_change(size):
    torch.manual_seed(0)
    layer, x = KANLinear(3, 4, scale_noise=10.0).double(), torch.randn(300, 3, dtype=torch.float64)
    layer.update_grid(x)
    before = layer(x)
    layer.extend_grid(size)
    torch.testing.assert_close(layer(x), before, atol=1e-8, rtol=0)


def test_points_that_touch_few_splines_refit_to_numbers():
    layer = KANLinear(2, 2)
    layer.update_grid(torch.full((50, 2), 0.25))
    assert layer(torch.rand(20, 2)).isfinite().all()


def test_updating_the_grid_keeps_a_cubic_though_efficient_kan_scales_it_twice():
    torch.manual_seed(0)
    layer = KANLinear(1, 1).double()
    line = torch.linspace(-0.99, 0.99, 300, dtype=torch.float64)[:, None]
    cubic = 3 * line**3 - line + 0.5
    fitted = splines.fit_coefficients(line, cubic[..., None], layer.knots, order=3)
    layer.weight.data[0, 1:] = fitted[0, :, 0]
    x = line[torch.randint(300, (500,))]
    before = layer(x)
    layer.update_grid(x)
    assert not layer.uniform
    torch.testing.assert_close(layer(x), before, atol=1e-8, rtol=0)
    restored = KANLinear(1, 1).double()
    restored.load_state_dict(layer.state_dict())
    torch.testing.assert_close(restored(x), before, atol=1e-8, rtol=0)


def test_regularisation_is_importance_and_entropy_of_edges():
    layer, x = KANLinear(2, 2), torch.rand(50, 2)
    torch.testing.assert_close(layer.edges(x).sum(-1), layer(x), atol=1e-5, rtol=0)
    importance = layer.edges(x).abs().mean(0)
    share = importance / importance.sum()
    wanted = 2 * importance.sum() - 3 * (share * share.log()).sum()
    torch.testing.assert_close(layer.regularization(x, l1=2, entropy=3), wanted)


def test_the_switch_layer_is_its_formula():
    torch.manual_seed(0)
    layer, x = FasterKANLinear(3, 2), torch.randn(4, 3)
    normed, centres = layer.norm(x).tolist(), layer.centres.tolist()
    columns = torch.tensor([[reference.switch(value, c) for value in row for c in centres] for row in normed])
    torch.testing.assert_close(layer(x), columns @ layer.linear.weight.T, atol=1e-5, rtol=0)
    assert reference.switch(0.33, 0.0) == pytest.approx(0.41997, abs=1e-5)


def test_the_gaussian_layer_takes_any_leading_dimensions():
    assert RBFKANLinear(3, 2)(torch.randn(4, 5, 3)).shape == (4, 5, 2)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"grid_size": 0}, "at least 1 cell"), ({"spline_order": 6}, "0 to 5"), ({"grid_range": (1.0, 1.0)}, "below")],
)
def test_what_cannot_be_a_grid_is_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        KANLinear(2, 2, **wrong)


def test_wrong_inputs_are_refused():
    layer = KANLinear(2, 2)
    with pytest.raises(ValueError, match="takes 2"):
        layer(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="finite"):
        layer.update_grid(torch.tensor([[0.0, float("nan")]]))
    with pytest.raises(ValueError, match="as many or more"):
        layer.extend_grid(3)
