"""Adjusted p-values, the score bootstrap, and re-assignment."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest

from paperworks.tutor_copilot import rct

pytestmark = pytest.mark.filterwarnings("ignore:.*are few.*:UserWarning")


def trial(rng: np.random.Generator, *, tutors: int = 60, outcomes: int = 6, effect: float = 0.0) -> pd.DataFrame:
    """Four sessions a tutor, outcomes that correlate by one half, and tutors that differ."""
    tutor = np.repeat(np.arange(tutors), 4)
    arm = rng.permutation(np.arange(tutors) % 2)[tutor]
    shared, of_tutor = rng.standard_normal((len(tutor), 1)), rng.standard_normal((tutors, outcomes))[tutor]
    noise = shared + rng.standard_normal((len(tutor), outcomes)) + 0.7 * of_tutor
    noise[:, 0] += effect * arm
    return pd.DataFrame(noise, columns=[f"y{place}" for place in range(outcomes)]).assign(tutor_id=tutor, arm=arm)


def models(frame: pd.DataFrame) -> list[rct.Regression]:
    return [rct.Regression(frame, name, "arm") for name in frame.columns if name.startswith("y")]


def test_adjusted_p_values_are_never_below_those_alone_and_keep_their_order() -> None:
    found = rct.romano_wolf(models(trial(np.random.default_rng(1), effect=1.5)), reps=499)
    assert all(each.p_romano_wolf >= each.p_bootstrap for each in found)
    by_p = sorted(found, key=lambda each: each.p_bootstrap)
    assert all(a.p_romano_wolf <= b.p_romano_wolf for a, b in pairwise(by_p))
    assert found[0].p_romano_wolf == pytest.approx(1 / 500)  # the real effect stands
    assert min(each.p_romano_wolf for each in found[1:]) > 0.05


def test_one_outcome_needs_no_adjustment() -> None:
    (only,) = rct.romano_wolf(models(trial(np.random.default_rng(2), outcomes=1)), reps=499)
    assert (
        only.p_romano_wolf
        == only.p_bootstrap
        == rct.score_bootstrap(models(trial(np.random.default_rng(2), outcomes=1))[0], 499)
    )


def test_the_last_to_be_compared_gets_its_own_p_value() -> None:
    found = rct.romano_wolf(models(trial(np.random.default_rng(3), outcomes=2, effect=1.5)), reps=999)
    assert found[1].p_romano_wolf == found[1].p_bootstrap


def test_false_findings_among_six_outcomes_stay_at_one_in_twenty() -> None:
    rng = np.random.default_rng(5)
    adjusted, alone = [], []
    for _ in range(300):
        found = rct.romano_wolf(models(trial(rng)), reps=199)
        adjusted.append(min(each.p_romano_wolf for each in found) <= 0.05)
        alone.append(min(each.p_bootstrap for each in found) <= 0.05)
    error = np.sqrt(0.05 * 0.95 / 300)
    assert np.mean(adjusted) <= 0.05 + 2 * error
    assert np.mean(alone) > 0.12  # what it is there to mend


def test_outcomes_may_be_missing_in_different_rows() -> None:
    frame = trial(np.random.default_rng(6), outcomes=2)
    frame.loc[frame["tutor_id"] < 7, "y1"] = np.nan
    pair = [rct.Regression(frame, name, "arm", missing="drop") for name in ("y0", "y1")]
    alone = rct.score_bootstrap(pair[0], 499)
    assert rct.romano_wolf(pair, 499)[0].p_bootstrap == alone


def test_the_bootstrap_agrees_with_t_where_clusters_are_many() -> None:
    frame = trial(np.random.default_rng(7), tutors=400, outcomes=1, effect=0.3)
    model = models(frame)[0]
    assert rct.score_bootstrap(model, 4999) == pytest.approx(rct.itt(frame, "y0").p, abs=0.02)


def test_reassignment_of_few_tutors_is_the_exact_share_of_all_assignments() -> None:
    rng = np.random.default_rng(8)
    frame = trial(rng, tutors=10, outcomes=1, effect=0.8)
    sums = frame.groupby("tutor_id")["y0"].sum().to_numpy()
    arm = frame.drop_duplicates("tutor_id")["arm"].to_numpy()
    centred = sums - sums.mean()
    observed = abs(centred[arm == 1].sum())
    every = [abs(centred[list(chosen)].sum()) for chosen in combinations(range(10), int(arm.sum()))]
    exact = np.mean(np.array(every) >= observed - 1e-12)
    found = rct.randomization(models(frame)[0], reps=9999)
    assert found == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 9999))


def test_reassignment_within_strata_keeps_their_numbers() -> None:
    """Where the arm is the whole of the outcome's variation between strata, only re-assignment within them is fair."""
    rng = np.random.default_rng(9)
    tutor = np.repeat(np.arange(40), 2)
    site = tutor // 20
    arm = ((tutor % 20) < np.where(site == 0, 5, 15)).astype(int)
    frame = pd.DataFrame({"tutor_id": tutor, "site": site, "arm": arm, "y": site + 0.1 * rng.standard_normal(80)})
    inside = rct.randomization(rct.Regression(frame, "y", "arm"), ["site"], reps=999)
    across = rct.randomization(rct.Regression(frame, "y", "arm"), reps=999)
    assert across < 0.01 < 0.05 < inside
    with pytest.raises(ValueError, match="'y' varies within units"):
        rct.randomization(rct.Regression(frame, "y", "arm"), ["y"])


def test_too_few_draws_no_outcomes_and_mixed_clusters_are_refused() -> None:
    frame = trial(np.random.default_rng(1)).assign(pair=np.arange(240))
    with pytest.raises(ValueError, match="reps=50 draws are too few"):
        rct.romano_wolf(models(frame), reps=50)
    with pytest.raises(ValueError, match="at least one regression"):
        rct.romano_wolf([])
    with pytest.raises(ValueError, match="clustered by the same column"):
        rct.romano_wolf([*models(frame)[:1], rct.Regression(frame, "y1", "arm", cluster="pair")])
