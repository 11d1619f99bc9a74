"""Rows drawn beside arfpy: it gets the same table, and what it draws is judged as rows of that table."""

import json

import pandas as pd
import pytest

from paperworks.lab import Lab
from paperworks.nrgboost import arf_bench, datasets, sizes


@pytest.fixture
def asked(monkeypatch):
    """A stand-in for arfpy, which needs a network to be installed: it draws the table's own rows, numbers a bit off."""
    seen = []

    def run(command, env, **_):
        table, settings = pd.read_csv(command[2]), json.loads(command[4])
        seen.append((table, settings, env))
        drawn = table.sample(settings["count"], replace=True, random_state=settings["seed"])
        numbers = [name for name in drawn if name not in settings["categories"]]
        drawn.assign(**{name: drawn[name] + 1e-7 for name in numbers}).to_csv(command[3], index=False)
        return type("Done", (), {"returncode": 0, "stdout": "2.5\n"})

    monkeypatch.setattr("subprocess.run", run)
    return seen


def test_a_row_a_table_says_what_the_draws_are_good_for(asked, monkeypatch, tmp_path):
    monkeypatch.setattr(Lab, "venv", lambda self, *requirements: tmp_path)
    monkeypatch.setattr(arf_bench, "_TABLES", ("wine", "diabetes"))
    monkeypatch.setattr(arf_bench, "_SIZES", sizes.PRESETS["smoke"].models)
    monkeypatch.setattr(arf_bench, "timed", lambda call: (call(), 5.0))
    rows = list(arf_bench.beside_arf(Lab("nrgboost", threads=1, home=tmp_path, cache=tmp_path)))
    assert [row.case.partition(":")[0] for row in rows] == [
        "fit wine and draw 120 rows",
        "fit diabetes and draw 300 rows",
    ]
    assert all(row.peer == "arfpy 0.1.1" and row.peer_s == 2.5 and row.target is None for row in rows)
    assert all((row.ours_s, row.ratio) == (5.0, pytest.approx(2.0)) for row in rows)
    assert [settings["seed"] for _, settings, _ in asked] == [0, 1, 2, 0, 1, 2]
    assert [settings["categories"] for _, settings, _ in asked] == [["target"]] * 3 + [[]] * 3


def test_arfpy_gets_the_training_rows_and_its_own_draws_are_judged(asked, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "ours")
    split = datasets.split(datasets.load("wine", 0), 0)
    found = arf_bench._arf("python", split, 0, 1)
    table, _, env = asked[0]
    pd.testing.assert_frame_equal(table.astype(float), split.train.astype(float))
    assert "PYTHONPATH" not in env
    assert found.seconds == 2.5
    assert found.learner > 0.8
    assert found.discriminator < 0.75


def test_draws_become_rows_like_the_real_ones():
    real = pd.DataFrame({"cents": [1.25, 2.5], "real": [1 / 3, 2 / 7], "n": [3, 4], "kind": pd.Categorical([1, 2])})
    drawn = pd.DataFrame({"cents": [1.23456], "real": [0.123456789], "n": [3.4], "kind": ["2"]})
    rows = arf_bench._like(drawn, real)
    assert rows.iloc[0].tolist() == [1.23, 0.123456789, 3, 2]
    assert (rows.dtypes == real.dtypes).all()


def test_a_failure_of_arfpy_says_what_it_said(monkeypatch):
    failed = type("Done", (), {"returncode": 1, "stderr": "Traceback\nValueError: no leaf\n"})
    monkeypatch.setattr("subprocess.run", lambda *_, **__: failed)
    split = datasets.split(datasets.load("wine", 0), 0)
    with pytest.raises(RuntimeError, match="arfpy failed: ValueError: no leaf"):
        arf_bench._arf("python", split, 0, 1)
