"""Several processes at a time: runs of one paper, runs of two, readers and writers of the same files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

WAITS = """
yield found("C1")
if "PATIENT" in os.environ:
    tell_and_wait_for_go = (HERE / "reached").open("w")
    tell_and_wait_for_go.close()
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
    shown = json.loads((Path(json.loads(out)["report"]).parent / "data.json").read_text())
    found = {paper["slug"]: [claim["yours"]["verdict"] for claim in paper["claims"]] for paper in shown["papers"]}
    assert found == {"waits": ["holds", "holds"], "other": ["holds", "holds"]}
