"""The seeds of a run, each in a step of its own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paperworks.lab import Lab


class Measured:
    """A step function that notes the seeds it was called with."""

    def __init__(self) -> None:
        self.seeds: list[Any] = []

    def __call__(self, *, seed: int, width: int = 1) -> np.ndarray:
        self.seeds.append(seed)
        return np.random.default_rng(seed).random(width)


@pytest.fixture
def fresh(tmp_path: Path):
    """Builds labs that share a home, as a run that starts again does."""
    return lambda **settings: Lab("made_up", home=tmp_path / "steps", **settings)


def test_it_is_a_step_for_each_seed_in_order(fresh):
    fn, lab = Measured(), fresh(seeds=3)
    arrays = lab.each_seed("draws", fn, width=4)
    assert fn.seeds == [0, 1, 2]
    assert [array.shape for array in arrays] == [(4,)] * 3
    for seed, array in enumerate(arrays):
        np.testing.assert_array_equal(array, lab.step("draws", fn, seed=seed, width=4))
    assert fn.seeds == [0, 1, 2]


def test_more_seeds_later_compute_only_what_is_new(fresh):
    fn = Measured()
    first = fresh(seeds=3).each_seed("draws", fn)
    more = fresh(seeds=5).each_seed("draws", fn)
    assert fn.seeds == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(more[:3], first)


def test_a_cut_costs_the_seed_it_fell_into_and_no_other(fresh):
    fn = Measured()

    def is_cut(*, seed: int, width: int) -> np.ndarray:
        if seed == 2:
            raise KeyboardInterrupt
        return fn(seed=seed, width=width)

    with pytest.raises(KeyboardInterrupt):
        fresh(seeds=4).each_seed("draws", is_cut, width=2)
    assert len(fresh(seeds=4).each_seed("draws", fn, width=2)) == 4
    assert fn.seeds == [0, 1, 2, 3]


def test_seeds_of_ones_own_choice(fresh):
    fn, lab = Measured(), fresh()
    assert len(lab.each_seed("draws", fn, seeds=(7, np.int64(9), 7))) == 3
    assert fn.seeds == [7, 9]
    assert [type(seed) for seed in fn.seeds] == [int, int]
    assert lab.each_seed("draws", fn, seeds=[]) == []


@pytest.mark.parametrize("seed", [-1, 1.0, True, "0", None])
def test_a_seed_is_a_whole_number_and_none_is_computed_before_all_are_checked(fresh, seed):
    fn = Measured()
    with pytest.raises(ValueError, match="a seed is a whole number from 0"):
        fresh().each_seed("draws", fn, seeds=[0, seed])
    assert fn.seeds == []


def test_it_says_how_many_seeds_are_done(tmp_path):
    said: list[Any] = []
    lab = Lab("made_up", seeds=3, home=tmp_path / "steps", emit=said.append)
    lab.each_seed("draws", Measured())
    assert said[0] == {"event": "progress", "label": "draws", "done": 0, "total": 3}
    assert said[-1] == {"event": "progress", "label": "draws", "done": 3, "total": 3}


def test_the_seed_is_not_given_twice(fresh):
    with pytest.raises(TypeError, match=r"say by seeds=\[...\]"):
        fresh().each_seed("draws", Measured(), **{"seed": 1})
