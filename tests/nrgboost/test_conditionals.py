"""Energies and conditionals: leaf masks, walking trees and replacing the cell give the same."""

import numpy as np
import pytest
from scipy.special import logsumexp

from paperworks.nrgboost import reference
from paperworks.nrgboost.domain import Domain
from paperworks.nrgboost.growth import Grower, GrowthConfig
from paperworks.nrgboost.initial import fit_initial
from paperworks.nrgboost.model import MAX_ENUMERATED, EnergyModel
from paperworks.nrgboost.streams import stream_key
from paperworks.nrgboost.threads import Workers
from paperworks.nrgboost.tree import single_leaf

from .conftest import dependent_rows

DOMAIN = Domain((70, 11, 40, 2, 90, 1), (False, True, False, True, True, False))


def grown_model(n_leaves, n_trees=3):
    """Trees with exactly that many leaves, with random values."""
    rows = dependent_rows(DOMAIN.cards, 2000)
    initial = fit_initial(rows, np.ones(len(rows)), DOMAIN, 0.1)
    rng = np.random.default_rng(n_leaves)
    if n_leaves == 1:
        return EnergyModel(initial, [single_leaf(value) for value in rng.normal(size=n_trees)])
    with Workers(1) as workers:
        grower = Grower(rows, np.ones(len(rows)), initial, GrowthConfig(max_leaves=n_leaves, max_features=0.5), workers)
        trees = [grower.grow(initial.sample(3000, stream_key(i)), stream_key(i)).tree for i in range(n_trees)]
    assert {tree.n_leaves for tree in trees} == {n_leaves}
    return EnergyModel(initial, [tree._replace(value=rng.normal(size=n_leaves)) for tree in trees])


def centred(logits):
    return logits - logits.mean(-1, keepdims=True)


@pytest.fixture(params=["dense", "thrifty"])
def masks(request, monkeypatch):
    if request.param == "thrifty":
        monkeypatch.setattr("paperworks.nrgboost.leaf_masks.DENSE_BYTES", 0)
    return request.param


@pytest.mark.parametrize("n_leaves", [1, 2, 3, 17, 63, 64, 65, 127, 128, 129, 200, 256])
def test_three_ways_to_a_conditional(n_leaves, masks):
    model = grown_model(n_leaves)
    assert model.masks.tables.dense == (masks == "dense")
    rows = model.sample_initial(4, seed=1)
    assert reference.energy(model, rows) == pytest.approx(model.energy(rows), abs=1e-12)
    for column in range(DOMAIN.n_columns):
        by_masks = model.conditional_logits(rows, column)
        walked = np.array([reference.walked_logits(model, row, column) for row in rows])
        replaced = np.array([reference.conditional_logits(model, row, column) for row in rows])
        assert by_masks == pytest.approx(walked, abs=1e-11)
        assert centred(by_masks) == pytest.approx(centred(replaced), abs=1e-11)


def test_stages_are_the_models_after_each_round():
    model = grown_model(30, n_trees=4)
    rows = model.sample_initial(10, seed=1)
    for column in (0, 1):
        stages = list(model.staged_conditional_logits(rows, column))
        assert len(stages) == 4
        for number, stage in enumerate(stages, start=1):
            assert stage == pytest.approx(model.conditional_logits(rows, column, number), abs=1e-12)
    shorter = EnergyModel(model.initial, model.trees[:2])
    assert model.energy(rows, 2) == pytest.approx(shorter.energy(rows), abs=1e-12)
    assert model.conditional_logits(rows, 0, 2) == pytest.approx(shorter.conditional_logits(rows, 0), abs=1e-12)


def test_conditionals_are_those_of_the_enumerated_joint(small_model):
    joint = reference.probabilities(small_model).reshape(small_model.domain.cards)
    rows = reference.cells(small_model.domain)
    for column in range(3):
        logits = small_model.conditional_logits(rows, column)
        mine = np.exp(logits - logsumexp(logits, 1, keepdims=True))
        given = np.moveaxis(joint / joint.sum(column, keepdims=True), column, -1)
        others = [rows[:, other] for other in range(3) if other != column]
        assert mine == pytest.approx(given[tuple(others)], abs=1e-12)


@pytest.mark.parametrize("absent", [(), (0,), (2,), (0, 2)])
def test_missing_cells_are_summed_over(small_model, absent):
    joint = reference.probabilities(small_model).reshape(small_model.domain.cards)
    rows = reference.cells(small_model.domain)
    missing = np.zeros(rows.shape, bool)
    missing[:, list(absent)] = True
    missing[::2] = False  # two patterns in one table
    logits = small_model.marginal_conditional_logits(rows, 1, missing)
    mine = np.exp(logits - logsumexp(logits, 1, keepdims=True))
    for row, found, holes in zip(rows, mine, missing, strict=True):
        places = tuple(slice(None) if hole or column == 1 else row[column] for column, hole in enumerate(holes))
        mass = joint[places]
        axes = [axis for axis, column in enumerate(c for c in range(3) if holes[c] or c == 1) if column != 1]
        mass = mass.sum(tuple(axes))
        assert found == pytest.approx(mass / mass.sum(), abs=1e-12)


def test_too_many_missing_cells_are_refused():
    model = grown_model(3)
    rows = model.sample_initial(2, seed=1)
    missing = np.ones(rows.shape, bool)
    assert np.prod(DOMAIN.cards[1:]) > MAX_ENUMERATED
    with pytest.raises(ValueError, match="combinations of missing cells are more than 4096"):
        model.marginal_conditional_logits(rows, 0, missing)


def test_a_constant_column_changes_no_conditional(small_model):
    wider = Domain((*small_model.domain.cards, 1), (*small_model.domain.categorical, False))
    initial = fit_initial(np.zeros((1, 4), np.uint8), np.ones(1), wider, 0.1)
    initial.masses[:-1] = small_model.initial.masses
    model = EnergyModel(initial, small_model.trees)
    rows = reference.cells(wider)
    for column in range(3):
        mine, theirs = (m.conditional_logits(r, column) for m, r in ((model, rows), (small_model, rows[:, :3].copy())))
        assert mine == pytest.approx(theirs, abs=1e-12)
    assert model.conditional_logits(rows, 3).shape == (60, 1)


def test_threads_change_nothing(small_model):
    rows = np.tile(reference.cells(small_model.domain), (40, 1))
    one, two = (small_model.conditional_logits(rows, 1, n_threads=n) for n in (1, 2))
    assert (one == two).all()


def test_arrays_bring_the_model_back():
    model = grown_model(65)
    again = EnergyModel.from_arrays(model.to_arrays())
    rows = model.sample_initial(50, seed=1)
    assert again.domain == model.domain
    assert (again.energy(rows) == model.energy(rows)).all()
    assert (again.conditional_logits(rows, 4) == model.conditional_logits(rows, 4)).all()
    assert (again.feature_gains() == model.feature_gains()).all()
    arrays = model.to_arrays()
    with pytest.raises(ValueError, match="shorter"):
        EnergyModel.from_arrays({**arrays, "tree_value": arrays["tree_value"][:-1]})
    empty = EnergyModel.from_arrays(EnergyModel(model.initial).to_arrays())
    assert empty.n_rounds == 0
    assert (empty.energy(rows) == model.energy(rows, 0)).all()


def test_gains_belong_to_columns(small_model):
    gains = small_model.feature_gains()
    assert gains.shape == (3,)
    assert gains.sum() == pytest.approx(sum(tree.gain.sum() for tree in small_model.trees))
    assert (gains > 0).all()


def test_rows_and_rounds_that_there_are_not(small_model):
    with pytest.raises(ValueError, match="uint8 matrix with 3 columns"):
        small_model.energy(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="column 1 has the bins 0 to 3, but a row has 4"):
        small_model.energy(np.array([[0, 4, 0]], np.uint8))
    with pytest.raises(ValueError, match="n_rounds=99, but the model has 12"):
        small_model.energy(np.zeros((1, 3), np.uint8), 99)
    with pytest.raises(ValueError, match="1 to 256"):
        Domain((257,), (False,))
    with pytest.raises(ValueError, match="at least one column"):
        Domain((), ())
    with pytest.raises(ValueError, match="2 columns have cards, but 1 a kind"):
        Domain((3, 3), (False,))
