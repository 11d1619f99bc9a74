"""Bins are those of the official package 0.0.3, written down here value by value (section 2.6, with its correction)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperworks.nrgboost import binning
from paperworks.nrgboost.column_fit import BinningConfig, fit_column
from paperworks.nrgboost.columns import NumberColumn


def legacy_decimals(values: list[float]) -> int | None:
    """The first d of 0..5 for which no value is further than 10^-(d + 3) from a multiple of 10^-d."""
    for d in range(6):
        unit = 10.0**-d
        if all(min(v % unit, unit - v % unit) < 1e-3 * unit for v in values):
            return d
    return None


def legacy_edges(values: list[float], most: int, *, integers: bool) -> list[float]:
    """The edges of quantile bins, one after the other."""
    edges = [float(np.quantile(values, share)) for share in np.linspace(0, 1, most + 1)]
    if not integers:
        kept = [edges[0]]
        for edge, before in zip(edges[1:-1], edges, strict=False):
            if edge > before:
                kept.append(edge)
        return [*kept, edges[-1]]
    ceiled = [math.ceil(edge) for edge in edges]
    pushed = [ceiled[0]]
    for at in range(1, len(ceiled)):
        is_last = at == len(ceiled) - 1
        pushed.append(ceiled[at] + (is_last or ceiled[at] == ceiled[at - 1]))
    return [pushed[0], *(pushed[at] for at in range(1, len(pushed)) if pushed[at] > pushed[at - 1])]


def legacy_bin(value: float, edges: list[float]) -> int:
    return sum(value >= edge for edge in edges[1:-1])


def column(values: np.ndarray, **config: object) -> NumberColumn:
    made = fit_column(pd.Series(values, name="x"), BinningConfig(**config))  # type: ignore[arg-type]
    assert isinstance(made, NumberColumn)
    return made


def assert_as_legacy(values: np.ndarray, most: int = 255) -> None:
    ours = column(values, max_bins=most)
    codes, _ = ours.encode(pd.Series(values))
    scaled = [float(np.round(v * 10.0 ** (ours.decimals or 0))) if ours.decimals is not None else v for v in values]
    is_integer = ours.kind == "integer" or ours.decimals is not None
    if is_integer and max(scaled) - min(scaled) <= most:
        assert codes.tolist() == [int(v - min(scaled)) for v in scaled]
        return
    edges = legacy_edges(scaled, most, integers=is_integer)
    assert codes.tolist() == [legacy_bin(v, edges) for v in scaled]
    assert ours.bins.low.tolist() == edges[:-1]
    assert ours.bins.high.tolist() == ([e - 1 for e in edges[1:]] if is_integer else edges[1:])


def test_the_worked_example_of_integer_edges() -> None:
    assert binning.integer_edges(np.array([0.0, 0, 0, 7, 6000])).tolist() == [0, 1, 7, 6001]


@pytest.mark.parametrize("most", [4, 31, 255])
@pytest.mark.parametrize("kind", ["normal", "cents", "counts", "skewed", "zeros", "atom at the top"])
def test_bins_are_those_of_the_official_package(kind: str, most: int) -> None:
    rng = np.random.default_rng(3)
    values = {
        "normal": rng.normal(size=700),
        "cents": np.round(rng.gamma(2, 30, size=700), 2),
        "counts": rng.integers(0, 40, 700),
        "skewed": rng.geometric(0.001, size=700),
        "zeros": np.where(rng.random(700) < 0.7, 0, rng.integers(1, 5000, 700)),
        "atom at the top": np.minimum(rng.exponential(size=700), 1.5),
    }[kind]
    assert_as_legacy(values, most)


@given(st.lists(st.integers(-2000, 2000), min_size=2, max_size=60), st.integers(2, 12))
def test_integer_bins_are_those_of_the_official_package(values: list[int], most: int) -> None:
    assert_as_legacy(np.array(values), most)


@given(st.lists(st.integers(-10_000, 10_000), min_size=1, max_size=20), st.integers(0, 5))
def test_the_number_of_decimals_is_the_official_one(steps: list[int], decimals: int) -> None:
    values = np.array(steps) / 10**decimals
    assert binning.decimals_of(values) == legacy_decimals(values.tolist())


def test_reals_with_more_decimals_and_numbers_too_large_for_exact_steps_have_no_grid() -> None:
    assert binning.decimals_of(np.array([0.1234567])) is None
    assert binning.decimals_of(np.array([1e17])) is None


def test_values_outside_of_the_training_range_join_the_end_bins() -> None:
    ours = column(np.random.default_rng(0).normal(size=500))
    codes, _ = ours.encode(pd.Series([-1e9, 1e9]))
    assert codes.tolist() == [0, ours.cardinality - 1]


def test_much_mass_on_the_maximum_has_a_bin_of_its_own_and_comes_back_exactly() -> None:
    ours = column(np.minimum(np.random.default_rng(0).exponential(size=1000), 0.5))
    assert ours.bins.low[-1] == ours.bins.high[-1] == 0.5
    assert np.isfinite(ours.log_widths).all()
    assert set(ours.decode(np.full(9, ours.cardinality - 1), np.random.default_rng(1))) == {0.5}


def test_few_values_can_keep_a_bin_each() -> None:
    values = np.array([1 / 3, 2 / 3, 1.0, 5.0] * 20)
    ours = column(values, few_values="values")
    assert ours.bins.low.tolist() == sorted(set(values))
    assert np.array_equal(ours.decode(ours.encode(pd.Series(values))[0], np.random.default_rng(0)), values)


@pytest.mark.parametrize("low", [0, -128])
def test_missing_values_leave_room_for_at_most_256_codes(low: int) -> None:
    integers = pd.Series(np.arange(low, low + 256), name="x")
    assert fit_column(integers, BinningConfig()).cardinality == 256
    with_gap = pd.concat([integers.astype(float), pd.Series([np.nan])], ignore_index=True).rename("x")
    assert fit_column(with_gap, BinningConfig()).cardinality <= 256


@pytest.mark.parametrize("integers", [False, True])
def test_integer_weights_are_repetitions_to_the_last_bit(integers: bool) -> None:
    rng = np.random.default_rng(5)
    values = rng.integers(0, 10**6, 80) if integers else rng.normal(size=80)
    repeats = rng.integers(1, 5, 80)
    weighted = fit_column(pd.Series(values, name="x"), BinningConfig(), weights=repeats.astype(float))
    repeated = fit_column(pd.Series(np.repeat(values, repeats), name="x"), BinningConfig())
    assert isinstance(weighted, NumberColumn)
    assert isinstance(repeated, NumberColumn)
    assert np.array_equal(weighted.bins.low, repeated.bins.low)
    assert np.array_equal(weighted.bins.inner, repeated.bins.inner)
    assert np.array_equal(weighted.counts, repeated.counts)


def test_the_scale_of_other_weights_does_not_matter() -> None:
    rng = np.random.default_rng(6)
    values, weights = pd.Series(rng.normal(size=300), name="x"), rng.random(300) + 0.1
    once, scaled = (fit_column(values, BinningConfig(), weights=w) for w in (weights, weights * 1e-4))
    assert isinstance(once, NumberColumn)
    assert isinstance(scaled, NumberColumn)
    assert np.allclose(once.bins.inner, scaled.bins.inner)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("max_bins", 1), ("max_bins", 256), ("few_values", "keep"), ("categorical_overflow", "drop"), ("missing", "drop")],
)
def test_a_wrong_setting_is_named(setting: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{setting} is {value!r}; it must be"):
        BinningConfig(**{setting: value})  # type: ignore[arg-type]
