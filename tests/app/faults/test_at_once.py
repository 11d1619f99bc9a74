"""Several processes at a time: runs of one paper, runs of two, readers and writers of the same files."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paperworks.app.report.addresses import EXPORT
from paperworks.app.store import Store

WAITS = """
yield found("C1")
if "PATIENT" in os.environ:
    (HERE / "reached").open("w").close()
    (HERE / "go").read_text()
yield found("C2", 2.0)
"""
FINE = "yield found('C1')\nyield found('C2', 2.0)"


@pytest.fixture
def patient(house: Any) -> Any:
    """A house whose paper waits between its claims, where it is asked to, until somebody writes into ``go``."""
    house.paper("waits", WAITS)
    house.paper("other", FINE)
    house.variables["FAKE_PLACE"] = str(house.root)
    for name in ("reached", "go"):
        os.mkfifo(house.root / name)

    def start(*arguments: str) -> Any:
        house.variables["PATIENT"] = "yes"
        run = house.start("run", *arguments, "--preset", "quick", "--json")
        (house.root / "reached").read_text()  # returns when the paper is there
        house.variables.pop("PATIENT")
        return run

    house.start_patient = start
    return house


def test_the_report_of_two_runs_at_a_time_has_what_both_found(patient: Any) -> None:
    first = patient.start_patient("waits")
    assert patient.call("run", "other", "--preset", "quick").code == 0
    (patient.root / "go").write_text("go")
    out, err = first.communicate()
    assert (first.returncode, err.count("failed")) == (0, 0)
    shown = json.loads(Path(json.loads(out)["report"]).with_name(EXPORT).read_text())
    found = {paper["slug"]: [claim["yours"]["verdict"] for claim in paper["claims"]] for paper in shown["papers"]}
    assert found == {"waits": ["holds", "holds"], "other": ["holds", "holds"]}


def _write_by_turns(home: Path, evidence: Any, times: int) -> None:
    store = Store(home)
    for turn in range(times):
        store.write(replace(evidence, seeds=3 + turn % 2))


def test_a_reader_beside_a_writer_finds_one_whole_file_or_the_other(sample_evidence: Any, tmp_path: Path) -> None:
    warnings: list[str] = []
    store = Store(tmp_path, warn=warnings.append)
    store.write(sample_evidence)
    arguments = (tmp_path, sample_evidence, 60)
    writer = multiprocessing.get_context("fork").Process(target=_write_by_turns, args=arguments)
    writer.start()
    found = []
    while writer.is_alive():
        found.append(store.read("fake", "quick"))
    writer.join()
    assert writer.exitcode == 0
    assert not warnings
    assert {run.seeds for run in found} <= {3, 4}
    assert all(replace(run, seeds=3) == sample_evidence for run in found)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_six_runs_of_a_paper_at_once(losing: Any, survived: Any) -> None:
    assert losing.call("run", "losing", "--preset", "smoke").code == 0
    undisturbed = losing.left("losing")
    refused = 0
    for _ in range(3):
        losing.forget()
        runs = [losing.start("run", "losing", "--preset", "smoke", "--json") for _ in range(6)]
        outcomes = []
        while any(run.poll() is None for run in runs):
            shown = losing.call("show", "losing", "--json")
            assert (shown.code, shown.err) == (0, "")
        for run in runs:
            out, err = run.communicate()
            assert "warning" not in err
            outcomes.append(json.loads(out)["papers"][0]["outcome"])
            assert run.returncode == (2 if outcomes[-1] == "refused" else 0)
        assert outcomes.count("complete") == 1, outcomes
        assert set(outcomes) <= {"complete", "refused", "current"}
        refused += outcomes.count("refused")
        assert losing.left("losing") == undisturbed
    survived(
        fault="six runs of the same paper at once, and a reader",
        how="started together, three times",
        times=18,
        outcome=f"3 ran, {refused} were refused in a sentence, the others found it done; evidence and files intact",
    )


@pytest.mark.long
@pytest.mark.timeout(300)
def test_publishing_beside_readers(tmp_path: Path, make_house: Any, survived: Any) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "src").mkdir()
    tree = make_house(tmp_path / "src")
    tree.paper("fine", FINE)
    assert tree.call("run", "fine", "--preset", "quick").code == 0
    publish = ("publish", str(tree.evidence_file("fine", "quick")))
    assert tree.call(*publish).code == 0
    for _ in range(6):
        work: list[subprocess.Popen[str]] = [tree.start(*publish) for _ in range(2)]
        readers = [tree.start("show", "fine", "--json"), tree.start("report", "--published")]
        for process in (*work, *readers):
            out, err = process.communicate()
            assert (process.returncode, err) == (0, "")
            if process is readers[0]:
                assert [claim["published"]["verdict"] for claim in json.loads(out)["claims"]] == ["holds", "holds"]
    assert [file.name for file in (tree.package / "fine" / "evidence").iterdir()] == ["quick.json"]
    survived(
        fault="two processes that publish a run while two others read it",
        how="started together",
        times=6,
        outcome="the readers find it whole, and nothing is left beside it",
    )
