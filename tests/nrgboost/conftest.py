"""Small tables, domains and models that the tests of nrgboost share."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from paperworks.nrgboost.boosting import BoostingConfig, boost
from paperworks.nrgboost.domain import Domain


def dependent_rows(cards, count, seed=0):
    """Rows whose columns depend on one another: each is a noisy function of a shared number."""
    rng = np.random.default_rng(seed)
    shared = rng.random((count, 1))
    scatter = rng.normal(0, 0.15, (count, len(cards)))
    turned = np.where(np.arange(len(cards)) % 2, 1 - shared, shared) + scatter
    return np.clip(turned * cards, 0, np.array(cards) - 1).astype(np.uint8)


def counts_of(rows, domain):
    return np.bincount(np.ravel_multi_index(rows.T.astype(int), domain.cards), minlength=int(np.prod(domain.cards)))


def chi_square_p(rows, domain, probabilities):
    """Of the frequencies in ``rows``; cells with little expected are taken together."""
    expected, found = probabilities * len(rows), counts_of(rows, domain)
    assert (found[expected == 0] == 0).all()
    expected, found = expected[expected > 0], found[expected > 0]
    small = expected < 10
    if small.any():
        expected = np.append(expected[~small], expected[small].sum())
        found = np.append(found[~small], found[small].sum())
    return stats.chisquare(found, expected * found.sum() / expected.sum()).pvalue


@pytest.fixture(scope="session")
def small_domain():
    """60 cells, ordered and categorical columns."""
    return Domain((5, 4, 3), (False, True, False))


@pytest.fixture(scope="session")
def small_rows(small_domain):
    """400 rows of it."""
    return dependent_rows(small_domain.cards, 400)


@pytest.fixture(scope="session")
def small_model(small_domain, small_rows):
    """A model of them, whose probabilities can be enumerated."""
    config = BoostingConfig(n_rounds=12, max_leaves=8, n_model_samples=4000)
    return boost(small_rows, small_domain, config, seed=3).model
