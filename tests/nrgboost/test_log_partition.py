"""log Z by annealed importance sampling, against enumeration."""

import numpy as np
import pytest

from paperworks.nrgboost import reference
from paperworks.nrgboost.model import EnergyModel


@pytest.mark.parametrize("seed", range(3))
def test_within_three_standard_errors_of_enumeration(small_model, seed):
    estimate, error = small_model.log_partition(2000, seed)
    exact = np.logaddexp.reduce(small_model.energy(reference.cells(small_model.domain)))
    assert 0 < error < 0.03
    assert abs(estimate - exact) < 3 * error


def test_the_standard_error_is_that_of_repetitions(small_model):
    found = np.array([small_model.log_partition(100, seed) for seed in range(60)])
    assert found[:, 0].std(ddof=1) == pytest.approx(found[:, 1].mean(), rel=0.4)


def test_without_trees_it_is_exactly_0(small_model):
    assert EnergyModel(small_model.initial).log_partition(10) == (0.0, 0.0)


def test_threads_change_nothing(small_model):
    assert small_model.log_partition(200, 1) == small_model.log_partition(200, 1, n_threads=2)


def test_one_particle_is_too_few(small_model):
    with pytest.raises(ValueError, match="n_particles=1 gives no standard error"):
        small_model.log_partition(1)
