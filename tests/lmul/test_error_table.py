"""Errors of one product against the known table (section 2.6), closed forms, and lmul.mul itself."""

import numpy as np
import pytest
import torch

from paperworks import lmul
from paperworks.lmul.offset import optimal_offset
from paperworks.lmul.significand import product_table, relative_error

# k: carry, formula and ordinary multiplication with truncated operands (bias, RMS), RMS with operands to nearest
KNOWN = {
    2: ((-0.03849, 0.08457), (-0.09056, 0.12873), (-0.16103, 0.17311), 0.0719),
    3: ((-0.03849, 0.05956), (-0.09326, 0.11762), (-0.08352, 0.09050), 0.0361),
    4: ((0.00408, 0.03586), (-0.06390, 0.09746), (-0.04253, 0.04628), 0.0180),
    5: ((-0.01743, 0.03582), (-0.07909, 0.10441), None, None),
    7: ((-0.00134, 0.03062), (-0.06788, 0.09798), None, None),
    23: ((0.00408, 0.03095), (-0.06413, 0.09614), (0.0, 0.0), 0.0),
}


@pytest.fixture(scope="module")
def uniform():
    return {(r["k"], r["method"], r["rounding"]): r for r in lmul.error_table(KNOWN)}


@pytest.mark.parametrize("k", KNOWN)
def test_the_known_table_for_uniform_mantissas(uniform, k):
    carry, formula, multiply, nearest = KNOWN[k]
    for method, known in (("carry", carry), ("formula", formula), ("multiply", multiply)):
        if known is not None:
            row = uniform[k, method, "truncate"]
            assert (row["bias"], row["rms"]) == pytest.approx(known, abs=2e-4)
    if nearest is not None:
        assert uniform[k, "multiply", "nearest"]["rms"] == pytest.approx(nearest, abs=2e-4)


def test_rounding_to_nearest_over_corrects(uniform):
    assert uniform[3, "carry", "nearest"]["bias"] == pytest.approx(0.048, abs=1e-3)
    assert uniform[4, "carry", "nearest"]["bias"] == pytest.approx(0.048, abs=1e-3)


def test_the_comparison_with_fp8_holds_for_the_adder_and_fails_for_the_formula(uniform):
    e4m3, e5m2 = (uniform[k, "multiply", "nearest"]["rms"] for k in (3, 2))
    assert uniform[4, "carry", "truncate"]["rms"] / e4m3 == pytest.approx(1, abs=0.01)
    assert uniform[3, "carry", "truncate"]["rms"] < e5m2
    assert uniform[4, "formula", "truncate"]["rms"] > 2.5 * e4m3
    assert uniform[3, "formula", "truncate"]["rms"] > 1.5 * e5m2


def test_the_known_figures_for_benford_mantissas():
    rows = {(r["k"], r["method"], r["rounding"]): r["rms"] for r in lmul.error_table([3, 4, 7], "benford")}
    got = [rows[k, "carry", "truncate"] for k in (3, 4, 7)] + [rows[4, "formula", "truncate"]]
    assert got == pytest.approx([0.0592, 0.0368, 0.0310, 0.0838], abs=1e-4)


def test_closed_forms():
    a = (np.arange(1024) + 0.5) / 1024
    exact = np.multiply.outer(1 + a, 1 + a)
    formula = (1 + relative_error(a[:, None], a[None, :], 52, "formula")) * exact - exact
    assert formula.mean() == pytest.approx(-3 / 16, abs=1e-6)
    mitchell = relative_error(a[:, None], a[None, :], 52, "carry", c=0.0)
    assert mitchell.mean() == pytest.approx(-0.0385, abs=1e-4)
    assert mitchell.min() == pytest.approx(-1 / 9, abs=1e-3)
    one = np.array(15 / 32)
    assert relative_error(one, one, 52, "carry") == pytest.approx(2 / (47 / 32) ** 2 - 1, abs=1e-15)
    assert relative_error(np.zeros(1), np.zeros(1), 52, "carry") == 1 / 16
    carry = relative_error(a[:, None], a[None, :], 52, "carry")
    assert -0.072884 <= carry.min() < -0.0728
    assert 0.0615 < carry.max() <= 1 / 16


@pytest.mark.parametrize("rounding", ["truncate", "nearest"])
@pytest.mark.parametrize("variant", ["carry", "formula"])
def test_errors_of_real_numbers_are_those_of_mul(variant, rounding):
    torch.manual_seed(0)
    x, y = torch.randn(2, 500, dtype=torch.float64)
    mantissa = [2 * np.frexp(v.abs().numpy())[0] - 1 for v in (x, y)]
    for k in (1, 3, 4, 10):
        theory = relative_error(*mantissa, k, variant, rounding)
        assert np.allclose(theory, lmul.mul(x, y, k, variant, rounding) / (x * y) - 1, rtol=0, atol=1e-13)


def test_a_tensor_a_pair_and_the_seed():
    x = 2 ** (torch.rand(20_000, generator=torch.Generator().manual_seed(0)) * 8 - 4)
    x = torch.cat([x, -x, torch.tensor([0.0, np.nan, np.inf])])
    rows = lmul.error_table(3, x, pairs=200_000)
    benford = lmul.error_table(3, "benford")
    assert [r["rms"] for r in rows] == pytest.approx([r["rms"] for r in benford], abs=2e-3)
    assert rows == lmul.error_table(3, x, pairs=200_000)
    assert rows[0]["dist"] == "given"
    powers = torch.tensor([1.0, 2.0, 0.25])
    one_sided = lmul.error_table(3, (powers, powers.numpy()), pairs=10)
    assert {r["method"]: r["max_abs"] for r in one_sided} == {"carry": 0.125, "formula": 0.125, "multiply": 0.0}


def test_the_best_offset_is_near_the_papers_and_has_less_error():
    assert optimal_offset(23) == pytest.approx(0.055, abs=1e-3)
    assert optimal_offset(23, criterion="bias") == pytest.approx(0.056, abs=1e-3)
    assert optimal_offset(23, "formula", criterion="bias") > 0.15
    paper, best = (lmul.error_table(3, offset=offset)[0] for offset in ("paper", "optimal"))
    assert best["rms"] < paper["rms"]
    assert lmul.error_table(3, offset=0.1)[0]["c"] == 0.1


@pytest.mark.parametrize("k", range(1, 8))
def test_ranks_of_the_product_tables(k):
    """Two GEMMs are exact for the formula; no fewer than 2^k terms are for the adder."""
    assert np.linalg.matrix_rank(product_table(k, "formula")) == 2
    assert np.linalg.matrix_rank(product_table(k)) == 2**k


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"ks": [0]}, "mantissa bits must be 1 to 52"),
        ({"dist": "normal"}, "dist must be one of 'uniform', 'benford'"),
        ({"dist": torch.zeros(3)}, "no finite number other than zero"),
        ({"offset": "best"}, "offset must be 'paper'"),
        ({"grid": 1}, "grid must be at least 2"),
    ],
)
def test_bad_arguments(arguments, says):
    with pytest.raises(ValueError, match=says):
        lmul.error_table(**arguments)
