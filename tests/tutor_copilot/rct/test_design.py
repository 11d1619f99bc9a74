"""Assignment, power, simulated trials, and log-odds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperworks.tutor_copilot import rct
from paperworks.tutor_copilot.rct.operating import null_of, operating_characteristics

PAPER = {"n_tutors": 782, "sessions_per_tutor": 4136 / 782, "icc": 0.03, "p0": 0.62}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(0, 2**31), st.sampled_from([0.5, 0.25, 386 / 782])
)
def test_arms_are_within_one_of_their_share_in_every_stratum_and_in_all(sites, seed, share) -> None:
    roster = pd.DataFrame({"tutor_id": np.arange(len(sites)), "site": sites})
    table = rct.assign(roster, strata=["site"], seed=seed, share=share).table
    assert list(table["tutor_id"]) == list(roster["tutor_id"])
    assert abs(table["arm"].sum() - share * len(table)) <= 0.5 + 1e-9
    for _, stratum in table.groupby("site"):
        assert abs(stratum["arm"].sum() - share * len(stratum)) < 2


def test_the_same_seed_gives_the_same_arms_and_another_roster_another_digest() -> None:
    roster = pd.DataFrame(
        {"tutor_id": [f"t{place}" for place in range(31)], "site": [place % 4 for place in range(31)]}
    )
    first, again = (rct.assign(roster, strata=["site"], seed=7) for _ in range(2))
    pd.testing.assert_frame_equal(first.table, again.table)
    assert not first.table["arm"].equals(rct.assign(roster, strata=["site"], seed=8).table["arm"])
    assert first.digest == again.digest != rct.assign(roster[::-1], strata=["site"], seed=7).digest


def test_each_tutor_is_as_likely_as_any_other_to_be_treated() -> None:
    roster = pd.DataFrame({"tutor_id": np.arange(9), "site": [0, 0, 0, 0, 1, 1, 1, 2, 2]})
    arms = np.stack([rct.assign(roster, strata=["site"], seed=seed).table["arm"] for seed in range(2000)])
    # 9 tutors: 4 are treated as often as 5, by the rounding of 4.5 to even; each tutor's share lies near 4/9
    assert arms.sum(axis=1).tolist() == [4] * 2000
    assert np.abs(arms[:, :4].mean(axis=0) - 0.5).max() < 0.045
    assert np.abs(arms[:, 7:].mean(axis=0) - 0.5).max() < 0.045
    assert np.ptp(arms[:, 4:7].mean(axis=0)) < 0.06


@pytest.mark.parametrize(
    ("roster", "sentence"),
    [
        ({"tutor_id": [], "site": []}, "the roster is empty"),
        ({"tutor_id": ["a", "a"], "site": [1, 1]}, "lists 'a' twice"),
        ({"tutor_id": ["a", None], "site": [1, 1]}, "1 rows of the roster have no 'tutor_id'"),
    ],
)
def test_rosters_that_cannot_be_assigned_are_refused(roster, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        rct.assign(pd.DataFrame(roster), strata=["site"], seed=1)


def test_a_missing_column_and_an_impossible_share_are_refused() -> None:
    roster = pd.DataFrame({"tutor_id": ["a", "b"]})
    with pytest.raises(KeyError, match="no column 'site'; it has tutor_id"):
        rct.assign(roster, strata=["site"], seed=1)
    with pytest.raises(ValueError, match="share=1 must lie between 0 and 1"):
        rct.assign(roster, seed=1, share=1)


def test_the_papers_size_has_two_chances_in_three_to_find_its_effect() -> None:
    found = rct.power(**PAPER, effect=0.04, share=386 / 782, sessions_cv=0.7)
    assert 0.62 < found.power < 0.74
    assert found.se == pytest.approx(0.0162, abs=5e-4)
    assert found.detectable == pytest.approx(0.045, abs=2e-3)


def test_power_is_the_level_without_an_effect_and_grows_with_the_trial() -> None:
    assert rct.power(**PAPER, effect=0.0).power == pytest.approx(0.05, abs=1e-6)
    assert rct.power(**PAPER, effect=-0.04).power == pytest.approx(rct.power(**PAPER, effect=0.04).power, abs=0.02)
    larger = [rct.power(tutors, 5, 0.03, 0.62, 0.04).power for tutors in (100, 400, 1600)]
    assert larger == sorted(larger)
    assert rct.power(782, 5, 0.0, 0.62, 0.04).design_effect == 1
    assert rct.power(782, 1, 0.5, 0.62, 0.04).design_effect == 1


def test_the_fewest_tutors_reach_the_power_and_one_less_does_not() -> None:
    needed = rct.tutors_needed(5.3, 0.03, 0.62, 0.04)
    assert rct.power(needed, 5.3, 0.03, 0.62, 0.04).power >= 0.8 > rct.power(needed - 1, 5.3, 0.03, 0.62, 0.04).power


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"n_tutors": 3}, "4 tutors are the least"),
        ({"p0": 1.0}, "p0 is 1; it must lie between 0 and 1"),
        ({"effect": 0.5}, "p0 \\+ effect is 1.12"),
        ({"icc": 1.0}, "icc is 1; it must be at least 0"),
    ],
)
def test_impossible_plans_are_refused(changed, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        rct.power(**{**PAPER, "effect": 0.04, **changed})


def test_a_simulated_trial_has_the_papers_size_and_its_columns_agree() -> None:
    sessions = rct.simulate_trial(seed=3)
    assert len(sessions) == 4136
    assert sessions["tutor_id"].nunique() == 782
    assert sessions["student_id"].nunique() == 1787
    assert sessions.drop_duplicates("tutor_id")["arm"].sum() == 386
    assert sessions.groupby("tutor_id")["arm"].nunique().max() == 1
    assert sessions.loc[sessions["arm"] == 0, "used"].sum() == 0
    assert ((sessions["n_uses"] > 0) == (sessions["used"] == 1)).all()
    assert sessions["exit_ticket_passed_c"].isna().equals(sessions["exit_ticket_attempted"] == 0)
    passed = sessions["exit_ticket_score"].fillna(0) >= 66.66
    assert passed.astype(int).equals(sessions["exit_ticket_passed_u"])
    assert sessions.equals(rct.simulate_trial(seed=3))


def test_shares_and_correlations_are_those_asked_for() -> None:
    """Averaged over 60 trials, with the Monte-Carlo error that such means have."""
    setting = rct.Setting(effect=(0.09, 0.02, 0.01), tutor_icc=0.1, student_icc=0.0, stratum_icc=0.0)
    control, treated, same_tutor = [], [], []
    for seed in range(60):
        sessions = rct.simulate_trial(setting, seed=seed)
        passed = sessions["exit_ticket_passed_u"]
        control.append(passed[sessions["arm"] == 0].mean())
        treated.append(passed[sessions["arm"] == 1].mean())
        centred = (passed - 0.62)[sessions["arm"] == 0]
        by_tutor = centred.groupby(sessions["tutor_id"]).agg(["sum", "size", lambda part: (part**2).sum()])
        pairs = ((by_tutor["sum"] ** 2 - by_tutor.iloc[:, 2]).sum()) / (by_tutor["size"] * (by_tutor["size"] - 1)).sum()
        same_tutor.append(pairs / (0.62 * 0.38))
    assert np.mean(control) == pytest.approx(0.62, abs=4 * np.std(control) / np.sqrt(60))
    assert np.mean(treated) == pytest.approx(0.66, abs=4 * np.std(treated) / np.sqrt(60))
    assert np.mean(same_tutor) == pytest.approx(0.1, abs=4 * np.std(same_tutor) / np.sqrt(60))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"treated": 782}, "treated=782 must lie between"),
        ({"n_sessions": 700}, "fewer than tutors or students"),
        ({"effect": 0.2}, "takes the share beyond 0 or 1"),
        ({"tutor_icc": 0.95}, "must sum to less than 1"),
    ],
)
def test_impossible_trials_are_refused(changed, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        rct.Setting(**changed)


def test_estimators_recover_the_truth_over_sixty_trials() -> None:
    table = operating_characteristics(rct.Setting(effect=(0.09, 0.02, 0.01)), reps=60, seed=1).set_index("estimator")
    assert (np.abs(table["mean"] - table["truth"]) < 3.5 * table["mc"]).all()
    assert table.loc["effect of use (2SLS)", "truth"] == pytest.approx(0.04 / 0.29)
    assert table["coverage"].min() > 0.85


@pytest.mark.long
@pytest.mark.timeout(600)
def test_over_a_thousand_trials_intervals_by_tutor_hold_the_truth_and_by_pair_do_not_where_tutors_differ() -> None:
    table = operating_characteristics(reps=1000, seed=2).set_index("estimator")
    assert (np.abs(table["mean"] - table["truth"]) < 3.5 * table["mc"]).all()
    assert np.abs(table["coverage"] - 0.95)[["ITT, errors by tutor", "effect of use (2SLS)"]].max() < 0.02
    differing = operating_characteristics(null_of(rct.Setting(tutor_icc=0.1)), reps=1000, seed=3).set_index("estimator")
    assert differing.loc["ITT, errors by tutor", "found"] < 0.07
    assert differing.loc["ITT, errors by pair", "found"] > 0.08  # the paper's choice: twice as many false findings


def test_log_odds_shrink_as_the_correction_says() -> None:
    """With pooled counts as prior: delta to a third, z to 0.58 for equal groups, 0.51 at 1:3 and 0.29 at 1:15."""
    for ratio, shrunk in ((1, 0.58), (3, 0.51), (15, 0.29)):
        first, second = {"a": 10_100, "b": 89_900}, {"a": 10_000 * ratio, "b": 90_000 * ratio}
        pooled = rct.log_odds(first, second).loc["a"]
        bare = rct.log_odds(first, second, prior_total=1e-9).loc["a"]
        assert pooled["z"] / bare["z"] == pytest.approx(shrunk, abs=0.006)
        if ratio == 1:
            assert pooled["delta"] / bare["delta"] == pytest.approx(1 / 3, abs=2e-3)


def test_swapping_groups_flips_the_sign_and_equal_rates_give_zero() -> None:
    first, second = {"ask": 30, "tell": 70, "praise": 5}, {"ask": 20, "tell": 90}
    forward, back = rct.log_odds(first, second), rct.log_odds(second, first)
    np.testing.assert_allclose(forward["z"], -back["z"])
    assert np.abs(rct.log_odds({"a": 10, "b": 30}, {"a": 10, "b": 30})["delta"]).max() < 1e-12


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        ({"a": -1, "b": 2}, {"a": 1}, "cannot be negative"),
        ({"a": 0}, {"a": 1, "b": 1}, "has no labelled turn"),
        ({"a": 3}, {"a": 1}, "at least two labels"),
    ],
)
def test_counts_that_have_no_odds_are_refused(first, second, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        rct.log_odds(first, second)
