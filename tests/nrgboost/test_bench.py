"""The bench: what is compared is the same, and its rows say what was asked of them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from paperworks.lab import Lab
from paperworks.nrgboost import bench as benchmark


@pytest.fixture
def tasks(monkeypatch):
    """A stand-in for the official package, which needs a network to be installed; keeps what it was asked."""
    asked = []

    def run(python, table, seed, threads):
        asked.append((seed, threads, table))
        return benchmark._Run(compile_s=8.0, fit_s=90.0 + seed, sample_s=30.0, predict_s=4.0, nats=5.0, sample_mb=1.0)

    monkeypatch.setattr(benchmark, "_official", run)
    monkeypatch.setattr(benchmark, "_first_fit_seconds", lambda: 2.0)
    monkeypatch.setattr(
        benchmark, "_CONFIG", replace(benchmark._CONFIG, n_rounds=4, n_model_samples=500, max_leaves=16)
    )
    monkeypatch.setattr(benchmark, "beside_arf", lambda lab: [])
    monkeypatch.setattr(benchmark, "_ROWS", 400)
    monkeypatch.setattr(benchmark, "_TEST_ROWS", 100)
    monkeypatch.setattr(Lab, "venv", lambda self, *requirements: self)
    monkeypatch.setattr(Lab, "__truediv__", lambda self, part: self, raising=False)
    return asked


def test_rows_name_their_case_peer_limit_and_target(tasks, tmp_path):
    rows = list(benchmark.bench(Lab("nrgboost", threads=2, home=tmp_path, cache=tmp_path)))
    assert [(seed, threads) for seed, threads, _ in tasks] == [(0, 2), (1, 2), (2, 2)]
    words = ["fit, 4 trees, 16 leaves, pool 500", "sample 200 rows, 100 steps", "conditional of 100 rows", "compile"]
    assert [row.case.startswith(word) for row, word in zip(rows, words, strict=False)] == [True] * 4
    assert "theirs 5.000" in rows[0].case
    assert {row.peer for row in rows[:4]} == {"nrgboost 0.0.3"}
    assert [row.target for row in rows] == [0.2, 0.2] + [None] * 6
    assert [row.limit_s is not None for row in rows] == [False, True] + [False] * 6
    assert 0 < rows[1].limit_s < rows[1].ours_s
    assert rows[3].ratio == pytest.approx(0.25)
    assert [row.case for row in rows[4:]] == [f"of all fits: {phase}" for phase in benchmark._PHASES]
    assert 0.3 < sum(row.ratio for row in rows[4:]) < 1


def test_the_official_package_gets_the_same_table_and_settings(monkeypatch):
    seen = {}

    def run(command, env, **_):
        with np.load(command[2]) as task:
            seen.update(task)
        settings = json.loads(str(seen["settings"]))
        assert env["OMP_NUM_THREADS"] == env["NUMBA_NUM_THREADS"] == str(settings["n_threads"])
        times = dict.fromkeys(("compile_s", "fit_s", "sample_s", "predict_s", "sample_kilobytes"), 2000.0)
        np.savez(command[3], log_probabilities=np.zeros((len(seen["test_rows"]), 255)), **times)
        return type("Done", (), {"returncode": 0})

    monkeypatch.setattr("subprocess.run", run)
    monkeypatch.setattr(benchmark, "_ROWS", 400)
    monkeypatch.setattr(benchmark, "_TEST_ROWS", 100)
    table = benchmark._friedman_table()
    found = benchmark._official("python", table, 7, 2)
    assert found.nats == pytest.approx(np.log(255))
    assert found.sample_mb == 2
    assert (seen["rows"] == table.rows).all()
    settings = json.loads(str(seen["settings"]))
    assert settings["seed"] == 7
    for name in ("n_rounds", "learning_rate", "max_leaves", "refresh_fraction", "n_chains", "burn_in"):
        assert settings[name] == getattr(benchmark._CONFIG, name)


def test_a_failure_of_the_official_package_says_what_it_said(monkeypatch):
    failed = type("Done", (), {"returncode": 1, "stderr": "Traceback\nMemoryError: too large\n"})
    monkeypatch.setattr("subprocess.run", lambda *_, **__: failed)
    monkeypatch.setattr(benchmark, "_ROWS", 400)
    monkeypatch.setattr(benchmark, "_TEST_ROWS", 100)
    with pytest.raises(RuntimeError, match="the official package failed: MemoryError: too large"):
        benchmark._official("python", benchmark._friedman_table(), 0, 1)


def test_bins_hold_equal_shares_of_the_training_rows():
    table = benchmark._friedman_table()
    counts = np.bincount(table.rows[:, 0], minlength=255)
    assert counts.min() > 0.8 * len(table.rows) / 255
    assert counts.max() < 1.2 * len(table.rows) / 255
    assert table.test_rows.shape == (5000, 9)
