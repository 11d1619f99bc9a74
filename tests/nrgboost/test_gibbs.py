"""Sampling: frequencies against enumeration, clamped cells, temperature, threads, memory."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from paperworks.nrgboost import reference
from paperworks.nrgboost.boosting import BoostingConfig, boost
from paperworks.nrgboost.domain import Domain
from paperworks.nrgboost.lanes import SIZE, lane_rows, pick, places, to_weights
from paperworks.nrgboost.leaf_masks import LeafMasks
from paperworks.nrgboost.model import EnergyModel
from paperworks.nrgboost.pool import accepted, first_pool
from paperworks.nrgboost.streams import stream, stream_key, uniform

from .conftest import chi_square_p, dependent_rows


@pytest.mark.parametrize("seed", [1, 2])
def test_long_chains_have_the_enumerated_frequencies(small_model, seed):
    rows = small_model.gibbs(small_model.sample_initial(20_000, seed), 30, seed=seed)
    assert chi_square_p(rows, small_model.domain, reference.probabilities(small_model)) > 1e-3


def test_the_chi_square_would_notice_a_wrong_model(small_model):
    rows = small_model.sample_initial(20_000, 1)
    assert chi_square_p(rows, small_model.domain, reference.probabilities(small_model)) < 1e-6
    assert (
        chi_square_p(rows, small_model.domain, np.exp(small_model.initial.energy(reference.cells(small_model.domain))))
        > 1e-3
    )


def test_fewer_rounds_are_an_earlier_model(small_model):
    rows = small_model.gibbs(small_model.sample_initial(20_000, 1), 20, n_rounds=3, seed=1)
    earlier = EnergyModel(small_model.initial, small_model.trees[:3])
    assert chi_square_p(rows, small_model.domain, reference.probabilities(earlier)) > 1e-3


def test_temperature_divides_the_whole_energy(small_model):
    rows = small_model.gibbs(small_model.sample_initial(20_000, 1), 30, temperature=2.0, seed=1)
    tempered = np.sqrt(reference.probabilities(small_model))
    assert chi_square_p(rows, small_model.domain, tempered / tempered.sum()) > 1e-3


def test_only_free_cells_change(small_model):
    start = small_model.sample_initial(20_000, 1)
    start[:, 1] = 2
    rows = small_model.gibbs(start, 20, free=np.array([True, False, True]), seed=1)
    assert (rows[:, 1] == 2).all()
    joint = reference.probabilities(small_model).reshape(small_model.domain.cards)
    given = np.zeros_like(joint)
    given[:, 2] = joint[:, 2] / joint[:, 2].sum()
    assert chi_square_p(rows, small_model.domain, given.ravel()) > 1e-3
    each = np.random.default_rng(0).random(start.shape) < 0.5
    some = small_model.gibbs(start, 5, free=each, seed=1)
    assert (some[~each] == start[~each]).all()
    assert (some[each] != start[each]).any()


def test_the_mean_of_a_conditional_over_the_sweeps(small_model):
    start = np.tile(np.array([[1, 2, 0]], np.uint8), (500, 1))
    free = np.array([True, True, False])
    _, mean = small_model.gibbs(start, 400, free=free, seed=1, average_column=1)
    joint = reference.probabilities(small_model).reshape(small_model.domain.cards)[:, :, 0]
    assert mean.sum(1) == pytest.approx(np.ones(500), abs=1e-5)
    assert mean.mean(0) == pytest.approx(joint.sum(0) / joint.sum(), abs=4e-3)


def test_one_step_from_a_full_conditional(small_model):
    rows = np.tile(np.array([[2, 1, 1]], np.uint8), (20_000, 1))
    drawn = small_model.gibbs(rows, 1, free=np.array([False, True, False]), seed=1)
    logits = small_model.conditional_logits(rows[:1], 1)[0]
    expected = np.exp(logits - logits.max())
    found = np.bincount(drawn[:, 1], minlength=4)
    assert stats.chisquare(found, expected / expected.sum() * 20_000).pvalue > 1e-3


@pytest.mark.parametrize("card", [1, 2, 3, 16, 17, 100, 128, 129, 255, 256])
@pytest.mark.parametrize("ordered", [False, True])
def test_weights_in_lanes_are_a_softmax(card, ordered):
    rng = np.random.default_rng(card)
    steps, initial = rng.normal(size=card) * 2, np.log(rng.dirichlet(np.ones(card)))
    energies, lanes = np.zeros(SIZE + 32, np.float32), np.full(SIZE, -np.inf, np.float32)
    at = places(np.arange(card), card)
    energies[at], lanes[at] = steps, initial
    sums = np.empty(SIZE, np.float32)
    total = to_weights(energies, lanes, lane_rows(card), ordered, np.float32(0.5), sums)
    logits = ((np.cumsum(steps) if ordered else steps) + initial) / 2
    wanted = np.exp(logits - logits.max())
    assert energies[at] == pytest.approx(wanted, rel=2e-5, abs=1e-30)
    assert total == pytest.approx(wanted.sum(), rel=2e-5)
    reached = np.cumsum(energies[at].astype(float))
    for value in range(card):
        below = reached[value - 1] if value else 0.0
        if reached[value] - below > 1e-3:
            assert pick(sums, lane_rows(card), np.float32((below + reached[value]) / 2)) == value
    assert pick(sums, lane_rows(card), total) < card


def test_kept_rows_of_the_pool_are_rows_of_the_next_model(small_model):
    """From exact samples of q_t; so the rejection step alone is what the test sees."""
    domain, tree = small_model.domain, small_model.trees[5]
    now, after = (EnergyModel(small_model.initial, small_model.trees[:n]) for n in (5, 6))
    exact = np.random.default_rng(0).choice(60, 60_000, p=reference.probabilities(now))
    rows = reference.cells(domain)[exact]
    stay = accepted(tree, tree.leaves(rows), 0.9, stream_key(4))
    assert 0.3 < stay.mean() < 0.9
    assert chi_square_p(rows[stay], domain, reference.probabilities(after)) > 1e-3
    assert chi_square_p(rows, domain, reference.probabilities(after)) < 1e-6


def test_the_first_pool_is_exact(small_model):
    one = EnergyModel(small_model.initial, small_model.trees[:1])
    rows = first_pool(small_model.initial, small_model.trees[0], 30_000, (stream_key(1), stream_key(2)))
    assert len(rows) == 30_000
    assert chi_square_p(rows, small_model.domain, reference.probabilities(one)) > 1e-3


def test_streams_are_uniform_and_apart():
    numbers = np.array([uniform(np.uint64(stream(stream_key(0, 1), i))) for i in range(4000)])
    others = np.array([uniform(np.uint64(stream(stream_key(0, 2), i))) for i in range(4000)])
    assert stats.kstest(numbers, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 0.06
    assert abs(np.corrcoef(numbers, others)[0, 1]) < 0.06


def test_threads_and_seeds(small_model):
    start = small_model.sample_initial(300, 1)
    one, two = (small_model.gibbs(start, 5, seed=1, n_threads=n) for n in (1, 2))
    assert one.tobytes() == two.tobytes()
    assert small_model.gibbs(start, 5, seed=2).tobytes() != one.tobytes()
    assert small_model.gibbs(start[:70], 5, seed=1).tobytes() == one[:70].tobytes()


def test_thrifty_masks_draw_the_same_rows(monkeypatch):
    domain = Domain((40, 6, 1, 30, 200, 2), (False, True, False, False, False, True))
    rows = dependent_rows(domain.cards, 1000)
    config = BoostingConfig(n_rounds=10, max_leaves=70, n_model_samples=2000, max_features=0.4)
    dense = boost(rows, domain, config, seed=0).model
    monkeypatch.setattr("paperworks.nrgboost.leaf_masks.DENSE_BYTES", 0)
    thrifty = boost(rows, domain, config, seed=0).model
    assert dense.masks.tables.dense
    assert not thrifty.masks.tables.dense
    assert thrifty.energy(rows).tobytes() == dense.energy(rows).tobytes()
    start = dense.sample_initial(100, 1)
    for n_rounds in (None, 4):
        mine, theirs = (model.gibbs(start, 5, seed=1, n_rounds=n_rounds) for model in (thrifty, dense))
        assert mine.tobytes() == theirs.tobytes()


def test_thrifty_masks_of_a_wide_table_are_small():
    """Dense ones would be 784 columns x 256 values x 20 trees x 4 words: 128 MB, and their steps 32 MB."""
    domain = Domain((256,) * 784, (False,) * 784)
    masks = LeafMasks(domain, np.zeros(784 * 256), 20, 256)
    rows = np.random.default_rng(0).integers(0, 256, (300, 784)).astype(np.uint8)
    config = BoostingConfig(n_rounds=1, max_ratio_in_leaf=1e9, max_features=0.05)
    masks.add(boost(rows, domain, config, seed=0).model.trees * 20)
    assert not masks.tables.dense
    assert masks.n_trees == 20
    assert sum(array.nbytes for array in masks.tables if isinstance(array, np.ndarray)) < 64 << 20


def test_senseless_settings(small_model):
    rows = small_model.sample_initial(2, 1)
    with pytest.raises(ValueError, match="n_steps=0"):
        small_model.gibbs(rows, 0, seed=1)
    with pytest.raises(ValueError, match="temperature=0"):
        small_model.gibbs(rows, 1, temperature=0, seed=1)
    with pytest.raises(ValueError, match="free has the shape"):
        small_model.gibbs(rows, 1, free=np.ones(2, bool), seed=1)
    with pytest.raises(ValueError, match="n_threads=0"):
        small_model.gibbs(rows, 1, seed=1, n_threads=0)


MEMORY = """
import resource, numpy as np
from paperworks.nrgboost.boosting import BoostingConfig, boost
from paperworks.nrgboost.domain import Domain
from paperworks.nrgboost.initial import fit_initial
from paperworks.nrgboost.leaf_masks import LeafMasks
from paperworks.nrgboost.model import EnergyModel
domain = Domain((20,) * 10, (False,) * 10)
rows = np.random.default_rng(0).integers(0, 20, (100, 10)).astype(np.uint8)
model = EnergyModel(fit_initial(rows, np.ones(100), domain, 0.1))
model.gibbs(model.sample_initial(10, 0), 1, seed=0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
out = model.gibbs(model.sample_initial(100_000, 0), 2, seed=0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_sampling_keeps_one_state_a_chain():
    """The official sampler keeps every step: 100 MB for 100 000 rows of 10 columns and 100 steps (2.9, point 3)."""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 20_000  # kilobytes; the rows themselves are 1000, whatever the number of steps
