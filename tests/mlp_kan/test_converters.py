"""Networks of efficient-kan and pykan say here what they said there; their layouts are those of the packages."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from paperworks.mlp_kan import load_efficient_kan, load_pykan, splines

WIDTHS = (3, 4, 2)
CELLS, ORDER = 5, 3


def _knots(inputs, *, equal):
    knots = splines.uniform_knots(-1, 1, grid_size=CELLS, order=ORDER).double().repeat(inputs, 1)
    return knots if equal else (knots + 0.1 * torch.rand(knots.shape, dtype=knots.dtype)).sort(dim=1).values


def _by_the_recursion(x, grid, base, coefficients):
    """base [out, in] times SiLU, and coefficients [out, in, G + k] times the splines by Cox and de Boor."""
    basis = splines.basis(x, grid, order=ORDER)
    return torch.nn.functional.silu(x) @ base.T + torch.einsum("nib,oib->no", basis, coefficients)


@pytest.fixture(params=[True, False], ids=["equal cells", "others"])
def efficient(request):
    """The state of efficient-kan's KAN([3, 4, 2]), and what that network says."""
    torch.manual_seed(0)
    state = {}
    for depth, (inputs, outputs) in enumerate(pairwise(WIDTHS)):
        state |= {
            f"layers.{depth}.grid": _knots(inputs, equal=request.param),
            f"layers.{depth}.base_weight": torch.randn(outputs, inputs, dtype=torch.float64),
            f"layers.{depth}.spline_weight": torch.randn(outputs, inputs, CELLS + ORDER, dtype=torch.float64),
            f"layers.{depth}.spline_scaler": torch.randn(outputs, inputs, dtype=torch.float64),
        }

    def says(x):
        for depth in range(2):
            grid, base, spline, scale = (
                state[f"layers.{depth}.{name}"] for name in ("grid", "base_weight", "spline_weight", "spline_scaler")
            )
            x = _by_the_recursion(x, grid, base, spline * scale[..., None])
        return x

    return state, says


def test_efficient_kan_says_the_same(efficient):
    state, says = efficient
    network, x = load_efficient_kan(state), torch.rand(50, 3, dtype=torch.float64) * 3 - 1.5
    torch.testing.assert_close(network(x), says(x), atol=1e-10, rtol=0)
    plain = {name: value for name, value in state.items() if not name.endswith("scaler")}
    assert not torch.allclose(load_efficient_kan(plain)(x), says(x))


def test_a_state_of_something_else_is_refused(efficient):
    state, _ = efficient
    with pytest.raises(ValueError, match=r"no layers\.0\.grid"):
        load_efficient_kan({"weight": torch.ones(1)})
    with pytest.raises(ValueError, match=r"layers\.1 has no base_weight"):
        load_efficient_kan({name: value for name, value in state.items() if name != "layers.1.base_weight"})
    with pytest.raises(ValueError, match="splines of order 2"):
        load_efficient_kan(state, spline_order=2)


@pytest.fixture
def pykan():
    """What is read of pykan's KAN(width=[3, 4, 2]): one list entry a layer, all of it by input first."""
    torch.manual_seed(1)

    def layer(inputs, outputs):
        return SimpleNamespace(
            k=ORDER,
            grid=_knots(inputs, equal=False),
            coef=torch.randn(inputs, outputs, CELLS + ORDER, dtype=torch.float64),
            scale_base=torch.randn(inputs, outputs, dtype=torch.float64),
            scale_sp=torch.randn(inputs, outputs, dtype=torch.float64),
            mask=(torch.rand(inputs, outputs) > 0.2).double(),
            base_fun=torch.nn.SiLU(),
        )

    return SimpleNamespace(
        width=[[width, 0] for width in WIDTHS],
        act_fun=[layer(3, 4), layer(4, 2)],
        symbolic_fun=[SimpleNamespace(mask=torch.zeros(4, 3)), SimpleNamespace(mask=torch.zeros(2, 4))],
        subnode_scale=[torch.full((4,), 2.0), torch.ones(2)],
        subnode_bias=[torch.zeros(4), torch.zeros(2)],
        node_scale=[torch.ones(4), torch.full((2,), 0.5)],
        node_bias=[torch.zeros(4), torch.zeros(2)],
    )


def test_pykan_says_the_same(pykan):
    first = x = torch.rand(50, 3, dtype=torch.float64) * 3 - 1.5
    for depth, layer in enumerate(pykan.act_fun):
        base, spline = layer.mask * layer.scale_base, (layer.mask * layer.scale_sp)[..., None] * layer.coef
        x = _by_the_recursion(x, layer.grid, base.T, spline.transpose(0, 1))
        x = pykan.node_scale[depth] * pykan.subnode_scale[depth] * x
    torch.testing.assert_close(load_pykan(pykan)(first), x, atol=1e-10, rtol=0)


def test_what_splines_cannot_say_is_refused(pykan):
    pykan.act_fun[1].base_fun = torch.sin
    with pytest.raises(ValueError, match="layer 1 has another base function"):
        load_pykan(pykan)
    pykan.node_bias[1][0] = 1
    with pytest.raises(ValueError, match="layer 1 has nodes with biases"):
        load_pykan(pykan)
    pykan.symbolic_fun[0].mask[0, 0] = 1
    with pytest.raises(ValueError, match="layer 0 has edges that were set to formulas"):
        load_pykan(pykan)
    pykan.width[1][1] = 1
    with pytest.raises(ValueError, match="nodes that multiply"):
        load_pykan(pykan)
