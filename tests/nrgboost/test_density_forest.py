"""Density trees and forests: normalised, exact conditionals and samples, both criteria (section 2.7)."""

import numpy as np
import pytest
from scipy.special import logsumexp

from paperworks.nrgboost import reference
from paperworks.nrgboost.density_forest import ForestConfig, ForestModel, fit_forest
from paperworks.nrgboost.domain import Domain
from paperworks.nrgboost.growth import GrowthConfig
from paperworks.nrgboost.initial import uniform_initial

from .conftest import chi_square_p, dependent_rows

DOMAIN = Domain((9, 5, 6, 3), (False, True, False, True))
CELLS = reference.cells(DOMAIN)


@pytest.fixture(scope="module")
def rows():
    return dependent_rows(DOMAIN.cards, 500)


@pytest.fixture(scope="module", params=["likelihood", "brier"])
def forest(rows, request):
    return fit_forest(rows, DOMAIN, ForestConfig(n_trees=7, max_leaves=12, criterion=request.param), seed=0)


def test_the_density_is_normalised(forest):
    assert np.exp(forest.log_density(CELLS)).sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("criterion", ["likelihood", "brier"])
def test_one_tree_is_the_reference_histogram(rows, criterion):
    config = ForestConfig(n_trees=1, max_leaves=10, criterion=criterion, bagging_fraction=None)
    forest = fit_forest(rows, DOMAIN, config, seed=0)
    growth = GrowthConfig(max_leaves=10, likelihood=criterion == "likelihood")
    leaves = reference.grow(rows, np.ones(len(rows)), None, uniform_initial(DOMAIN), growth)
    density = np.zeros(len(CELLS))
    for leaf in leaves:
        inside = np.all([np.isin(CELLS[:, d], values) for d, values in enumerate(leaf.box)], axis=0)
        density[inside] = leaf.p / len(rows) / inside.sum()  # P_j / V_j
    assert np.exp(forest.log_density(CELLS)) == pytest.approx(density, rel=1e-9, abs=1e-15)


def test_the_likelihood_criterion_fits_better_by_likelihood(rows):
    test = dependent_rows(DOMAIN.cards, 2000, seed=1)
    fits = {
        criterion: fit_forest(rows, DOMAIN, ForestConfig(n_trees=20, max_leaves=32, criterion=criterion), seed=0)
        for criterion in ("likelihood", "brier")
    }
    scores = {name: fit.log_density(test).mean() for name, fit in fits.items()}
    assert scores["likelihood"] > scores["brier"] > -np.log(DOMAIN.cards).sum()


def test_conditionals_are_those_of_the_enumerated_joint(forest):
    joint = np.exp(forest.log_density(CELLS)).reshape(DOMAIN.cards)
    for column in range(4):
        logits = forest.conditional_logits(CELLS, column)
        with np.errstate(invalid="ignore"):
            mine = np.exp(logits - logsumexp(logits, 1, keepdims=True))
        marginal = joint.sum(column, keepdims=True)
        given = np.moveaxis(joint / np.where(marginal > 0, marginal, 1), column, -1)
        wanted = given[tuple(CELLS[:, other] for other in range(4) if other != column)]
        possible = wanted.sum(1) > 0
        assert possible.mean() > 0.5
        assert mine[possible] == pytest.approx(wanted[possible], abs=1e-12)


def test_samples_have_the_density(forest):
    assert chi_square_p(forest.sample(40_000, 1), DOMAIN, np.exp(forest.log_density(CELLS))) > 1e-3


def test_threads_change_nothing(rows):
    one, two = (fit_forest(rows, DOMAIN, ForestConfig(n_trees=6), seed=3, n_threads=n) for n in (1, 2))
    assert (one.log_density(rows) == two.log_density(rows)).all()
    assert (one.conditional_logits(rows, 0) == two.conditional_logits(rows, 0, n_threads=2)).all()


def test_weights_count(rows):
    config = ForestConfig(n_trees=1, bagging_fraction=None)
    weights = np.random.default_rng(0).integers(0, 3, len(rows))
    weighted = fit_forest(rows, DOMAIN, config, weights=weights.astype(float), seed=0)
    repeated = fit_forest(np.repeat(rows, weights, 0), DOMAIN, config, seed=0)
    assert weighted.log_density(CELLS) == pytest.approx(repeated.log_density(CELLS), abs=1e-9)


def test_arrays_bring_the_forest_back(forest):
    again = ForestModel.from_arrays(forest.to_arrays())
    assert (again.log_density(CELLS) == forest.log_density(CELLS)).all()
    assert (again.sample(100, 1) == forest.sample(100, 1)).all()


def test_a_constant_table_is_one_leaf():
    domain = Domain((1, 1), (False, True))
    forest = fit_forest(np.zeros((5, 2), np.uint8), domain, ForestConfig(n_trees=2), seed=0)
    assert forest.log_density(np.zeros((1, 2), np.uint8)) == 0
    assert (forest.sample(3, 0) == 0).all()


@pytest.mark.parametrize(
    ("setting", "value"), [("n_trees", 0), ("criterion", "gini"), ("bagging_fraction", 0.0), ("max_features", 2.0)]
)
def test_senseless_settings(setting, value):
    with pytest.raises(ValueError, match=f"^{setting}="):
        ForestConfig(**{setting: value})
