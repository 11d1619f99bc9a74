"""The projection: bound by memory in small windows, by arithmetic in large ones, and never above the compression."""

from __future__ import annotations

import pytest

from paperworks.sjd.projection import H200, LUMINA, projected_speedup


def test_a_small_window_costs_what_reading_the_weights_costs():
    weights = 2 * 7e9 / 4.8e12
    assert weights < LUMINA.pass_seconds(1, H200) < 1.1 * weights
    assert LUMINA.pass_seconds(16, H200) == LUMINA.pass_seconds(1, H200)
    assert projected_speedup(2.22, 16, LUMINA, H200) == pytest.approx(2.22)


def test_a_large_window_costs_its_arithmetic():
    assert LUMINA.pass_seconds(1000, H200) == pytest.approx(2 * 7e9 * 2 * 1000 / 989e12)
    assert projected_speedup(4.0, 1000, LUMINA, H200) < 1
