"""lmul.linear and LMulLinear: the same sums as matmul, nn.Linear's ways, and a kept operand that is never stale."""

import copy
import pickle

import pytest
import torch
from torch import nn

from paperworks import lmul

SETTINGS = [{}, {"variant": "formula"}, {"mantissa_bits": 3, "rounding": "nearest"}]


@pytest.fixture(params=SETTINGS, ids=["carry", "formula", "k3"])
def layer(request):
    torch.manual_seed(0)
    return lmul.LMulLinear(24, 10, **request.param)


@pytest.fixture
def x():
    return torch.randn(3, 5, 24, generator=torch.Generator().manual_seed(1))


def plain(layer, x):
    return lmul.matmul(x, layer.weight.detach().T, **layer.arithmetic) + layer.bias.detach()


def same(x, y):
    """Equal, but for the order in which an operand prepared for one side of the product adds its terms."""
    return torch.allclose(x, y, rtol=1e-5, atol=1e-6)


def test_linear_is_matmul_plus_bias(layer, x):
    assert torch.equal(lmul.linear(x, layer.weight, layer.bias, **layer.arithmetic).detach(), plain(layer, x))
    one = lmul.linear(x[0, 0], layer.weight, **layer.arithmetic)
    assert torch.allclose(one + layer.bias, plain(layer, x)[0, 0], rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_a_layer_gives_the_same_with_and_without_a_kept_operand(layer, x):
    first = layer(x)
    assert same(first, plain(layer, x))
    assert torch.equal(layer(x), first)
    with torch.enable_grad():
        assert same(layer(x).detach(), first)
    assert torch.equal(layer(x[:, :2]), first[:, :2])


@torch.no_grad()
def test_a_changed_weight_is_seen(layer, x):
    before = layer(x)
    layer.weight[0, 0] += 1.0
    assert same(layer(x), plain(layer, x))
    layer.weight.data = torch.randn(10, 24)
    assert same(layer(x), plain(layer, x))
    layer.load_state_dict({"weight": torch.randn(10, 24), "bias": torch.zeros(10)})
    assert same(layer(x), plain(layer, x))
    layer.arithmetic = {**layer.arithmetic, "mantissa_bits": 1}
    assert same(layer(x), plain(layer, x))
    layer.to(torch.bfloat16)
    assert same(layer(x.bfloat16()), plain(layer, x.bfloat16()))
    assert not same(layer(x.bfloat16()).float(), before)


def test_an_optimizer_step_is_seen(layer, x):
    layer.requires_grad_(True)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    with torch.no_grad():
        layer(x)
    layer(x).square().sum().backward()
    optimizer.step()
    with torch.no_grad():
        assert same(layer(x), plain(layer, x))


@torch.no_grad()
def test_autocast_has_an_operand_of_its_own(layer, x):
    layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        cast = layer(x)
    wide = lmul.matmul(x.bfloat16(), layer.weight.bfloat16().T, **layer.arithmetic) + layer.bias.bfloat16()
    assert same(cast, wide)
    assert same(layer(x), plain(layer, x))


def test_inference_mode(layer, x):
    with torch.inference_mode():
        expected = plain(layer, x)
        assert same(layer(x), expected)
        inside = copy.deepcopy(layer)
        assert same(inside(x), expected)


@torch.no_grad()
def test_copies_and_pickles_carry_no_operand(layer, x):
    layer(x)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert same(twin(x), layer(x))
        twin.weight.zero_()
        assert same(twin(x), layer.bias.expand(3, 5, 10))
    assert len(pickle.dumps(layer)) < 4 * layer.weight.numel() * 4


def test_from_linear_shares_parameters_and_mode():
    linear = nn.Linear(6, 4, bias=False).eval().requires_grad_(False)
    layer = lmul.LMulLinear.from_linear(linear, mantissa_bits=4)
    assert layer.weight is linear.weight
    assert layer.bias is None
    assert not layer.training
    assert list(layer.state_dict()) == ["weight"]
    assert repr(layer) == "LMulLinear(in_features=6, out_features=4, bias=False, mantissa_bits=4)"


def test_gradients_reach_weight_bias_and_input(layer, x):
    x.requires_grad_(True)
    layer(x).sum().backward()
    assert torch.allclose(x.grad, layer.weight.detach().sum(0).expand_as(x))
    assert torch.allclose(layer.weight.grad, x.detach().sum((0, 1)).expand(10, 24), atol=1e-5)
    assert torch.equal(layer.bias.grad, torch.full((10,), 15.0))


def test_bad_settings_speak_at_the_first_product(x):
    with pytest.raises(ValueError, match="variant must be one of"):
        lmul.LMulLinear(24, 10, variant="x")(x)
