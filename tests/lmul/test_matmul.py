"""lmul.matmul: every backend against the elementwise reference, torch.matmul's shapes, special numbers, settings."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from paperworks import lmul
from paperworks.lmul import reference, table
from paperworks.lmul.formats import FORMATS
from paperworks.lmul.matmul import prepare

FAST = [("integer", "carry"), ("fused", "formula"), ("gemm", "formula")]
HALF = [torch.float16, torch.bfloat16]


TABLES = [("table", "carry"), ("table", "formula")]


def normal(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.fixture(params=FAST, ids=[name for name, _ in FAST])
def fast(request):
    backend, variant = request.param
    return {"backend": backend, "variant": variant}


@pytest.mark.parametrize("rounding", ["truncate", "nearest"])
@pytest.mark.parametrize("k", [None, 1, 2, 3, 4, 7])
def test_backends_agree_with_the_reference(fast, k, rounding, agree):
    a, b = normal(2, 37, 70), normal(2, 70, 150, seed=1)
    settings = {**fast, "mantissa_bits": k, "rounding": rounding}
    assert agree(a, b, lmul.matmul(a, b, **settings), **settings)


@pytest.mark.parametrize("rounding", ["truncate", "nearest"])
@pytest.mark.parametrize("k", [1, 2, 3, 4, 7])
@pytest.mark.parametrize(("backend", "variant"), TABLES)
def test_the_table_is_exact(backend, variant, k, rounding, agree):
    a, b = normal(2, 9, 70), normal(2, 70, 50, seed=1)
    a[0, 0], b[1, 3] = 0.0, 0.0
    settings = {"variant": variant, "mantissa_bits": k, "rounding": rounding}
    assert agree(a, b, lmul.matmul(a, b, backend=backend, **settings), **settings)
    assert agree(
        a.bfloat16(), b.bfloat16(), lmul.matmul(a.bfloat16(), b.bfloat16(), backend=backend, **settings), **settings
    )


def test_the_table_in_parts_is_the_same(monkeypatch):
    a, b = normal(2, 9, 70), normal(2, 70, 50, seed=1)
    settings = {"mantissa_bits": 3, "backend": "table"}
    whole = lmul.matmul(a, b, **settings)
    monkeypatch.setattr(table, "_WORDS_AT_ONCE", 2 * 8 * 50 * 7)
    assert torch.allclose(lmul.matmul(a, b, **settings), whole, rtol=1e-5, atol=1e-5)
    prepared = prepare(b[0], **settings)
    assert torch.equal(lmul.matmul(a, b[0], prepared=prepared, **settings), lmul.matmul(a, b[0], **settings))


def test_few_terms_of_the_table_come_close():
    """RMS relative deviation from the adder at k = 4: 0.57, 0.31 and 0.19 % with 3, 5 and 8 terms; all 16 are exact."""
    x = torch.arange(16, 32) / 16
    adder = lmul.matmul(x[:, None], x[None, :], mantissa_bits=4)
    for terms, deviation in ((3, 0.0057), (5, 0.0031), (8, 0.0019), (16, 0.0)):
        near = lmul.matmul(x[:, None], x[None, :], mantissa_bits=4, backend=f"lowrank:{terms}")
        assert (near / adder - 1).square().mean().sqrt().item() == pytest.approx(deviation, abs=5e-5)
    assert torch.equal(
        lmul.matmul(x, x, mantissa_bits=4, backend="lowrank"), lmul.matmul(x, x, mantissa_bits=4, backend="lowrank:8")
    )


def test_low_rank_keeps_signs_zeros_and_scales(agree):
    a, b = normal(20, 40) * 1e3, normal(40, 11, seed=1) * 1e-3
    a[2], b[:, 3] = 0.0, 0.0
    settings = {"mantissa_bits": 5}
    assert agree(a, b, lmul.matmul(a, b, backend="lowrank", **settings), rtol=0.005, **settings)
    prepared = prepare(b, backend="lowrank:4", **settings)
    product = lmul.matmul(a, b, prepared=prepared, **settings)
    assert torch.equal(product, lmul.matmul(a, b, backend="lowrank:4", **settings))


SHAPES = [
    ((5,), (5,)),
    ((5,), (5, 3)),
    ((3, 5), (5,)),
    ((1, 1), (1, 1)),
    ((3, 5), (5, 200)),
    ((200, 5), (5, 3)),
    ((4, 130), (130, 129)),
    ((2, 3, 5), (5, 4)),
    ((3, 5), (2, 5, 4)),
    ((2, 1, 3, 5), (4, 5, 6)),
    ((5,), (2, 5, 4)),
    ((2, 3, 5), (5,)),
    ((2, 2, 3, 5), (2, 2, 5, 2)),
]


@pytest.mark.parametrize(("left", "right"), SHAPES)
def test_shapes_are_those_of_torch(fast, left, right, agree):
    a, b = normal(*left), normal(*right, seed=1)
    result = lmul.matmul(a, b, **fast)
    assert result.shape == torch.matmul(a, b).shape
    assert agree(a, b, result, **fast)


@pytest.mark.parametrize(
    ("left", "right"), [((3, 0), (0, 4)), ((0, 3), (3, 4)), ((3, 2), (2, 0)), ((0, 3, 2), (0, 2, 4))]
)
def test_empty_operands(fast, left, right):
    result = lmul.matmul(torch.zeros(left), torch.zeros(right), **fast)
    assert torch.equal(result, torch.matmul(torch.zeros(left), torch.zeros(right)))


def test_strides_do_not_matter(fast):
    a, b = normal(2, 40, 66), normal(2, 66, 34, seed=1)
    expected = lmul.matmul(a, b, **fast)
    transposed = lmul.matmul(a.mT.contiguous().mT, b.mT.contiguous().mT, **fast)
    assert torch.equal(transposed, expected)
    wide = torch.zeros(2, 80, 132)
    wide[:, ::2, ::2] = a
    assert torch.equal(lmul.matmul(wide[:, ::2, ::2], b, **fast), expected)
    assert torch.equal(lmul.matmul(a, b[:1].expand(2, -1, -1), **fast), lmul.matmul(a, b[0], **fast))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, *HALF, torch.float8_e4m3fn, torch.float8_e5m2])
def test_formats(fast, dtype, agree):
    a, b = normal(9, 33, dtype=dtype), normal(33, 21, seed=1, dtype=dtype)
    result = lmul.matmul(a, b, **fast)
    wide = torch.float32 if dtype.itemsize == 1 else dtype
    assert result.dtype == wide
    if dtype.itemsize > 1:
        assert agree(a, b, result, **fast)
    else:
        plain = lmul.matmul(a, b, variant=fast["variant"], backend="elementwise")
        assert torch.allclose(result, plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("k", [1, 4, 23])
def test_one_term_is_mul_bit_for_bit(k):
    a, b = normal(300, 1) * 1e3, normal(1, 90, seed=1)
    a[:4, 0] = torch.tensor([1e38, 1e-38, 0.0, 1e-40])
    b[0, :4] = torch.tensor([-1e38, 1e-38, 0.0, 1e-40])
    result = lmul.matmul(a, b, mantissa_bits=k, backend="integer")
    assert torch.equal(result, lmul.mul(a, b, k))


def test_one_term_matches_the_plain_integers():
    fmt = FORMATS["float32"]
    words = [0x3F800000, 0xBFC00000, 0x00800000, 0x7F7FFFFF, 0x00000000, 0x3DCCCCCD, 0x007FFFFF]
    x = torch.from_numpy(np.array(words, np.uint32).view(np.float32))
    got = lmul.matmul(x[:, None], x[None, :], backend="integer").numpy().view(np.uint32)
    expected = np.array([[reference.multiply(v, w, fmt) for w in words] for v in words], np.uint32)
    zero = (expected & 0x7FFFFFFF) == 0
    assert np.array_equal(got[~zero], expected[~zero])
    assert (got[zero] == 0).all()  # a sum that starts at +0 does not keep the sign of a zero product


@pytest.mark.parametrize("scale", [1e-19, 1e18, 1e-25])
def test_products_at_the_ends_of_the_range(scale, agree):
    """Under- and overflow of single products beside ordinary ones: both inner loops, and rows that mix them."""
    a, b = normal(20, 150), normal(150, 140, seed=1)
    a[3], a[4, 10], b[:, 5], b[7] = a[3] * scale, a[4, 10] * scale, b[:, 5] * scale, b[7] * scale
    result = lmul.matmul(a, b, backend="integer")
    plain = lmul.matmul(a, b, backend="elementwise")
    finite = plain.isfinite()
    assert torch.equal(result.isfinite(), finite)
    size = lmul.matmul(a.abs(), b.abs(), backend="elementwise")
    assert ((result - plain).abs()[finite] <= 2e-6 * size[finite]).all()


def test_zeros_of_masks_and_activations_count_as_nothing(fast, agree):
    weights = torch.tril(torch.rand(90, 90, generator=torch.Generator().manual_seed(0)))
    values = normal(90, 24, seed=1)
    values[10], values[:, 3] = 0.0, 0.0
    assert agree(weights, values, lmul.matmul(weights, values, **fast), **fast)
    sparse = normal(30, 90).relu()
    assert agree(sparse, values, lmul.matmul(sparse, values, **fast), **fast)
    assert lmul.matmul(sparse, values, **fast)[:, 3].abs().max() == 0


@pytest.mark.parametrize("bad", [float("inf"), -float("inf"), float("nan")])
def test_infinite_and_nan_operands(fast, bad):
    a, b = normal(6, 8).abs(), normal(8, 5, seed=1).abs()
    a[1, 2], b[3, 4], a[2, 3], b[0, 1] = bad, bad, 0.0, bad
    a[4, 0], b[0, 2] = -bad, 0.0
    result = lmul.matmul(a, b, **fast)
    plain = lmul.matmul(a, b, variant=fast["variant"], backend="elementwise")
    assert torch.allclose(result, plain, rtol=1e-5, atol=1e-6, equal_nan=True)
    assert plain.isnan().any()


sizes = st.integers(1, 140)
powers = st.sampled_from([0.0, 1.0, 1.0, 1.0, -1.0, 2.0**-70, 2.0**70, 1e-39, -0.0])


@limits(max_examples=60)
@given(st.integers(1, 40), sizes, sizes, st.lists(powers, min_size=1, max_size=7), st.integers(0, 99))
def test_any_shape_with_any_mixture_of_ranges(rows, terms, columns, scales, seed):
    """Zeros, subnormals, products below and above the range, in places that fall into every kind of chunk."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(rows, terms)), rng.normal(size=(terms, columns))
    a *= rng.choice(scales, (rows, 1)) * rng.choice([1.0, *scales], (rows, terms), p=_mostly_one(len(scales)))
    b *= rng.choice([1.0, *scales], (terms, columns), p=_mostly_one(len(scales)))
    left, right = (torch.from_numpy(x.clip(-1e38, 1e38).astype(np.float32)) for x in (a, b))
    for settings in ({"backend": "integer"}, {"backend": "fused", "variant": "formula"}):
        plain = lmul.matmul(left, right, **{**settings, "backend": "elementwise"})
        size = lmul.matmul(left.abs(), right.abs(), **{**settings, "backend": "elementwise"})
        result = lmul.matmul(left, right, **settings)
        within = size < 1e38  # beyond it float32's running sum may overflow where the reference's float64 does not
        assert ((result - plain).abs()[within] <= 3e-6 * size[within] + 1e-37).all()


def _mostly_one(others):
    return [0.9] + [0.1 / others] * others


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({}, 0.031),
        ({"mantissa_bits": 7}, 0.031),
        ({"mantissa_bits": 4, "rounding": "nearest"}, 0.063),
        ({"variant": "formula"}, 0.08),
    ],
)
def test_errors_of_dot_products_of_gaussian_vectors(settings, error):
    """Section 2.6, K = 64: RMS error relative to the RMS of the exact product."""
    a, b = normal(400, 64), normal(64, 400, seed=1)
    exact = a @ b
    deviation = lmul.matmul(a, b, **settings) - exact
    assert (deviation.square().mean() / exact.square().mean()).sqrt().item() == pytest.approx(error, rel=0.04)


def test_products_in_many_threads_at_once_do_not_mix():
    operands = [(normal(60, 200 + i, seed=i), normal(200 + i, 90, seed=100 + i)) for i in range(8)]
    expected = [lmul.matmul(a, b) for a, b in operands]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            products = pool.map(lambda pair: lmul.matmul(*pair), operands)
            assert all(torch.equal(x, y) for x, y in zip(products, expected, strict=True))


def test_rows_and_threads_do_not_change_bits():
    a, b = normal(3, 400, 130), normal(3, 130, 120, seed=1)
    alone = lmul.matmul(a, b)
    torch.set_num_threads(3)
    assert torch.equal(lmul.matmul(a, b), alone)
    assert torch.equal(lmul.matmul(a[1, 7:9], b[1]), alone[1, 7:9])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_prepared_operand_gives_the_same_bits(fast, dtype):
    a, b = normal(7, 40, dtype=dtype), normal(40, 60, seed=1, dtype=dtype)
    for settings in ({}, {"mantissa_bits": 3, "rounding": "nearest"}, {"mantissa_bits": 3, "exponent_bits": 4}):
        prepared = prepare(b, **fast, **settings)
        product = lmul.matmul(a, b, prepared=prepared, **fast, **settings)
        assert torch.equal(product, lmul.matmul(a, b, **fast, **settings))
    assert prepare(b, rounding="stochastic", mantissa_bits=2, **fast) is None


def test_a_prepared_operand_of_another_product_is_refused():
    a, b = normal(4, 6), normal(6, 3, seed=1)
    prepared = prepare(b, mantissa_bits=4)
    for other, settings in (
        (b, {"mantissa_bits": 3}),
        (normal(6, 4), {"mantissa_bits": 4}),
        (b, {"variant": "formula"}),
    ):
        with pytest.raises(ValueError, match="prepare the operand with the settings of the product"):
            lmul.matmul(a, other, prepared=prepared, **settings)


def test_a_prepared_operand_that_is_not_finite_is_refused_or_right():
    a, b = normal(4, 6), normal(6, 3, seed=1)
    b[2, 1] = float("inf")
    assert prepare(b, backend="integer") is None
    formula = {"backend": "gemm", "variant": "formula"}
    prepared = prepare(b, **formula)
    assert torch.equal(lmul.matmul(a, b, prepared=prepared, **formula), lmul.matmul(a, b, **formula))


@pytest.mark.parametrize("exponent_bits", [4, 5])
def test_a_limited_exponent_range_is_that_of_quantize(fast, exponent_bits):
    a, b = normal(6, 50) * 2.0**-8, normal(50, 7, seed=1)
    limits = {"mantissa_bits": 3, "exponent_bits": exponent_bits}
    left, right = lmul.quantize(a, 3, exponent_bits=exponent_bits), lmul.quantize(b, 3, exponent_bits=exponent_bits)
    assert torch.equal(lmul.matmul(a, b, **fast, **limits), lmul.matmul(left, right, **fast, mantissa_bits=3))
    rows = lmul.quantize(a, 3, exponent_bits=exponent_bits, scale="row")
    columns = lmul.quantize(b.T, 3, exponent_bits=exponent_bits, scale="row").T
    scaled = lmul.matmul(a, b, **fast, **limits, scale="row")
    assert torch.equal(scaled, lmul.matmul(rows, columns, **fast, mantissa_bits=3))


def test_stochastic_rounding_is_seeded_and_unbiased(fast):
    a, b = torch.full((1, 4000), 1.3125), torch.ones(4000, 1)
    settings = {**fast, "mantissa_bits": 2, "rounding": "stochastic", "offset": 0.0}
    first = lmul.matmul(a, b, seed=1, **settings)
    assert torch.equal(first, lmul.matmul(a, b, seed=1, **settings))
    assert not torch.equal(first, lmul.matmul(a, b, seed=2, **settings))
    assert first.item() == pytest.approx(4000 * 1.3125, rel=0.01)
    torch.manual_seed(5)
    drawn = lmul.matmul(a, b, **settings)
    torch.manual_seed(5)
    assert torch.equal(drawn, lmul.matmul(a, b, **settings))


@pytest.mark.parametrize(("accumulate", "step"), [("bf16", 2.0), ("fp8_e4m3", 32.0)])
def test_running_sums_of_less_than_float32(fast, accumulate, step):
    a, b = torch.ones(1, 320), torch.ones(320, 1)
    settings = {**fast, "offset": 0.0, "accumulate": accumulate}
    assert lmul.matmul(a, b, **settings).item() == 320.0
    a[0, 0] = 4.0  # 323 needs a step of 1
    result = lmul.matmul(a, b, **settings).item()
    assert result % step == 0
    assert result != 323.0


def test_a_running_sum_in_e4m3_saturates(fast):
    ones = torch.ones(1, 640)
    settings = {**fast, "offset": 0.0, "accumulate": "fp8_e4m3"}
    assert lmul.matmul(ones, ones.T, **settings).item() == 448.0
    assert lmul.matmul(-ones, ones.T, **settings).item() == -448.0


def test_numpy_in_numpy_out():
    a, b = normal(3, 5).numpy(), normal(5, 2, seed=1).numpy()
    result = lmul.matmul(a, b)
    assert isinstance(result, np.ndarray)
    assert np.array_equal(result, lmul.matmul(torch.from_numpy(a), torch.from_numpy(b)).numpy())


def test_autocast_casts_operands_as_torch_does(fast):
    a, b = normal(3, 5), normal(5, 2, seed=1)
    with torch.autocast("cpu", torch.bfloat16):
        result = lmul.matmul(a, b, **fast)
    assert result.dtype == torch.bfloat16
    assert torch.equal(result, lmul.matmul(a.bfloat16(), b.bfloat16(), **fast))


def test_meta_tensors_have_shapes_only(fast):
    result = lmul.matmul(torch.empty(2, 3, 5, device="meta"), torch.empty(5, 4, device="meta"), variant=fast["variant"])
    assert (result.shape, result.device.type) == ((2, 3, 4), "meta")


@pytest.mark.parametrize(
    ("a", "b", "error", "says"),
    [
        (torch.ones(2, 3), torch.ones(4, 5), RuntimeError, "cannot be multiplied"),
        (torch.ones(2, 3, 4), torch.ones(3, 4, 5), RuntimeError, "hape"),
        (torch.ones(()), torch.ones(3), RuntimeError, "at least one dimension"),
        (torch.ones(2, 3), torch.ones(3, 2).double(), RuntimeError, "same dtype"),
        (torch.ones(2, 3), torch.ones(3, 2, device="meta"), RuntimeError, "same device"),
        (torch.ones(2, 3).int(), torch.ones(3, 2), TypeError, "not on int32"),
        (torch.ones(2, 3), torch.ones(3, 2) * 1j, TypeError, "not on complex64"),
        ([[1.0]], torch.ones(1, 1), TypeError, "not list"),
    ],
)
def test_operands_that_do_not_fit(a, b, error, says):
    with pytest.raises(error, match=says):
        lmul.matmul(a, b)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"backend": "fast"}, "backend must be one of 'auto', 'integer'"),
        ({"backend": "lowrank:0"}, "'lowrank:r', not 'lowrank:0'"),
        (
            {"backend": "gemm"},
            "cannot do variant 'carry' with 23 mantissa bits on cpu: choose auto, integer",
        ),
        ({"backend": "table"}, "backend 'table' cannot do variant 'carry' with 23 mantissa bits"),
        ({"backend": "integer", "variant": "formula"}, "cannot do variant 'formula'"),
        ({"accumulate": "fp16"}, "accumulate must be one of 'fp32', 'bf16', 'fp8_e4m3'"),
        ({"grad": "none"}, "grad must be one of 'ste', 'lmul', 'exact'"),
        ({"mantissa_bits": 24}, "mantissa_bits must be 1 to 23"),
        ({"variant": "x"}, "variant must be one of 'carry', 'formula'"),
        ({"rounding": "x"}, "rounding must be one of"),
    ],
)
def test_settings_outside_their_choices(settings, says):
    with pytest.raises(ValueError, match=says):
        lmul.matmul(torch.ones(2, 3), torch.ones(3, 2), **settings)
