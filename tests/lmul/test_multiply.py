"""lmul.mul: known answers, exhaustive comparison with the plain-integer reference, properties, bad input."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paperworks import lmul
from paperworks.lmul import reference
from paperworks.lmul.formats import FORMATS, ROUNDINGS, VARIANTS, correction_exponent
from paperworks.lmul.operands import bits_of

EIGHT_BIT = ["float8_e4m3fn", "float8_e5m2"]


def from_patterns(patterns, fmt):
    """A tensor of the format whose words are the given unsigned integers."""
    words = np.array(patterns, dtype=f"uint{fmt.bits}").view("uint8" if fmt.bits == 8 else f"int{fmt.bits}")
    return torch.from_numpy(words).view(getattr(torch, fmt.name))


def patterns_of(x, fmt):
    words = bits_of(x, fmt).numpy().astype(f"uint{fmt.bits}")
    return words.tolist()


def product_pattern(x, y, fmt, **options):
    return patterns_of(lmul.mul(from_patterns([x], fmt), from_patterns([y], fmt), **options), fmt)[0]


@pytest.mark.parametrize(
    ("x", "y", "carry", "carry4", "carry3", "formula"),
    [
        (1.0, 1.0, 1.0625, 1.125, 1.125, 1.0625),
        (1.5, 1.5, 2.125, 2.25, 2.25, 2.0625),
        (1.984375, 1.984375, 4.125, 4.0, 3.75, 3.03125),
        (3.0, -2.0, -6.25, -6.5, -6.5, -6.25),
        (-0.75, 1.75, -1.3125, -1.375, -1.375, -1.15625),
    ],
)
def test_known_answers(x, y, carry, carry4, carry3, formula):
    assert lmul.mul(x, y) == carry
    assert lmul.mul(x, y, 4) == carry4
    assert lmul.mul(x, y, 3) == carry3
    assert lmul.mul(x, y, variant="formula") == formula


def test_known_patterns_in_float32():
    def bits(x, y, **options):
        return hex(lmul.mul(torch.tensor([x]), torch.tensor([y]), **options).view(torch.int32).item())

    assert bits(1.5, 1.5) == "0x40080000"
    assert bits(1.984375, 1.984375) == "0x40840000"
    assert bits(0.1, 0.3) == "0x3cee6667"
    assert bits(np.pi, np.e) == "0x40ff082f"
    assert lmul.mul(0.1, 0.3, 4) == 0.029296875
    assert lmul.mul(0.1, 0.3, 3) == 0.02734375
    assert lmul.mul(np.pi, np.e, 4) == 8.0
    assert lmul.mul(np.pi, np.e, 3) == 7.5


def test_the_offsets_of_the_paper():
    offsets = {
        (name, k): FORMATS[name].offset(2.0 ** -correction_exponent(k)) for name in FORMATS for k in (1, 2, 3, 4, 7)
    }
    assert [offsets["float32", k] for k in (7, 4, 3, 2, 1)] == [
        0x3F780000,
        0x3F700000,
        0x3F700000,
        0x3F600000,
        0x3F400000,
    ]
    assert (offsets["bfloat16", 7], offsets["float16", 7]) == (0x3F78, 0x3BC0)
    assert (offsets["float8_e4m3fn", 3], offsets["float8_e5m2", 2]) == (0x37, 0x3B)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", FORMATS)
def test_special_cases_of_every_format(name, variant):
    fmt = FORMATS[name]
    inf = fmt.infinity if fmt.has_infinity else None
    one, tiny, sign = fmt.bias << fmt.mantissa_bits, fmt.smallest_normal, fmt.sign_mask
    expected = {
        (sign, one): sign,
        (0, sign | 0x1): sign,
        (tiny - 1, one): 0,
        (tiny, tiny): 0,
        (tiny | sign, tiny): sign,
        (fmt.largest, fmt.largest): fmt.overflow,
        (fmt.largest | sign, fmt.largest): fmt.overflow | sign,
        (fmt.nan, 0): fmt.nan,
        (fmt.nan | sign, one): fmt.nan,
    }
    if inf is not None:
        expected |= {(inf, one): inf, (inf | sign, tiny): inf | sign, (inf, 0): fmt.nan, (tiny - 1, inf): fmt.nan}
        expected |= {(fmt.magnitude_mask, inf): fmt.nan}
    for (x, y), product in expected.items():
        assert product_pattern(x, y, fmt, variant=variant) == product, (hex(x), hex(y))


def test_a_half_times_zero_is_zero():
    """Without the underflow test the adder would give 0xff880000, which is NaN."""
    product = lmul.mul(torch.tensor([0.5, -0.5]), torch.tensor([0.0, 0.0]))
    assert product.view(torch.int32).tolist() == [0, -0x80000000]


@pytest.mark.parametrize("rounding", ["truncate", "nearest"])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", EIGHT_BIT)
def test_every_pair_of_8_bit_words(name, variant, rounding):
    fmt = FORMATS[name]
    words = range(256)
    tensor = from_patterns(list(words), fmt)
    for k in range(1 if variant == "carry" else fmt.mantissa_bits, fmt.mantissa_bits + 1):
        ours = lmul.mul(tensor[:, None], tensor[None, :], k, variant, rounding)
        got = torch.tensor(patterns_of(ours, fmt))
        options = {"mantissa_bits": k, "variant": variant, "rounding": rounding}
        plain = torch.tensor([[reference.multiply(x, y, fmt, **options) for y in words] for x in words])
        assert torch.equal(got, plain), (k, torch.nonzero(got != plain)[:3])


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("k", range(1, 7))
def test_every_pair_of_mantissas_in_float32(k, variant):
    fmt = FORMATS["float32"]
    ones = [(127 << 23) | (m << (23 - k)) for m in range(2**k)]
    tensor = from_patterns(ones, fmt)
    got = patterns_of(lmul.mul(tensor[:, None], tensor[None, :], k, variant), fmt)
    assert got == [[reference.multiply(x, y, fmt, mantissa_bits=k, variant=variant) for y in ones] for x in ones]


def test_bfloat16_mantissas_and_the_28_pairs_that_reach_two():
    """Where s = a+b+c reaches 2 the adder carries twice and gives 4(s-1); a single renormalisation would give 2s."""
    m = torch.arange(128)
    x = (1 + m / 128).to(torch.bfloat16)
    product = lmul.mul(x[:, None], x[None, :]).double()
    s = (m[:, None] + m[None, :]).double() / 128 + 1 / 16
    assert torch.equal(product, torch.where(s < 1, 1 + s, torch.where(s < 2, 2 * s, 4 * (s - 1))))
    assert int((s >= 2).sum()) == 28
    assert int((product != torch.where(s < 1, 1 + s, 2 * s)).sum()) == 21


@pytest.mark.parametrize("exponent_bits", [None, 4, 5])
@pytest.mark.parametrize("rounding", ROUNDINGS[:2])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", FORMATS)
def test_random_words_of_every_format_match_the_reference(name, variant, rounding, exponent_bits):
    fmt = FORMATS[name]
    rng = np.random.default_rng([fmt.bits, variant == "carry", rounding == "nearest", exponent_bits or 0])
    near_one = (fmt.bias << fmt.mantissa_bits) + rng.integers(-6, 6, 40) * fmt.smallest_normal // 2
    anywhere = rng.integers(0, fmt.magnitude_mask, 60, endpoint=True)
    edges = [0, 1, fmt.smallest_normal - 1, fmt.smallest_normal, fmt.largest, fmt.infinity, fmt.nan]
    words = [int(w) for w in (*near_one, *anywhere, *edges)]
    words = [w | (fmt.sign_mask if rng.random() < 0.5 else 0) for w in words]
    others = [words[i] for i in rng.permutation(len(words))]
    x, y = from_patterns(words, fmt), from_patterns(others, fmt)
    for k in {1, 2, fmt.mantissa_bits // 2, fmt.mantissa_bits} - {0}:
        options = {"mantissa_bits": k, "variant": variant, "rounding": rounding, "exponent_bits": exponent_bits}
        got = patterns_of(lmul.mul(x, y, **options), fmt)
        assert got == [reference.multiply(a, b, fmt, **options) for a, b in zip(words, others, strict=True)]


@pytest.mark.parametrize("c", [0.0, 0.055, 0.5])
def test_another_offset_matches_the_reference(c):
    fmt = FORMATS["float16"]
    words = list(range(0x3800, 0x4000, 37))
    x = from_patterns(words, fmt)
    for variant in VARIANTS:
        got = patterns_of(lmul.mul(x[:, None], x[None, :], variant=variant, offset=c), fmt)
        assert got == [[reference.multiply(a, b, fmt, variant=variant, c=c) for b in words] for a in words]


def test_stochastic_rounding_takes_one_of_two_neighbours_with_the_right_frequency():
    x = torch.full((40_000,), 1.3125)  # k=2 has 1.25 and 1.5: up in one case of four
    drawn = lmul.quantize(x, 2, rounding="stochastic", seed=0)
    assert set(drawn.tolist()) == {1.25, 1.5}
    assert abs((drawn == 1.5).double().mean().item() - 0.25) < 0.01
    assert torch.equal(drawn, lmul.quantize(x, 2, rounding="stochastic", seed=0))
    assert torch.equal(drawn, lmul.quantize(x, 2, rounding="stochastic", seed=torch.Generator().manual_seed(0)))
    state = torch.get_rng_state()
    lmul.mul(x, x, 2, rounding="stochastic", seed=1)
    assert torch.equal(state, torch.get_rng_state())


def test_quantize_matches_the_formats_themselves_on_normal_numbers():
    torch.manual_seed(0)
    x = torch.randn(2000) * 40
    for name, exponent_bits in (("float8_e4m3fn", 4), ("float8_e5m2", 5)):
        fmt = FORMATS[name]
        ours = lmul.quantize(x, fmt.mantissa_bits, rounding="nearest", exponent_bits=exponent_bits)
        theirs = x.to(getattr(torch, name)).float()
        below = theirs.abs() < 2.0 ** (1 - fmt.bias)
        assert torch.equal(ours, torch.where(below, 0.0, theirs))
    assert torch.equal(lmul.quantize(x, 7, rounding="nearest"), x.bfloat16().float())
    assert torch.equal(lmul.quantize(x, 10, rounding="nearest"), x.half().float())


@pytest.mark.parametrize("scale", ["tensor", "row"])
def test_scales_shift_the_range_to_the_largest_number(scale):
    x = torch.tensor([[2.0**-30, 2.0**-20, 1.75 * 2.0**-20], [2.0**10, 1.9375 * 2.0**20, 2.0**2]])
    got = lmul.quantize(x, 3, exponent_bits=4, scale=scale)
    kept = torch.tensor([[scale == "row", scale == "row", scale == "row"], [True, True, False]])
    expected = torch.where(kept, lmul.quantize(x, 3), 0.0)
    assert torch.equal(got, expected)


floats = st.floats(width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False)
moderate = st.floats(min_value=2.0**-30, max_value=2.0**30, width=32)


@given(floats, floats, st.integers(1, 23), st.sampled_from(VARIANTS), st.sampled_from(ROUNDINGS[:2]))
def test_commutes_and_keeps_signs(x, y, k, variant, rounding):
    product = lmul.mul(x, y, k, variant, rounding)
    assert product == lmul.mul(y, x, k, variant, rounding)
    assert lmul.mul(-x, y, k, variant, rounding) == -product


@given(moderate, moderate, st.integers(-20, 20), st.integers(-20, 20), st.integers(1, 23), st.sampled_from(VARIANTS))
def test_powers_of_two_scale_exactly(x, y, i, j, k, variant):
    assert lmul.mul(x * 2.0**i, y * 2.0**j, k, variant) == lmul.mul(x, y, k, variant) * 2.0 ** (i + j)


@given(moderate, moderate, moderate, st.integers(1, 23))
def test_the_adder_is_monotone(x, larger, y, k):
    x, larger = sorted((x, larger))
    assert lmul.mul(x, y, k) <= lmul.mul(larger, y, k)


@given(moderate, moderate, st.integers(1, 23))
def test_the_formula_never_exceeds_the_adder(x, y, k):
    assert lmul.mul(x, y, k, "formula") <= lmul.mul(x, y, k, "carry")


@settings(max_examples=300)
@given(moderate, moderate)
def test_relative_error_at_full_precision_is_bounded(x, y):
    error = lmul.mul(x, y) / (x * y) - 1
    assert 2 / (47 / 32) ** 2 - 1 - 1e-6 <= error <= 1 / 16 + 1e-6


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_numpy_in_numpy_out(dtype):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3, 1, 5)).astype(dtype), rng.normal(size=(4, 1)).astype(dtype)
    product = lmul.mul(x, y)
    assert isinstance(product, np.ndarray)
    assert (product.shape, product.dtype) == ((3, 4, 5), dtype)
    assert np.array_equal(product, lmul.mul(torch.from_numpy(x), torch.from_numpy(y)).numpy())
    assert np.array_equal(lmul.mul(x[:, :, ::-1], y), product[:, :, ::-1])
    swapped = x.astype(x.dtype.newbyteorder())
    assert np.array_equal(lmul.mul(swapped, y), product)
    scalar = lmul.mul(dtype(1.5), dtype(1.5))
    assert isinstance(scalar, dtype)


def test_types_combine_as_the_libraries_do():
    x32, x16 = torch.ones(2), torch.ones(2, dtype=torch.float16)
    assert lmul.mul(x32, x16).dtype == torch.float32
    assert lmul.mul(x16, 2.0).dtype == torch.float16
    assert lmul.mul(2.0, x16).dtype == torch.float16
    assert lmul.mul(x16, torch.tensor(2.0)).dtype == torch.float16
    assert lmul.mul(np.ones(2, np.float16), np.ones(2, np.float64)).dtype == np.float64
    assert lmul.mul(np.ones(2), x32).dtype == torch.float64
    assert lmul.mul(torch.ones(2, dtype=torch.float64), 0.1)[0] == lmul.mul(np.float64(1), np.float64(0.1))
    assert isinstance(lmul.mul(2, 3.0), float)


def test_shapes_strides_and_empty_tensors():
    x = torch.randn(4, 6)
    assert torch.equal(lmul.mul(x.t(), x.t()), lmul.mul(x, x).t())
    assert torch.equal(lmul.mul(x[:, ::2], 3.0), lmul.mul(x, 3.0)[:, ::2])
    assert lmul.mul(torch.empty(0, 3), torch.ones(3)).shape == (0, 3)
    assert lmul.quantize(torch.empty(0), 3, exponent_bits=4, scale="tensor").shape == (0,)
    with pytest.raises(RuntimeError, match="size of tensor"):
        lmul.mul(torch.ones(3), torch.ones(4))


@pytest.mark.parametrize(
    "bad",
    [torch.ones(2, dtype=torch.int32), torch.ones(2) > 0, torch.ones(2) * 1j, np.ones(2, int), 1j, True, "x", [1.0]],
)
def test_operands_that_are_no_floats(bad):
    with pytest.raises(TypeError, match=r"L-Mul works on float64|expected a torch tensor"):
        lmul.mul(bad, torch.ones(2))
    with pytest.raises(TypeError):
        lmul.mul(torch.ones(2), bad)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"mantissa_bits": 0}, "mantissa_bits must be 1 to 23 for float32, not 0"),
        ({"mantissa_bits": 24}, "mantissa_bits must be 1 to 23"),
        ({"variant": "lmul"}, "variant must be one of 'carry', 'formula', not 'lmul'"),
        ({"rounding": "up"}, "rounding must be one of 'truncate', 'nearest', 'stochastic'"),
        ({"offset": "best"}, "offset must be 'paper', 'optimal' or a number"),
        ({"offset": 1.0}, "offset must be 'paper', 'optimal' or a number"),
        ({"exponent_bits": 3}, "exponent_bits must be one of None, 4, 5"),
        ({"exponent_bits": 4, "scale": "column"}, "scale must be one of None, 'tensor', 'row'"),
        ({"scale": "row"}, "give exponent_bits=4 or 5"),
    ],
)
def test_settings_outside_their_choices(options, says):
    with pytest.raises(ValueError, match=says):
        lmul.mul(torch.ones(2), torch.ones(2), **options)


def test_mantissa_bits_of_a_wrong_type():
    with pytest.raises(TypeError, match="mantissa_bits must be an integer"):
        lmul.mul(1.0, 1.0, 3.0)
