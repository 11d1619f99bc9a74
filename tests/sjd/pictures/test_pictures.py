"""Crops of real pictures and patterns: shapes, seeds, and what a pattern is."""

from __future__ import annotations

import numpy as np
import pytest

from paperworks.sjd.image_model import PATTERNS
from paperworks.sjd.pictures import NAMES, REAL, crops


def test_a_seed_is_a_set_of_crops():
    one, again, other = (crops("cat", 2, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.shape == (2, 64, 64, 3)
    assert one.dtype == np.uint8
    assert (one == again).all()
    assert (one != other).any()


@pytest.mark.parametrize("name", REAL)
def test_real_pictures_are_there_and_have_colours(name):
    crop = crops(name, 1, np.random.default_rng(0))[0]
    assert crop.std() > 3
    assert (crop[..., 0] != crop[..., 2]).any()


def test_patterns_depend_on_one_coordinate():
    for pattern in crops(PATTERNS, 20, np.random.default_rng(0)):
        across, down = (pattern == pattern[:, :1]).all(), (pattern == pattern[:1]).all()
        assert across or down


def test_a_name_that_is_none_is_refused():
    assert NAMES[-1] == PATTERNS
    with pytest.raises(KeyError, match="dog"):
        crops("dog", 1, np.random.default_rng(0))
