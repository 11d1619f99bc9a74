"""Gradients in three modes, through autograd, torch.compile and broadcasting."""

import pytest
import torch

from paperworks import lmul

VARIANTS = ["carry", "formula"]


def operands(*shapes, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator, dtype=dtype).requires_grad_(True) for shape in shapes]


def gradients(a, b, weights, **settings):
    a, b = a.detach().requires_grad_(True), b.detach().requires_grad_(True)
    (lmul.matmul(a, b, **settings) * weights).sum().backward()
    return a.grad, b.grad


@pytest.mark.parametrize("variant", VARIANTS)
def test_straight_through_is_the_ordinary_gradient(variant):
    a, b, weights = operands((2, 3, 5), (5, 4), (2, 3, 4))
    ours = gradients(a, b, weights.detach(), variant=variant, mantissa_bits=3)
    (torch.matmul(a, b) * weights.detach()).sum().backward()
    assert torch.allclose(ours[0], a.grad)
    assert torch.allclose(ours[1], b.grad)


@pytest.mark.parametrize("variant", VARIANTS)
def test_lmul_gradients_are_the_two_products_by_lmul(variant):
    settings = {"variant": variant, "mantissa_bits": 4}
    a, b, out = (x.detach() for x in operands((3, 5), (5, 4), (3, 4)))
    left, right = gradients(a, b, out, grad="lmul", **settings)
    assert torch.allclose(left, lmul.matmul(out, b.T, **settings))
    assert torch.allclose(right, lmul.matmul(a.T, out, **settings))
    assert not torch.allclose(left, out @ b.T, rtol=1e-4)


@pytest.mark.parametrize(
    "shapes", [((3, 4), (4, 2)), ((2, 3, 4), (4, 2)), ((2, 1, 3, 4), (3, 4, 2)), ((4,), (4, 2)), ((4,), (4,))]
)
@pytest.mark.parametrize("variant", VARIANTS)
def test_exact_gradients_equal_finite_differences(variant, shapes):
    """In float64 nothing is rounded, and random operands lie far from the breakpoints."""
    a, b = operands(*shapes)
    assert torch.autograd.gradcheck(lambda x, y: lmul.matmul(x, y, variant=variant, grad="exact"), (a, b), eps=1e-7)


@pytest.mark.parametrize(("variant", "low", "high", "mean"), [("formula", 0.5, 1.0, 0.69), ("carry", 0.5, 2.07, 1.04)])
def test_how_exact_gradients_compare_with_the_true_ones(variant, low, high, mean):
    """The ratio of d(x (x) y)/dx to y, over uniform mantissas: correction 5 of the specification."""
    m = 1 + (torch.arange(200, dtype=torch.float64) + 0.5) / 200
    ratio = []
    for y in m:
        x = m[:, None].clone().requires_grad_(True)
        lmul.matmul(x, y.view(1, 1), variant=variant, grad="exact").sum().backward()
        ratio.append(x.grad.flatten() / y)
    ratio = torch.stack(ratio)
    assert low <= ratio.min()
    assert ratio.max() <= high
    assert ratio.mean().item() == pytest.approx(mean, abs=0.01)


@pytest.mark.parametrize("grad", ["ste", "lmul", "exact"])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_gradients_have_the_operands_types_and_zeros_get_finite_ones(grad, variant, dtype):
    a, b = (x.detach().to(dtype) for x in operands((3, 5), (5, 2)))
    a[0], b[2] = 0.0, 0.0
    left, right = gradients(a, b, torch.ones(3, 2, dtype=dtype), grad=grad, variant=variant, mantissa_bits=3)
    assert (left.dtype, right.dtype) == (dtype, dtype)
    assert left.isfinite().all()
    assert right.isfinite().all()


def test_rounding_counts_as_the_identity():
    a, b = (x.detach().float() for x in operands((6, 5), (5, 4)))
    out = torch.ones(6, 4)
    exact = gradients(a, b, out, grad="exact", mantissa_bits=2)
    rounded = gradients(lmul.quantize(a, 2), lmul.quantize(b, 2), out, grad="exact", mantissa_bits=2)
    assert torch.equal(exact[0], rounded[0])
    assert torch.equal(exact[1], rounded[1])


def test_only_what_asks_for_a_gradient_gets_one():
    a, b = operands((3, 5), (5, 4))
    b.requires_grad_(False)
    for grad in ("ste", "lmul", "exact"):
        product = lmul.matmul(a, b, grad=grad)
        (left,) = torch.autograd.grad(product.sum(), a)
        assert left.shape == a.shape
    with torch.no_grad():
        assert not lmul.matmul(a, b).requires_grad


def test_the_operator_passes_torchs_own_checks():
    a, b = operands((2, 3, 4), (2, 4, 5), dtype=torch.float32)
    settings = (3, "carry", "truncate", 0.125, "auto", "fp32", "ste", 0, "", 0)
    torch.library.opcheck(torch.ops.paperworks.lmul_matmul.default, (a, b, None, *settings))
    formula = (3, "formula", "truncate", 0.125, "auto", "fp32", "exact", 0, "", 0)
    torch.library.opcheck(torch.ops.paperworks.lmul_matmul.default, (a, b, None, *formula))


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("grad", ["ste", "lmul", "exact"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_torch_compile_gives_the_same(variant, grad):
    torch._dynamo.reset()
    layer = lmul.LMulLinear(6, 4, variant=variant, grad=grad, mantissa_bits=4)
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(1))

    def loss(x):
        return torch.tanh(layer(x)).square().sum()

    plain = torch.autograd.grad(loss(x), list(layer.parameters()))
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    traced = torch.autograd.grad(compiled(x), list(layer.parameters()))
    for one, other in zip(plain, traced, strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        assert torch.allclose(compiled(x), loss(x))


@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a .functools.lru_cache")
def test_compiled_autocast_and_an_optimal_offset():
    torch._dynamo.reset()
    a, b = (x.detach().float() for x in operands((3, 5), (5, 4)))

    def product(a, b):
        with torch.autocast("cpu", torch.bfloat16):
            return lmul.matmul(a, b, offset="optimal", mantissa_bits=4)

    compiled = torch.compile(product, backend="aot_eager")(a, b)
    assert compiled.dtype == torch.bfloat16
    assert torch.equal(compiled, product(a, b))


def test_autocast_trains_in_the_lower_type():
    layer = lmul.LMulLinear(6, 4, mantissa_bits=4, grad="lmul")
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(1))
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(x)
    assert out.dtype == torch.bfloat16
    out.float().sum().backward()
    assert layer.weight.grad.dtype == torch.float32
    assert layer.weight.grad.isfinite().all()


@pytest.mark.parametrize("grad", ["ste", "lmul", "exact"])
def test_a_few_steps_of_training_learn(grad):
    x = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
    y = x @ torch.randn(8, 1, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(2)
    layer = lmul.LMulLinear(8, 1, mantissa_bits=3, grad=grad)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    losses = []
    for _ in range(80):
        loss = (layer(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]
