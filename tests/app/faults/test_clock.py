"""A clock that is set back by a month, between two sessions of a run or in the middle of one."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import datetime
from typing import Any

import pytest

WAITS = """
yield found("C1", lab.step("first", count, value=1.5))
if "PATIENT" in os.environ:
    (HERE / "reached").open("w").close()
    (HERE / "go").read_text()
yield found("C2", lab.step("second", count, value=2.5))
"""
BACK = "-30d"


@pytest.fixture
def clock(house: Any) -> Any:
    """A house whose processes see the clock that ``set_clock`` sets, by libfaketime; its paper waits between claims."""
    asked = subprocess.run(["faketime", "-f", "+0", "env"], capture_output=True, text=True, check=True).stdout
    preload = next(line for line in asked.splitlines() if line.startswith("LD_PRELOAD="))
    offset = house.root / "offset"
    house.set_clock = offset.write_text
    house.set_clock("+0")
    for name in ("reached", "go"):
        os.mkfifo(house.root / name)
    house.variables |= {
        "LD_PRELOAD": preload.partition("=")[2],
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKE_PLACE": str(house.root),
    }
    house.paper("waits", WAITS)
    return house


def start_and_wait(house: Any) -> subprocess.Popen[str]:
    """A run that waits between its two claims, the first written down."""
    house.variables["PATIENT"] = "yes"
    run = house.start("run", "waits", "--preset", "smoke", "--json")
    (house.root / "reached").read_text()
    house.variables.pop("PATIENT")
    while "C1" not in run.stderr.readline():
        pass
    return run


def check_times(evidence: dict[str, Any]) -> None:
    started, finished = (datetime.fromisoformat(evidence[name]) for name in ("started", "finished"))
    assert finished == started, "the clock ends before it began, so the end is as early as it can be"
    assert all(value > 0 for value in evidence["cost"].values())
    assert evidence["cost"]["wall_s"] < 600, "a month is no part of what it took"


def computed(house: Any) -> int:
    return len((house.root / "count").read_text())


@pytest.mark.long
@pytest.mark.timeout(120)
def test_the_clock_set_back_between_a_kill_and_the_next_session(clock: Any, survived: Any) -> None:
    assert clock.call("run", "waits", "--preset", "smoke").code == 0
    undisturbed = clock.left("waits")
    clock.forget()
    run = start_and_wait(clock)
    run.kill()
    run.communicate()
    clock.set_clock(BACK)
    assert clock.call("run", "waits", "--preset", "smoke").code == 0
    assert computed(clock) == 4, "the step that was finished is not computed again"
    check_times(clock.evidence("waits"))
    assert clock.left("waits") == undisturbed
    again = clock.call("run", "waits", "--preset", "smoke", "--json")
    assert again.of("waits")["outcome"] == "current"
    survived(
        fault="the clock set back by 30 days before a run is resumed",
        how="libfaketime",
        times=1,
        outcome="resumed; the evidence of an undisturbed run, no time before its start, up to date afterwards",
    )


@pytest.mark.long
@pytest.mark.timeout(120)
def test_the_clock_set_back_in_the_middle_of_a_run(clock: Any, survived: Any) -> None:
    run = start_and_wait(clock)
    clock.set_clock(BACK)
    second = clock.call("run", "waits", "--preset", "smoke", "--json")
    assert second.of("waits")["outcome"] == "refused", "the lock holds whatever the clock says"
    (clock.root / "go").write_text("go")
    out, _ = run.communicate()
    assert run.returncode == 0
    assert json.loads(out)["papers"][0]["outcome"] == "complete"
    check_times(clock.evidence("waits"))
    assert clock.call("report").code == 0
    survived(
        fault="the clock set back by 30 days in the middle of a run",
        how="libfaketime",
        times=1,
        outcome="complete; no time before its start, no negative cost; a second run is refused meanwhile",
    )
