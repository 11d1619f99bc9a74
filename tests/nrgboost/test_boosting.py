"""Boosting: the likelihood rises, weights are repetitions, threads change nothing, settings stay the caller's own."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from paperworks.nrgboost import reference
from paperworks.nrgboost.boosting import BoostingConfig, boost
from paperworks.nrgboost.domain import Domain
from paperworks.nrgboost.line_search import log_expectation
from paperworks.nrgboost.model import EnergyModel

from .conftest import dependent_rows

QUICK = BoostingConfig(n_rounds=8, max_leaves=16, n_model_samples=4000, learning_rate=0.2)
DOMAIN = Domain((12, 6, 9, 4), (False, True, False, True))


@pytest.fixture(scope="module")
def rows():
    return dependent_rows(DOMAIN.cards, 600)


def same(one, two):
    return all((a == b).all() for x, y in zip(one.trees, two.trees, strict=True) for a, b in zip(x, y, strict=True))


def mean_log_likelihood(model, rows, n_rounds):
    every = model.energy(reference.cells(model.domain), n_rounds)
    return model.energy(rows, n_rounds).mean() - np.logaddexp.reduce(every)


def test_the_exact_likelihood_rises_as_estimated(rows):
    model, rounds, ended = boost(rows, DOMAIN, replace(QUICK, n_model_samples=20_000), seed=0)
    assert ended == "complete"
    likelihood = np.array([mean_log_likelihood(model, rows, n) for n in range(9)])
    assert (np.diff(likelihood) > 0).all()
    assert np.diff(likelihood) == pytest.approx([r.gain for r in rounds], rel=0.25)
    assert np.diff(likelihood)[0] == pytest.approx(rounds[0].gain, rel=1e-9)  # exact masses
    log_z = [np.logaddexp.reduce(model.energy(reference.cells(DOMAIN), n)) for n in range(9)]
    assert np.cumsum([r.log_z_increment for r in rounds]) == pytest.approx(log_z[1:], abs=0.05)
    assert log_z[0] == pytest.approx(0, abs=1e-12)


def test_what_a_round_tells(rows):
    model, rounds, _ = boost(rows, DOMAIN, QUICK, seed=0)
    assert [r.index for r in rounds] == list(range(8))
    assert [r.n_leaves for r in rounds] == [tree.n_leaves for tree in model.trees] == [16] * 8
    assert np.isnan([r.kept_fraction for r in rounds[:2]]).all()  # no pool, then one drawn from f_0
    assert all(0.5 < r.kept_fraction < 0.9 for r in rounds[2:])
    assert all(0.05 < r.alpha < 10 for r in rounds)
    assert set(rounds[-1].seconds) == {"histograms", "split", "rejection", "gibbs"}
    assert min(rounds[-1].seconds.values()) > 0


def test_threads_change_no_byte(rows):
    one, two = (boost(rows, DOMAIN, QUICK, seed=5, n_threads=n).model for n in (1, 2))
    assert same(one, two)
    assert not same(one, boost(rows, DOMAIN, QUICK, seed=6).model)


@pytest.mark.parametrize("chain_start", ["pool", "data"])
def test_a_weight_is_a_repetition(rows, chain_start):
    weights = np.random.default_rng(0).integers(0, 4, len(rows))
    config = replace(QUICK, n_rounds=5, chain_start=chain_start)
    weighted = boost(rows, DOMAIN, config, weights=weights.astype(float), seed=1).model
    repeated = boost(np.repeat(rows, weights, 0), DOMAIN, config, seed=1).model
    assert same(weighted, repeated)


def test_the_scale_of_weights_does_not_matter(rows):
    weights = np.random.default_rng(0).random(len(rows)) + 0.1
    one, other = (boost(rows, DOMAIN, QUICK, weights=w, seed=1).model for w in (weights, 4 * weights))
    assert one.energy(rows) == pytest.approx(other.energy(rows), abs=1e-9)


def test_permuted_columns_and_a_constant_one(rows):
    """The first tree needs no random number, so that it must be the same tree."""
    config = replace(QUICK, n_rounds=1)
    plain = boost(rows, DOMAIN, config, seed=0).model
    order = [2, 0, 3, 1]
    turned = Domain(tuple(DOMAIN.cards[i] for i in order), tuple(DOMAIN.categorical[i] for i in order))
    permuted = boost(rows[:, order].copy(), turned, config, seed=0).model
    assert permuted.energy(rows[:, order].copy()) == pytest.approx(plain.energy(rows), abs=1e-9)
    wider = Domain((*DOMAIN.cards, 1), (*DOMAIN.categorical, False))
    padded = np.pad(rows, ((0, 0), (0, 1)))
    constant = boost(padded, wider, config, seed=0).model
    assert constant.energy(padded) == pytest.approx(plain.energy(rows), abs=1e-9)
    assert constant.conditional_logits(padded, 0) == pytest.approx(plain.conditional_logits(rows, 0), abs=1e-9)


def test_permuted_columns_give_as_good_a_model(rows):
    """Later rounds differ by their random numbers only."""
    order = [3, 1, 2, 0]
    turned = Domain(tuple(DOMAIN.cards[i] for i in order), tuple(DOMAIN.categorical[i] for i in order))
    config = replace(QUICK, n_model_samples=40_000)
    one, other = (
        mean_log_likelihood(boost(r, d, config, seed=0).model, r, 8)
        for r, d in ((rows, DOMAIN), (rows[:, order].copy(), turned))
    )
    assert one == pytest.approx(other, abs=0.08)  # of a rise of 1.1


def test_a_callback_ends_boosting(rows):
    seen = []

    def third(model, latest):
        seen.append((model.n_rounds, latest.index))
        return len(seen) == 3

    model, rounds, ended = boost(rows, DOMAIN, QUICK, seed=0, on_round=third)
    assert ended == "callback"
    assert seen == [(1, 0), (2, 1), (3, 2)]
    assert model.n_rounds == len(rounds) == 3
    assert same(model, EnergyModel(model.initial, boost(rows, DOMAIN, QUICK, seed=0).model.trees[:3]))


def test_ctrl_c_keeps_the_trees_so_far(rows):
    def interrupt(model, latest):
        if latest.index == 1:
            raise KeyboardInterrupt
        return False

    model, rounds, ended = boost(rows, DOMAIN, QUICK, seed=0, on_round=interrupt)
    assert ended == "interrupted"
    assert model.n_rounds == len(rounds) == 2


def test_no_admissible_split_warns_and_keeps_the_trees():
    domain = Domain((2,), (False,))
    rows = np.array([[0], [1]] * 20, np.uint8)
    config = BoostingConfig(n_rounds=5, min_samples_leaf=30)
    with pytest.warns(ConvergenceWarning, match="boosting ended after 0 rounds: no split is admissible"):
        model, rounds, ended = boost(rows, domain, config, seed=0)
    assert (ended, rounds, model.n_rounds) == ("no split", [], 0)
    constant = Domain((1, 1), (False, True))
    with pytest.warns(ConvergenceWarning, match="after 0 rounds"):
        assert boost(np.zeros((5, 2), np.uint8), constant, config, seed=0).model.energy(np.zeros((1, 2), np.uint8)) == 0


def test_more_rounds_on_a_model(rows):
    first = boost(rows, DOMAIN, QUICK, seed=0).model
    more, rounds, _ = boost(rows, DOMAIN, replace(QUICK, n_rounds=4), seed=1, start=first)
    assert more.n_rounds == 12
    assert same(EnergyModel(more.initial, more.trees[:8]), first)
    assert [r.index for r in rounds] == [8, 9, 10, 11]
    assert mean_log_likelihood(more, rows, 12) > mean_log_likelihood(first, rows, 8)


@pytest.mark.parametrize(
    "changes",
    [
        {"refresh_fraction": 1.0},
        {"chain_start": "data"},
        {"line_search": False},
        {"growth": "depth"},
        {"categorical_split": "one_vs_all"},
        {"max_features": 0.5},
        {"initial_uniform_mixture": 1.0},
        {"n_model_samples": 4003, "n_chains": 7},
        {"max_ratio_in_leaf": 4.0, "min_samples_leaf": 5},
    ],
)
def test_every_setting_fits_the_data(rows, changes):
    config = replace(QUICK, n_rounds=5, **changes)
    model, _, ended = boost(rows, DOMAIN, config, seed=0)
    assert ended == "complete"
    assert mean_log_likelihood(model, rows, 5) > mean_log_likelihood(model, rows, 0) + 0.1
    most = max(tree.value.max() for tree in model.trees)
    assert most <= config.learning_rate * 10 * (config.max_ratio_in_leaf - 1)


def test_the_pool_has_its_full_size_every_round(rows, monkeypatch):
    """The official pool lacks up to 15 rows, while its histograms are scaled as if it did not (2.9, point 6)."""
    from paperworks.nrgboost import growth

    sizes, grow = [], growth.Grower.grow

    def spy(self, pool, key):
        grown = grow(self, pool, key)
        sizes.append(0 if pool is None else len(pool))
        assert grown.q.sum() == pytest.approx(len(rows), rel=1e-12)
        return grown

    monkeypatch.setattr(growth.Grower, "grow", spy)
    boost(rows, DOMAIN, replace(QUICK, n_model_samples=4003, n_chains=16), seed=0)
    assert sizes == [0] + [4003] * 7


def test_the_settings_stay_the_callers_own(rows):
    """The official fit empties the caller's parameters, so that a second fit silently uses the defaults (2.9, 1)."""
    config = replace(QUICK, max_ratio_in_leaf=1.3)
    before = repr(config)
    first, second = (boost(rows, DOMAIN, config, seed=0).model for _ in range(2))
    assert repr(config) == before
    assert same(first, second)
    with pytest.raises(AttributeError):
        config.max_ratio_in_leaf = 2


def test_rows_and_weights_stay_the_callers_own(rows):
    mine, weights = rows.copy(), np.ones(len(rows))
    boost(mine, DOMAIN, QUICK, weights=weights, seed=0)
    assert (mine == rows).all()
    assert (weights == 1).all()


def test_nothing_is_printed(rows, capfd):
    """The official training always draws a progress bar (2.9, point 7)."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        boost(rows, DOMAIN, QUICK, seed=0)
    assert capfd.readouterr() == ("", "")


def test_the_first_model_is_uniform_where_that_is_asked_for(rows):
    model = boost(rows, DOMAIN, replace(QUICK, n_rounds=0, initial_uniform_mixture=1.0), seed=0).model
    assert model.energy(rows) == pytest.approx(-np.log(DOMAIN.cards).sum() * np.ones(len(rows)))
    assert log_expectation(np.ones(1), np.zeros(1)) == 0


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("refresh_fraction", 0.0),
        ("refresh_fraction", 1.5),
        ("max_ratio_in_leaf", 1.0),
        ("max_leaves", 1),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("n_model_samples", 0),
        ("n_chains", 0),
        ("initial_uniform_mixture", -0.1),
        ("max_features", 0.0),
        ("growth", "random"),
        ("chain_start", "elsewhere"),
        ("categorical_split", "some"),
    ],
)
def test_senseless_settings(setting, value):
    with pytest.raises(ValueError, match=f"^{setting}="):
        BoostingConfig(**{setting: value})


def test_senseless_tables(rows):
    with pytest.raises(ValueError, match="no rows to fit"):
        boost(rows[:0], DOMAIN, QUICK, seed=0)
    for weights, words in (
        (-np.ones(len(rows)), "not negative"),
        (np.full(len(rows), np.nan), "finite"),
        (np.zeros(len(rows)), "all weights are 0"),
        (np.ones(3), "need as many weights"),
    ):
        with pytest.raises(ValueError, match=words):
            boost(rows, DOMAIN, QUICK, weights=weights, seed=0)
    narrow = boost(rows[:, :2].copy(), Domain((12, 6), (False, True)), replace(QUICK, n_rounds=1), seed=0).model
    with pytest.raises(ValueError, match="another domain"):
        boost(rows, DOMAIN, QUICK, seed=0, start=narrow)
