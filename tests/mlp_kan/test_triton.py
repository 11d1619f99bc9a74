"""The spline layer by Triton's kernels, interpreted where there is no GPU, against the layer in operations of torch."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from paperworks.mlp_kan import KANLinear, fused, triton_layer

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
CLOSE = {torch.float32: 1e-5, torch.bfloat16: 4e-2, torch.float16: 5e-3}


def made(inputs, outputs, *, order=3, grid_size=5, dtype=torch.float32):
    """A layer whose features have grids of their own, with weights that matter."""
    torch.manual_seed(order + grid_size)
    layer = KANLinear(inputs, outputs, grid_size=grid_size, spline_order=order)
    layer.knots.mul_(torch.linspace(0.5, 2.0, inputs)[:, None]).add_(torch.linspace(-1.0, 1.0, inputs)[:, None])
    torch.nn.init.normal_(layer.weight, std=inputs**-0.5)
    return layer.to(DEVICE, dtype)


def points(layer, rows):
    """Points everywhere, far outside too; the first are the first feature's knots themselves."""
    low, high = layer.knots[:, 0].float(), layer.knots[:, -1].float()
    x = low + (high - low) * (1.4 * torch.rand(rows, layer.in_features, device=DEVICE) - 0.2)
    known = layer.knots[0, :rows]
    x[: len(known), 0] = known.float()
    return x.to(layer.weight.dtype).requires_grad_()


def by_triton(layer, x):
    return triton_layer.spline_layer(x, layer.weight, layer.knots, order=layer.spline_order, plain=layer._plain)


def gradients(outputs, x, weight):
    generator = torch.Generator().manual_seed(9)
    given = torch.randn(outputs.shape, generator=generator).to(outputs)
    return torch.autograd.grad(outputs, [x, weight], given)


def assert_close(ours, wanted, dtype):
    scale = float(wanted.detach().abs().max())
    torch.testing.assert_close(ours.double(), wanted.double(), rtol=0, atol=CLOSE[dtype] * max(scale, 1.0))


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("rows", "inputs", "outputs", "grid_size"), [(17, 3, 2, 5), (70, 2, 67, 1), (130, 1, 3, 30)])
def test_it_is_the_layer_and_its_gradients(order, rows, inputs, outputs, grid_size):
    layer = made(inputs, outputs, order=order, grid_size=grid_size)
    x = points(layer, rows)
    ours, exact = by_triton(layer, x), made(inputs, outputs, order=order, grid_size=grid_size).double()
    double = x.detach().double().requires_grad_()
    wanted = exact._plain(double, exact.weight)
    assert_close(ours, wanted, torch.float32)
    if order > 1:  # the slope of a broken line is anybody's on a knot
        pairs = zip(gradients(ours, x, layer.weight), gradients(wanted, double, exact.weight), strict=True)
        for mine, theirs in pairs:
            assert_close(mine, theirs, torch.float32)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_types_are_summed_in_float32(dtype):
    layer = made(4, 33, dtype=dtype)
    x = points(layer, 40)
    ours = by_triton(layer, x)
    assert ours.dtype == dtype
    exact = made(4, 33, dtype=dtype).double()  # the rounded weights and knots
    double = x.detach().double().requires_grad_()
    wanted = exact._plain(double, exact.weight)
    assert_close(ours, wanted, dtype)
    for mine, theirs in zip(gradients(ours, x, layer.weight), gradients(wanted, double, exact.weight), strict=True):
        assert mine.dtype == dtype
        assert_close(mine, theirs, dtype)


def test_what_is_no_number_stays_in_its_row():
    layer = made(2, 3)
    x = points(layer, 4).detach()
    x[1, 0], x[2, 1] = torch.nan, 1e30
    ours, wanted = by_triton(layer, x), layer._plain(x, layer.weight)
    assert torch.equal(ours.isnan(), wanted.isnan())
    torch.testing.assert_close(ours[[0, 2, 3]], wanted[[0, 2, 3]], rtol=1e-5, atol=1e-5)


def test_no_rows_have_no_outputs_and_leave_the_weight_alone():
    layer = made(2, 3)
    x = torch.empty(0, 2, device=DEVICE, requires_grad=True)
    ours = by_triton(layer, x)
    assert ours.shape == (0, 3)
    to_x, to_weight = torch.autograd.grad(ours.sum(), [x, layer.weight])
    assert to_x.shape == (0, 2)
    assert not to_weight.any()


def test_gradients_of_gradients_are_those_of_the_layer():
    layer = made(2, 3)
    x = points(layer, 9)

    def second(outputs):
        (first,) = torch.autograd.grad(outputs.square().sum(), x, create_graph=True)
        return torch.autograd.grad(first.square().sum(), [x, layer.weight])

    for ours, wanted in zip(second(by_triton(layer, x)), second(layer._plain(x, layer.weight)), strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-4)


def test_between_the_passes_only_points_weights_and_knots_are_kept():
    layer = made(6, 5)
    x, kept = points(layer, 80), []

    def pack(tensor):
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        by_triton(layer, x)
    assert sum(kept) == x.numel() + layer.weight.numel() + layer.knots.numel()


def test_the_layer_takes_it_where_it_fits(monkeypatch):
    layer = made(3, 4)
    x = points(layer, 10)
    wanted = layer(x)
    asked = []

    def fits(x, weight, order, *, uniform):
        asked.append(uniform)
        return uniform

    monkeypatch.setattr(fused, "fits", lambda x, weight, order: False)
    monkeypatch.setattr(triton_layer, "fits", fits)
    torch.testing.assert_close(layer(x.view(2, 5, 3)), wanted.view(2, 5, 4), rtol=1e-5, atol=1e-5)
    layer.update_grid(x.detach())
    layer(x)
    assert asked == [True, False]


def test_main_memory_and_unequal_cells_are_not_for_it():
    layer = made(2, 2)
    assert not triton_layer.fits(torch.ones(1, 2), layer.weight.cpu(), 3, uniform=True)
    if DEVICE == "cuda":
        assert triton_layer.fits(torch.ones(1, 2, device=DEVICE), layer.weight, 3, uniform=True)
        assert not triton_layer.fits(torch.ones(1, 2, device=DEVICE), layer.weight, 3, uniform=False)


COMPILE = """
import torch, triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from paperworks.mlp_kan import triton_kernels, triton_layer

fixed = triton_layer._shape(torch.empty(256, 12), 3)
for kernel in (triton_kernels.outputs_of, triton_kernels.of_points, triton_kernels.of_weight):
    kinds = dict.fromkeys(("n", "inputs", "outputs"), "i32") | dict.fromkeys(("origin", "cells"), "*fp32")
    names = kernel.arg_names
    signature = {name: "constexpr" if name.isupper() else kinds.get(name, "*bf16") for name in names}
    source = ASTSource(fn=kernel, signature=signature, constexprs=fixed)
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32))
    print(kernel.__name__, len(compiled.asm["cubin"]) > 0)
"""


def test_an_h100_can_be_compiled_for_without_one(tmp_path):
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {"TRITON_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", COMPILE], env=environment, timeout=58, capture_output=True, text=True)
    names = ("outputs_of", "of_points", "of_weight")
    assert done.stdout.splitlines() == [f"{name} True" for name in names], done.stderr
