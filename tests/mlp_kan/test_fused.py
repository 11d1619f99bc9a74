"""The layer in one piece against the recursion, number by number, and its gradients against finite differences."""

from __future__ import annotations

import pytest
import torch

from paperworks.mlp_kan import KANLinear, fused, products, reference


def _layer(order, grid_size, *, moved=False, dtype=torch.float64):
    """A layer whose splines count beside the base; ``moved`` to unequal knots of each feature."""
    torch.manual_seed(order + 10 * grid_size)
    layer = KANLinear(2, 3, grid_size=grid_size, spline_order=order, scale_noise=5.0)
    if moved:
        layer.update_grid(torch.randn(200, 2) * torch.tensor([0.4, 0.9]))
    return layer.to(dtype)


def _by_the_book(layer, x):
    """Section 2 of KAN, edge by edge: the base's weight times silu, and coefficients times Cox-de Boor."""
    order, weight = layer.spline_order, layer.weight.detach().view(layer.out_features, layer.in_features, -1).tolist()
    knots = layer.knots.tolist()
    outputs = torch.zeros(len(x), layer.out_features, dtype=torch.float64)
    for n, row in enumerate(x.tolist()):
        for j in range(layer.out_features):
            for i, value in enumerate(row):
                base, *coefficients = weight[j][i]
                outputs[n, j] += base * torch.nn.functional.silu(torch.tensor(value, dtype=torch.float64))
                outputs[n, j] += sum(
                    c * reference.bspline(value, knots[i], g, order) for g, c in enumerate(coefficients)
                )
    return outputs


def _points(layer):
    """Every knot of each feature, and places on and off the grid."""
    between = torch.linspace(-4, 4, 33, dtype=layer.knots.dtype).repeat(2, 1) + 0.013
    return torch.cat([layer.knots.detach(), between], dim=1).T


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("grid_size", [1, 5, 12])
@pytest.mark.parametrize("order", range(1, 6))
def test_outputs_are_those_of_the_recursion_on_and_off_the_knots(order, grid_size, moved):
    layer = _layer(order, grid_size, moved=moved)
    x = _points(layer)
    assert fused.fits(x, layer.weight, order)
    torch.testing.assert_close(layer(x), _by_the_book(layer, x), atol=1e-10, rtol=0)


@pytest.mark.parametrize("moved", [False, True])
def test_single_precision_is_as_near_as_it_can_be(moved):
    exact = _layer(3, 5, moved=moved)
    layer = _layer(3, 5, moved=moved, dtype=torch.float32)
    x = torch.rand(300, 2) * 5 - 2.5
    torch.testing.assert_close(layer(x).double(), exact(x.double()), atol=2e-6, rtol=0)


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("order", range(1, 6))
def test_gradients_are_those_of_finite_differences(order, moved):
    layer = _layer(order, 4, moved=moved)
    x = (torch.rand(7, 2, dtype=torch.float64) * 5 - 2.5).requires_grad_()
    call = torch.func.functional_call
    assert torch.autograd.gradcheck(lambda x, w: call(layer, {"weight": w}, (x,)), (x, layer.weight))


def test_the_curvature_of_a_network_is_that_of_finite_differences():
    torch.manual_seed(0)
    network = torch.nn.Sequential(KANLinear(1, 3, scale_noise=5.0), KANLinear(3, 1, scale_noise=5.0)).double()
    x = torch.linspace(-0.93, 0.9, 9, dtype=torch.float64)[:, None].requires_grad_()
    slope = torch.autograd.grad(network(x).sum(), x, create_graph=True)[0]
    curvature = torch.autograd.grad(slope.sum(), x)[0]
    step = 1e-4
    wanted = (network(x + step) - 2 * network(x) + network(x - step)) / step**2
    torch.testing.assert_close(curvature, wanted.detach(), atol=1e-4, rtol=1e-4)


def _gradients(layer, x):
    return torch.autograd.grad(layer(x).square().sum(), [x, layer.weight])


@pytest.mark.parametrize("rows", [0, 1, 7, 300])
def test_parts_of_a_batch_and_threads_change_nothing(monkeypatch, rows):
    layer, x = _layer(3, 5), torch.randn(rows, 2, dtype=torch.float64, requires_grad=True)
    whole, slopes = layer(x), _gradients(layer, x)
    monkeypatch.setattr(fused, "_ROWS", 5)
    monkeypatch.setattr(fused, "_ROWS_AN_OUTPUT", 1)
    monkeypatch.setattr(fused, "_STEPS", 1 << 24)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        torch.testing.assert_close(layer(x), whole)
        torch.testing.assert_close(_gradients(layer, x), slopes)
    finally:
        torch.set_num_threads(threads)


def test_any_layout_and_leading_dimensions_are_taken():
    layer, x = _layer(3, 5), torch.randn(2, 6, 5, dtype=torch.float64).transpose(1, 2)[..., ::3]
    assert layer(x).shape == (2, 5, 3)
    torch.testing.assert_close(layer(x)[1, 4], layer(x[1, 4]))


def test_inputs_that_need_no_gradient_get_none_and_weights_the_same():
    layer, x = _layer(3, 5), torch.randn(40, 2, dtype=torch.float64, requires_grad=True)
    layer(x.detach()).square().sum().backward()
    torch.testing.assert_close(layer.weight.grad, _gradients(layer, x)[1])


def test_only_points_and_weights_are_remembered():
    layer, x = KANLinear(16, 16), torch.randn(2000, 16, requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        layer(x)
    assert sum(tensor.numel() for tensor in kept) == x.numel() + layer.weight.numel() + layer.knots.numel()


def test_infinities_and_what_is_no_number_do_not_spread():
    layer = _layer(3, 5)
    x = torch.tensor([[float("nan"), 0.1], [float("inf"), 0.1], [0.2, 0.1]], dtype=torch.float64)
    outputs = layer(x)
    assert outputs[0].isnan().all()
    assert outputs[1].isinf().all()
    torch.testing.assert_close(outputs[2], layer(x[2]))


def test_transforms_and_other_types_take_the_plain_form():
    layer, x = _layer(3, 5), torch.randn(6, 4, 2, dtype=torch.float64)
    torch.testing.assert_close(torch.vmap(layer)(x), layer(x), atol=1e-6, rtol=0)
    slope = torch.func.vmap(torch.func.grad(lambda row: layer(row).sum()))(x[0])
    rows = x[0].clone().requires_grad_()
    torch.testing.assert_close(slope, torch.autograd.grad(layer(rows).sum(), rows)[0], atol=1e-6, rtol=0)
    torch.testing.assert_close(torch.compile(layer, backend="eager", fullgraph=True)(x), layer(x), atol=1e-6, rtol=0)
    half = _layer(3, 5, dtype=torch.bfloat16)
    assert half(x.bfloat16()).dtype == torch.bfloat16
    steps = _layer(0, 5)
    torch.testing.assert_close(steps(x[0]), _by_the_book(steps, x[0]))


@pytest.mark.parametrize("worth", [0, 1 << 62])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (64, 576, 100), (3, 70, 17)])
def test_products_are_products_by_either_library(monkeypatch, worth, sizes):
    monkeypatch.setattr(products, "_WORTH_A_CALL", worth)
    rows, inner, columns = sizes
    left, right = torch.randn(rows, inner), torch.randn(inner, columns)
    wanted = (left.double() @ right.double()).float()
    for a in (left, left.T.contiguous().T):
        for b in (right, right.T.contiguous().T):
            torch.testing.assert_close(products.product(a, b), wanted, atol=1e-4, rtol=1e-4)
