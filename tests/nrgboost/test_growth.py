"""Trees against section 2.2 in plain Python: gains, admissibility, the order of splits, exact masses at round 0."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from paperworks.nrgboost import reference
from paperworks.nrgboost.domain import Domain
from paperworks.nrgboost.growth import Grower, GrowthConfig
from paperworks.nrgboost.initial import Initial, fit_initial, uniform_initial
from paperworks.nrgboost.split_search import Rules, search_column
from paperworks.nrgboost.streams import stream_key
from paperworks.nrgboost.threads import Workers
from paperworks.nrgboost.tree import boxes

from .conftest import dependent_rows

MIXED = Domain((9, 5, 4, 7), (False, True, False, True))


def grow(rows, initial, pool=None, weights=None, n_threads=1, **settings):
    weights = np.ones(len(rows)) if weights is None else weights
    with Workers(n_threads) as workers:
        grower = Grower(rows, weights, initial, GrowthConfig(**settings), workers)
        return grower.grow(pool, stream_key(0))


def as_set(members):
    return frozenset(value for value in range(256) if int(members[value // 64]) >> (value % 64) & 1)


def leaf_boxes(tree, domain):
    """Each leaf's box as the values that its columns may take."""
    box = boxes(tree, domain)
    return [
        tuple(
            as_set(box.sets[leaf, domain.set_index[column]])
            if domain.categorical[column]
            else frozenset(range(box.low[leaf, column], box.high[leaf, column]))
            for column in range(domain.n_columns)
        )
        for leaf in range(tree.n_leaves)
    ]


def worked_example(**settings):
    """Section 9: counts 4, 1, 1, 2 in a 2x2 domain against the uniform."""
    rows = np.array([[0, 0]] * 4 + [[0, 1], [1, 0]] + [[1, 1]] * 2, np.uint8)
    return grow(rows, uniform_initial(Domain((2, 2), (False, False))), **settings)


def test_the_worked_example():
    tree, p, q, _ = worked_example(max_leaves=3, max_ratio=2.0)
    assert tree.gain.tolist() == [0.5, 2.25]
    assert tree.column.tolist() == [0, 1]
    assert sorted(zip(p, q, tree.value, strict=True)) == [(1, 2, -0.5), (3, 4, -0.25), (4, 2, 1)]


def test_a_leaf_with_too_high_a_ratio_is_not_admissible():
    first, *_ = worked_example(max_leaves=2, max_ratio=1.5)
    assert first.gain.tolist() == [0.5]
    tree, *_ = worked_example(max_leaves=4, max_ratio=1.5)
    assert tree.value.max() <= 0.5


def test_no_admissible_root_split_gives_no_tree():
    assert worked_example(max_leaves=4, max_ratio=1.01) is None
    assert worked_example(max_leaves=4, min_samples=4) is None


@limits(max_examples=150)
@given(st.data())
def test_split_search_is_that_of_brute_force(data):
    card = data.draw(st.integers(2, 6))
    numbers = st.lists(st.integers(0, 9), min_size=card, max_size=card)
    counts, masses = (np.array(data.draw(numbers), float) for _ in range(2))
    ordered, single, likelihood = (data.draw(st.booleans()) for _ in range(3))
    ratio, least = data.draw(st.sampled_from([1.2, 2.0, np.inf])), data.draw(st.sampled_from([0.0, 2.0]))
    config = GrowthConfig(
        max_leaves=2, max_ratio=ratio, min_samples=least, one_against_all=single, likelihood=likelihood
    )
    available = np.arange(card)
    masses_here = 0.5 * masses
    candidates = reference.thresholds(available) if ordered else reference.subsets(available)
    if single and not ordered:
        candidates = list(available[:, None])
    wanted, _ = reference.best_split(counts, masses_here, available, candidates, config)
    members = np.array([(1 << card) - 1, 0, 0, 0], np.uint64)
    gain, threshold = search_column(
        counts, masses, 0, card, members, ordered, Rules(0.5, ratio, least, single, likelihood)
    )
    if ordered or single or (least == 0 and ratio == np.inf):
        assert gain == pytest.approx(wanted, abs=1e-9)
    else:  # of the admissible subsets the best need not be a prefix
        assert gain <= wanted + 1e-9
    if gain >= 0:
        right = np.arange(threshold, card) if ordered else np.array(sorted(as_set(members)))
        left = np.setdiff1d(available, right)
        assert reference.split_gain(counts, masses_here, left, right, config) == pytest.approx(gain, abs=1e-9)


def test_prefixes_by_ratio_are_the_best_of_all_31_subsets():
    rng = np.random.default_rng(0)
    unconstrained = GrowthConfig(max_leaves=2)
    for _ in range(100):
        counts, masses, available = rng.random(6), rng.random(6), np.arange(6)
        every = reference.subsets(available)
        wanted, right = reference.best_split(counts, masses, available, every, unconstrained)
        members = np.array([63, 0, 0, 0], np.uint64)
        gain, _ = search_column(counts, masses, 0, 6, members, False, Rules(1.0, np.inf, 0.0, False, False))
        assert len({frozenset((frozenset(r), frozenset(available) - frozenset(r))) for r in map(tuple, every)}) == 31
        assert gain == pytest.approx(wanted, rel=1e-9)
        assert as_set(members) in (right, frozenset(range(6)) - right)


@pytest.mark.parametrize("settings", [{}, {"breadth_first": True}, {"one_against_all": True}, {"likelihood": True}])
@pytest.mark.parametrize("with_pool", [False, True])
def test_trees_are_those_of_the_reference(settings, with_pool):
    rows = dependent_rows(MIXED.cards, 300)
    weights = np.random.default_rng(1).random(300) + 0.5
    initial = fit_initial(rows, weights, MIXED, 0.1)
    pool = initial.sample(2000, stream_key(5)) if with_pool else None
    config = {"max_leaves": 20, "max_ratio": 2.5, **settings}
    grown = grow(rows, initial, pool, weights, **config)
    wanted = reference.grow(rows, weights, pool, initial, GrowthConfig(**config))
    by_box = {tuple(frozenset(map(int, values)) for values in leaf.box): (leaf.p, leaf.q) for leaf in wanted}
    mine = dict(zip(leaf_boxes(grown.tree, MIXED), zip(grown.p, grown.q, strict=True), strict=True))
    assert mine.keys() == by_box.keys()
    for box, sums in mine.items():
        assert sums == pytest.approx(by_box[box], rel=1e-9, abs=1e-9)


def test_values_have_no_mean_under_the_model():
    rows = dependent_rows(MIXED.cards, 500)
    initial = fit_initial(rows, np.ones(500), MIXED, 0.1)
    for pool in (None, initial.sample(3000, stream_key(2))):
        tree, p, q, _ = grow(rows, initial, pool, max_leaves=32, max_ratio=2.0)
        assert abs(q @ tree.value) < 1e-9 * q.sum()
        assert p.sum() == pytest.approx(500)
        assert q.sum() == pytest.approx(500)


def test_pool_leaves_are_the_leaves_that_rows_walk_to():
    rows = dependent_rows(MIXED.cards, 500)
    initial = fit_initial(rows, np.ones(500), MIXED, 0.1)
    pool = initial.sample(3000, stream_key(2))
    grown = grow(rows, initial, pool, max_leaves=32)
    assert (grown.pool_leaves == grown.tree.leaves(pool)).all()
    assert [reference._walk(grown.tree, row) for row in pool[:200]] == grown.pool_leaves[:200].tolist()


def test_exact_masses_are_what_large_samples_tend_to():
    rows = dependent_rows(MIXED.cards, 500)
    initial = fit_initial(rows, np.ones(500), MIXED, 0.1)
    grown = grow(rows, initial, max_leaves=16)
    cells = reference.cells(MIXED)
    exact = np.bincount(grown.tree.leaves(cells), np.exp(initial.energy(cells)))
    assert grown.q / 500 == pytest.approx(exact, rel=1e-12)


def test_a_share_of_the_columns_is_tried_at_each_node():
    rows = dependent_rows((8,) * 6, 2000)
    initial = uniform_initial(Domain((8,) * 6, (False,) * 6))
    all_columns, few = (grow(rows, initial, max_leaves=64, max_features=share).tree for share in (1.0, 0.34))
    assert few.gain[0] <= all_columns.gain[0]
    assert len(set(few.column.tolist())) == 6
    one = [grow(rows, initial, max_leaves=2, max_features=0.01).tree.column.tolist() for _ in range(2)]
    assert one[0] == one[1]


@pytest.mark.parametrize("breadth_first", [False, True])
def test_trees_do_not_depend_on_threads_or_on_what_is_kept(breadth_first, monkeypatch):
    rows = dependent_rows((40, 40, 40, 6), 3000)
    domain = Domain((40, 40, 40, 6), (False, False, False, True))
    initial = fit_initial(rows, np.ones(3000), domain, 0.1)
    pool = initial.sample(5000, stream_key(2))
    settings = {"max_leaves": 200, "breadth_first": breadth_first, "max_features": 0.7}
    one, two = (grow(rows, initial, pool, n_threads=n, **settings) for n in (1, 2))
    monkeypatch.setattr("paperworks.nrgboost.growth._HISTOGRAM_BYTES", 0)  # histograms are counted again
    scarce = grow(rows, initial, pool, **settings)
    monkeypatch.setattr("paperworks.nrgboost.growth._MOST_AT_ONCE", 1)  # nothing is expanded ahead of its turn
    for other in (two, scarce, grow(rows, initial, pool, **settings)):
        assert all((a == b).all() for a, b in zip(one.tree, other.tree, strict=True))
        assert (one.pool_leaves == other.pool_leaves).all()


def test_mass_without_data_is_removed():
    domain = Domain((4,), (False,))
    rows = np.array([[0], [1]] * 50, np.uint8)
    tree, *_ = grow(rows, uniform_initial(domain), max_leaves=2)
    assert sorted(tree.value.tolist()) == [-1.0, 1.0]


def test_a_bin_without_mass_cannot_be_split_off():
    domain = Domain((3,), (False,))
    rows = np.array([[0], [1], [2]] * 20, np.uint8)
    nothing_above = Initial(domain, np.array([0.5, 0.5, 0.0]))
    tree, *_ = grow(rows, nothing_above, max_leaves=3)
    assert tree.threshold.tolist() == [1]
