"""The trial's commands and the report they write."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from paperworks.lab import cli
from paperworks.tutor_copilot import rct
from paperworks.tutor_copilot.rct import analysis, report_page
from paperworks.tutor_copilot.trial_commands import app


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> int:
        return cli.run(app, arguments, name="trial", tracebacks=tmp_path / "tracebacks")

    return run


@pytest.fixture(scope="module")
def sessions() -> pd.DataFrame:
    setting = rct.Setting(
        n_tutors=120, treated=60, n_students=250, n_sessions=700, n_strata=8, effect=(0.09, 0.02, 0.01)
    )
    return rct.simulate_trial(setting, seed=11)


def test_power_prints_what_the_library_says(trial, capsys: pytest.CaptureFixture[str]) -> None:
    assert trial("power", "--tutors", "782", "--sessions-per-tutor", "5.29", "--effect", "0.04", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["power"] == pytest.approx(rct.power(782, 5.29, 0.03, 0.62, 0.04).power)
    assert printed["tutors_needed"] == rct.tutors_needed(5.29, 0.03, 0.62, 0.04)


def test_a_simulated_trial_is_analysed_and_its_report_opens(trial, tmp_path: Path, capsys) -> None:
    assert trial("simulate", "--out", "sessions.csv", "--by-rating", "0.09,0.02,0.01", "--seed", "3") == 0
    assert trial("analyse", "sessions.csv", "--out", "report.html", "--reps", "199", "--json") == 0
    effects = json.loads(capsys.readouterr().out.partition("\n")[2])
    sessions = pd.read_csv(tmp_path / "sessions.csv")
    alone = rct.itt(sessions, "exit_ticket_passed_u", covariates=rct.COVARIATES, fixed_effects=rct.FIXED_EFFECTS)
    assert effects[0]["value"] == pytest.approx(alone.value)
    assert effects[0]["p"] == pytest.approx(alone.p)
    html = (tmp_path / "report.html").read_text()
    assert f"{alone.value:+.3f}" in html
    assert html.count("<svg") == 2
    assert "rating, lowest third" in html


def test_many_trials_print_a_row_for_each_estimator(trial, capsys: pytest.CaptureFixture[str]) -> None:
    assert trial("simulate", "--reps", "2", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["estimator"] for row in rows][3] == "effect of use (2SLS)"
    assert rows[0]["truth"] == 0.04


def test_an_assignment_is_made_once(trial, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pd.DataFrame({"tutor_id": [f"t{place}" for place in range(20)], "site": [0, 1] * 10}).to_csv(
        "roster.csv", index=False
    )
    assert trial("assign", "roster.csv", "--out", "arms.csv", "--strata", "site", "--seed", "9") == 0
    arms = pd.read_csv(tmp_path / "arms.csv")
    assert arms.groupby("site")["arm"].sum().tolist() == [5, 5]
    assert arms["seed"].unique().tolist() == [9]
    assert arms["roster_sha256"][0] in capsys.readouterr().out
    before = (tmp_path / "arms.csv").read_bytes()
    assert trial("assign", "roster.csv", "--out", "arms.csv", "--seed", "10") == 2
    assert capsys.readouterr().err.splitlines() == ["error: arms.csv is there already; an assignment is made once"]
    assert (tmp_path / "arms.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("simulate",), "simulate wants either --out FILE for one trial's sessions or --reps N for many trials"),
        (("simulate", "--reps", "1"), "--reps is 1; a spread needs at least 2 trials"),
        (("simulate", "--reps", "2", "--by-rating", "0.1"), "--by-rating '0.1' is not three numbers with commas"),
        (("analyse", "none.csv", "--out", "x.html"), "there is no file none.csv"),
        (("analyse", "none.csv", "--out", "x.txt"), "'x.txt' is no name of a page; end it in .html"),
        (("power", "--tutors", "50", "--sessions-per-tutor", "5", "--effect", "0.9"), "p0 + effect is 1.52"),
    ],
)
def test_bad_input_is_one_sentence(trial, capsys, arguments, sentence) -> None:
    assert trial(*arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line


def test_a_file_that_is_no_table_is_named(trial, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty.csv").touch()
    assert trial("analyse", "empty.csv", "--out", "x.html") == 2
    assert "empty.csv is no CSV table" in capsys.readouterr().err
    assert not Path("x.html").exists()


def test_names_of_columns_are_escaped_in_the_report(sessions: pd.DataFrame) -> None:
    name = "<script>alert(1)</script>"
    html = rct.report(
        sessions.rename(columns={"session_rating": name}), outcomes=["exit_ticket_passed_u", name], reps=99
    )
    assert name not in html
    assert "&lt;script&gt;" in html


def test_few_tutors_and_unequal_missing_are_said_in_the_report(sessions: pd.DataFrame) -> None:
    few = sessions[sessions["tutor_id"].isin(sessions["tutor_id"].unique()[:30])]
    html = rct.report(few, fixed_effects=[], covariates=["sped"], moderators=[], reps=99)
    assert "30 clusters of &#39;tutor_id&#39; are few" in html
    assert "share missing, treatment less control" in html


def test_the_analysis_leaves_out_what_the_table_does_not_have(sessions: pd.DataFrame) -> None:
    found = analysis.analyse(sessions[["tutor_id", "arm", "session_rating"]], reps=99)
    assert [each.itt.outcome for each in found.effects] == ["session_rating"]
    assert (found.odds, found.thirds, found.effects[0].tot, found.students) == (None, None, None, 0)
    assert "<h1>Ratings</h1>" in report_page.page_of(found, title="Ratings")
    with pytest.raises(ValueError, match="none of the outcomes"):
        analysis.analyse(sessions[["tutor_id", "arm"]])
