"""The trial's estimators against hand computation, statsmodels, and each other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from paperworks.tutor_copilot import rct
from paperworks.tutor_copilot.rct.covariates import columns_of

pytestmark = pytest.mark.filterwarnings("ignore:.*are few.*:UserWarning")

ADJUSTED = {"covariates": rct.COVARIATES, "fixed_effects": rct.FIXED_EFFECTS}
PASSED = "exit_ticket_passed_u"


@pytest.fixture(scope="module")
def sessions() -> pd.DataFrame:
    return rct.simulate_trial(rct.Setting(n_tutors=120, treated=60, n_students=250, n_sessions=600, n_strata=8), seed=4)


@pytest.fixture
def by_hand() -> pd.DataFrame:
    """Ten tutors with two sessions each; five are treated."""
    outcomes = [[1, 1], [1, 0], [1, 1], [0, 1], [1, 1], [0, 0], [1, 0], [0, 1], [0, 0], [1, 0]]
    rows = [
        {"tutor_id": tutor, "arm": int(tutor < 5), "y": y, "used": int(tutor < 5 and place == 0)}
        for tutor, pair in enumerate(outcomes)
        for place, y in enumerate(pair)
    ]
    return pd.DataFrame(rows)


def test_without_covariates_it_is_the_difference_of_means_with_cr1_by_hand(by_hand: pd.DataFrame) -> None:
    estimate = rct.itt(by_hand, "y")
    treated, control = 0.8, 0.3
    # Residual sums by tutor: treated 2 - 1.6, 1 - 1.6, ...; control 0 - 0.6, 1 - 0.6, ...
    squares_treated = 3 * 0.4**2 + 2 * 0.6**2
    squares_control = 2 * 0.6**2 + 3 * 0.4**2
    meat = 0.25 * (squares_treated + squares_control)  # the demeaned arm is +-1/2
    variance = 10 / 9 * 19 / 18 * meat / 5**2
    assert estimate.value == pytest.approx(treated - control)
    assert estimate.se == pytest.approx(np.sqrt(variance), rel=1e-12)
    assert estimate.control == pytest.approx(control)
    assert (estimate.n, estimate.clusters, estimate.df) == (20, 10, 9)
    assert estimate.low == pytest.approx(0.5 - 2.262157 * np.sqrt(variance), rel=1e-6)


def test_two_stage_least_squares_with_one_instrument_is_walds_ratio(by_hand: pd.DataFrame) -> None:
    by_hand["arm_use"] = by_hand["used"]
    assert rct.tot(by_hand, "y", "used").value == pytest.approx((0.8 - 0.3) / 0.5)


@pytest.mark.parametrize("cluster", ["tutor", "pair", "session_id"])
def test_value_and_error_equal_those_of_statsmodels_with_dummies(sessions: pd.DataFrame, cluster: str) -> None:
    estimate = rct.itt(sessions, PASSED, cluster=cluster, **ADJUSTED)
    design = np.hstack(
        [sessions[["arm"]], columns_of(sessions, rct.COVARIATES), np.eye(8)[sessions["stratum"].to_numpy()]]
    )
    groups = pd.factorize(sessions[{"tutor": "tutor_id", "pair": "student_tutor"}.get(cluster, cluster)])[0]
    fit = sm.OLS(sessions[PASSED].to_numpy(float), design).fit(cov_type="cluster", cov_kwds={"groups": groups})
    assert estimate.value == pytest.approx(fit.params[0], rel=1e-9)
    assert estimate.se == pytest.approx(fit.bse[0], rel=1e-9)


def test_errors_by_session_are_those_of_hc1(sessions: pd.DataFrame) -> None:
    fit = sm.OLS(sessions[PASSED], sm.add_constant(sessions["arm"])).fit(cov_type="HC1")
    assert rct.itt(sessions, PASSED, cluster="session_id").se == pytest.approx(fit.bse["arm"], rel=1e-9)


def test_a_covariate_that_repeats_another_changes_nothing(sessions: pd.DataFrame) -> None:
    twice = sessions.assign(again=sessions["female"], scaled=3 * sessions["map_winter"] + 1)
    plain = rct.itt(twice, PASSED, **ADJUSTED)
    repeated = rct.itt(twice, PASSED, covariates=[*rct.COVARIATES, "again"], fixed_effects=rct.FIXED_EFFECTS)
    assert repeated == plain or (repeated.value, repeated.se) == pytest.approx((plain.value, plain.se), rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.floats(-5, 5), st.floats(0.1, 20))
def test_effects_follow_shifts_and_scales_of_the_outcome(seed: int, shift: float, scale: float) -> None:
    frame = rct.simulate_trial(
        rct.Setting(n_tutors=40, treated=20, n_students=60, n_sessions=120, n_strata=4), seed=seed
    )
    frame["moved"] = shift + scale * frame[PASSED]
    plain, moved = (
        rct.itt(frame, name, covariates=["map_winter"], fixed_effects=["stratum"]) for name in (PASSED, "moved")
    )
    assert (moved.value, moved.se) == pytest.approx((scale * plain.value, scale * plain.se), rel=1e-8, abs=1e-10)


def test_the_odds_ratio_is_that_of_the_table_without_covariates(by_hand: pd.DataFrame) -> None:
    found = rct.logit(by_hand, "y")
    assert found.value == pytest.approx((8 / 2) / (3 / 7), rel=1e-6)
    assert found.log_odds.control == pytest.approx(0.3, rel=1e-6)


def test_groups_whose_outcome_never_varies_are_left_out_of_the_odds_and_counted(sessions: pd.DataFrame) -> None:
    frame = sessions.copy()
    frame.loc[frame["stratum"] == 3, PASSED] = 1
    found = rct.logit(frame, PASSED, fixed_effects=["stratum"])
    assert found.dropped == int((frame["stratum"] == 3).sum())
    assert found.log_odds.n == len(frame) - found.dropped


def test_missing_levels_are_a_category_and_missing_numbers_a_prediction() -> None:
    rows = pd.DataFrame(
        {
            "race": ["a", None, "b", "a", "b", "a", "a", "b", "b", "a"],
            "lep": [0, 1, 0, 1, 0, 1, 0, 1, 0, 1],
            "score": [1.5, 2.5, 11.5, 3.5, np.nan, 5.5, 6.5, 12.5, 13.5, np.nan],
        }
    )
    columns = columns_of(rows, ["race", "lep", "score"])
    assert columns.shape == (10, 4)  # b, missing; 1; the score
    assert columns[1, 0:2].tolist() == [0, 1]
    there = rows["score"].notna()
    design = np.hstack([np.ones((10, 1)), columns[:, :3]])
    coefficients, *_ = np.linalg.lstsq(design[there], rows["score"][there], rcond=None)
    assert columns[4, 3] == pytest.approx(design[4] @ coefficients)
    assert columns[0, 3] == 1.5


def test_thirds_of_one_moderator_are_three_regressions_where_nothing_else_is_adjusted(sessions: pd.DataFrame) -> None:
    found = rct.heterogeneity(sessions, PASSED, by="tutor_experience_months")["tutor_experience_months"]
    months = sessions.drop_duplicates("tutor_id")["tutor_experience_months"]
    low, high = np.quantile(months, [1 / 3, 2 / 3])
    assert found.edges == pytest.approx((low, high))
    parts = [sessions["tutor_experience_months"] <= low, None, sessions["tutor_experience_months"] > high]
    parts[1] = ~parts[0] & ~parts[2]
    for effect, inside in zip(found.effects, parts, strict=True):
        alone = rct.itt(sessions[inside], PASSED)
        assert (effect.value, effect.n, effect.clusters) == (pytest.approx(alone.value), alone.n, alone.clusters)
        assert effect.se == pytest.approx(alone.se, rel=0.03)  # but for the factors for few clusters
        assert effect.control == pytest.approx(alone.control)
    assert 0 < found.p_equal < 1


def test_effects_by_two_moderators_average_to_the_same_whole(sessions: pd.DataFrame) -> None:
    found = rct.heterogeneity(
        sessions, PASSED, by=["tutor_rating_prior", "tutor_experience_months"], impute_from=["tutor_female"]
    )
    wholes = [
        sum(effect.value * effect.n for effect in found[name].effects) / len(sessions)
        for name in ("tutor_rating_prior", "tutor_experience_months")
    ]
    assert wholes[0] == pytest.approx(wholes[1])


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        (lambda frame: frame.assign(arm=1), ValueError, "every row of 'arm' is 1: the other arm is empty"),
        (lambda frame: frame.assign(arm=2 * frame["arm"]), ValueError, "an arm is 0 or 1"),
        (
            lambda frame: frame.assign(arm=np.arange(20) % 2),
            ValueError,
            "varies within 10 of the units 'tutor_id': 0, 1",
        ),
        (lambda frame: frame.assign(y=[np.nan, *frame["y"][1:]]), ValueError, "'y' is missing in 1 of 20 rows"),
        (lambda frame: frame[frame["tutor_id"] > 0], ValueError, "9 clusters of 'tutor_id' are too few"),
        (lambda frame: frame.assign(y="x"), ValueError, "'y' must hold numbers"),
        (lambda frame: frame.drop(columns="y"), KeyError, "the table has no column 'y'; it has tutor_id"),
    ],
)
def test_what_cannot_be_estimated_is_refused_in_one_sentence(by_hand, change, error, sentence) -> None:
    with pytest.raises(error, match=sentence):
        rct.itt(change(by_hand), "y")


def test_few_clusters_are_warned_of_and_missing_outcomes_can_be_left_out(by_hand: pd.DataFrame) -> None:
    more = pd.concat([by_hand, by_hand.assign(tutor_id=by_hand["tutor_id"] + 10, y=np.nan)])
    with pytest.warns(UserWarning, match="10 clusters of 'tutor_id' are few"):
        estimate = rct.itt(more, "y", missing="drop")
    assert estimate.n == 20


def test_an_instrument_that_changes_nothing_and_an_arm_that_follows_from_others_are_refused(by_hand) -> None:
    with pytest.raises(ValueError, match=r"'arm' hardly changes 'used' \(first-stage F 0.0, below 10\)"):
        rct.tot(by_hand.assign(used=[0, 1] * 10), "y", "used")
    with pytest.raises(ValueError, match="'arm' follows from covariates and fixed effects"):
        rct.itt(by_hand.assign(same=by_hand["arm"]), "y", fixed_effects=["same"])
    with pytest.raises(ValueError, match="'y' must be 0 or 1 for odds"):
        rct.logit(by_hand.assign(y=by_hand["y"] + 0.5), "y")
    with pytest.raises(ValueError, match="'tutor_female' has too few distinct values for 3 parts"):
        rct.heterogeneity(by_hand.assign(tutor_female=by_hand["tutor_id"] % 2), "y", by="tutor_female")
    rating = np.where(by_hand["tutor_id"] == 3, np.nan, by_hand["tutor_id"])
    with pytest.raises(ValueError, match="'rating' is missing for 1 units; give impute_from="):
        rct.heterogeneity(by_hand.assign(rating=rating), "y", by="rating")
