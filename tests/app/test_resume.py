"""Runs that are cut off, and those that need not be made again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import Any

import psutil
import pytest

STEPS = """
first = lab.step("first", count, value=1.5)
yield found("C1", first)
if "WAIT" in os.environ:
    tell_and_wait()
second = lab.step("second", count, value=2.5)
yield found("C2", second, rows=({"seed": "0", "x": 0.1 + 0.2},))
"""


@pytest.fixture
def steps(house: Any) -> Any:
    """A house with a paper of two steps that counts how often they are computed."""
    house.paper("steps", STEPS)
    house.variables["FAKE_PLACE"] = str(house.root)
    os.mkfifo(house.root / "reached")
    return house


def run_until_it_waits(house: Any, *more: str) -> tuple[subprocess.Popen[str], psutil.Process]:
    """Start a run whose paper stops between its steps, with C1 written down; the run, and the paper's process."""
    house.variables["WAIT"] = "yes"
    run = house.start("run", "--preset", "smoke", *more)
    child = psutil.Process(int((house.root / "reached").read_text()))  # blocks until the paper is there
    house.variables.pop("WAIT")
    said = run.stderr if "--json" in more else run.stdout
    while "C1" not in said.readline():
        pass
    return run, child


def is_gone(process: psutil.Process) -> bool:
    gone, _ = psutil.wait_procs([process], timeout=30)
    return bool(gone) or process.status() == psutil.STATUS_ZOMBIE


def steps_computed(house: Any) -> int:
    return len((house.root / "count").read_text())


def lasting(evidence: dict[str, Any]) -> dict[str, Any]:
    """What two runs of the same code must agree on."""
    return {name: evidence[name] for name in ("state", "sizes", "seeds", "source", "results", "figures", "environment")}


def test_a_run_whose_parent_is_killed_resumes_and_gives_the_evidence_of_one_that_is_not(steps: Any) -> None:
    run, child = run_until_it_waits(steps)
    run.kill()
    run.communicate()
    assert is_gone(child)
    partial = steps.evidence("steps")
    assert partial["state"] == "partial"
    assert [result["claim"] for result in partial["results"]] == ["C1"]

    assert steps.call("run", "--preset", "smoke").code == 0
    assert steps_computed(steps) == 2
    resumed = steps.evidence("steps")
    assert not (steps.home / "runs" / "steps" / "smoke.steps").exists()

    steps.home = steps.root / "another home"
    assert steps.call("run", "--preset", "smoke").code == 0
    assert steps_computed(steps) == 4
    assert lasting(resumed) == lasting(steps.evidence("steps"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_what_it_measured_and_resumes(steps: Any, number: signal.Signals) -> None:
    run, child = run_until_it_waits(steps)
    run.send_signal(number)
    out, err = run.communicate()
    assert run.returncode == 130
    assert err == "stopped: what was measured is kept; run the same command again to resume\n"
    assert "steps  stopped; what was measured is kept" in out
    assert is_gone(child)
    partial = steps.evidence("steps")
    assert (partial["state"], partial["finished"], len(partial["results"])) == ("partial", None, 1)

    assert steps.call("run", "--preset", "smoke").code == 0
    whole = steps.evidence("steps")
    assert whole["state"] == "complete"
    assert steps_computed(steps) == 2
    assert whole["started"] == partial["started"]
    assert all(whole["cost"][name] > partial["cost"][name] for name in ("wall_s", "cpu_s"))


def test_an_interrupted_run_does_not_begin_what_was_waiting(steps: Any) -> None:
    steps.paper("unlucky", "yield found('C1')\nyield found('C2')")
    run, _ = run_until_it_waits(steps, "--jobs", "1", "--json")
    run.send_signal(signal.SIGINT)
    out, _ = run.communicate()
    assert run.returncode == 130
    assert [paper["outcome"] for paper in json.loads(out)["papers"]] == ["interrupted", "waiting"]
    assert not (steps.home / "runs" / "unlucky").exists()


def test_fresh_computes_every_step_again(steps: Any) -> None:
    run, _ = run_until_it_waits(steps)
    run.send_signal(signal.SIGINT)
    run.communicate()
    assert steps.call("run", "--preset", "smoke", "--fresh").code == 0
    assert steps_computed(steps) == 3


def test_steps_of_other_source_are_not_replayed(steps: Any) -> None:
    run, _ = run_until_it_waits(steps)
    run.send_signal(signal.SIGINT)
    run.communicate()
    steps.paper("steps", STEPS + "\n# a new thought\n")
    assert steps.call("run", "--preset", "smoke").code == 0
    assert steps_computed(steps) == 3


def test_the_second_of_two_runs_of_a_paper_is_refused_and_a_dead_ones_lock_is_not_in_the_way(steps: Any) -> None:
    run, _ = run_until_it_waits(steps)
    second = steps.call("run", "--preset", "smoke", "--json")
    assert second.code == 2
    assert second.of("steps")["outcome"] == "refused"
    assert second.of("steps")["message"] == f"steps is being run at smoke by process {run.pid} already"
    assert steps.call("run", "--preset", "quick").code == 0
    run.kill()
    run.communicate()
    assert steps.call("run", "--preset", "smoke").code == 0


def test_a_reader_who_leaves_ends_the_run_quietly(steps: Any) -> None:
    run, child = run_until_it_waits(steps)
    assert run.stdout is not None
    run.stdout.close()
    os.kill(child.pid, signal.SIGKILL)  # the paper fails, which is a line that nobody reads
    assert run.stderr is not None
    assert run.stderr.read() == ""
    assert run.wait() == 1


class TestUpToDate:
    @pytest.fixture
    def fine(self, house: Any) -> Any:
        house.paper("fine", "yield found('C1')\nyield found('C2', n=sizes.seeds)")
        assert house.call("run", "--preset", "smoke").code == 0
        return house

    @staticmethod
    def outcome(house: Any, *more: str) -> str:
        done = house.call("run", "--preset", "smoke", "--json", *more)
        assert done.code == 0
        return str(done.of("fine")["outcome"])

    def test_nothing_changed(self, fine: Any) -> None:
        before = fine.evidence("fine")
        assert self.outcome(fine) == "current"
        assert fine.evidence("fine") == before

    def test_steps_that_a_run_left_which_was_cut_off_at_its_very_end_are_removed(self, fine: Any) -> None:
        steps = fine.evidence_file("fine").with_suffix(".steps")
        steps.mkdir()
        (steps / "first.0123.step").touch()
        assert self.outcome(fine) == "current"
        assert not steps.exists()

    def test_it_insists(self, fine: Any) -> None:
        assert self.outcome(fine, "--fresh") == "complete"

    def test_the_papers_source_changed(self, fine: Any) -> None:
        with (fine.package / "fine" / "experiment.py").open("a") as file:
            file.write("# a remark\n")
        assert self.outcome(fine) == "complete"
        assert self.outcome(fine) == "current"

    def test_the_houses_source_changed(self, fine: Any) -> None:
        with (fine.package / "lab" / "stats.py").open("a") as file:
            file.write("# a remark\n")
        assert self.outcome(fine) == "complete"

    def test_a_module_that_the_experiment_imports_changed(self, fine: Any) -> None:
        (fine.package / "fine" / "method.py").write_text("x = 1")
        with (fine.package / "fine" / "experiment.py").open("a") as file:
            file.write("def later():\n    from .method import x\n")
        assert self.outcome(fine) == "complete"
        assert self.outcome(fine) == "current"
        (fine.package / "fine" / "method.py").write_text("x = 2")
        assert self.outcome(fine) == "complete"

    def test_the_papers_data_changed(self, fine: Any) -> None:
        (fine.package / "fine" / "weights").mkdir()
        (fine.package / "fine" / "weights" / "small.json").write_text("{}")
        assert self.outcome(fine) == "complete"

    @pytest.mark.parametrize(
        "file",
        [
            "fine/evidence/notes.txt",
            "fine/cli.py",
            "fine/bench.py",
            "fine/templates/card.html",
            "lab/page.py",
            "lab/templates/page.css",
            "app/extra.py",
        ],
    )
    def test_what_no_result_depends_on_changed(self, fine: Any, file: str) -> None:
        place = fine.package / file
        place.parent.mkdir(exist_ok=True)
        with place.open("a") as opened:
            opened.write("\n# a remark\n" if place.suffix == ".py" else " ")
        assert self.outcome(fine) == "current"

    def test_other_seeds(self, fine: Any) -> None:
        assert self.outcome(fine, "--seeds", "4") == "complete"
        assert self.outcome(fine, "--seeds", "4") == "current"
        evidence = fine.evidence("fine")
        assert (evidence["seeds"], evidence["sizes"]) == (4, {"seeds": 4, "size": 4})
        assert self.outcome(fine) == "complete"
        assert fine.evidence("fine")["seeds"] == 3

    @pytest.mark.parametrize(
        ("part", "value"), [("device", "cuda"), ("packages", {"numpy": "1.0"})], ids=["device", "packages"]
    )
    def test_other_surroundings(self, fine: Any, part: str, value: Any) -> None:
        fine.change_evidence("fine", "smoke", environment=fine.evidence("fine")["environment"] | {part: value})
        assert self.outcome(fine) == "complete"

    @pytest.mark.parametrize("state", ["partial", "failed"])
    def test_it_did_not_come_to_its_end(self, fine: Any, state: str) -> None:
        fine.change_evidence("fine", "smoke", state=state)
        assert self.outcome(fine) == "complete"

    def test_a_damaged_file_is_set_aside_before_a_fresh_run_replaces_it(self, fine: Any) -> None:
        path = fine.evidence_file("fine")
        path.write_text("{")
        assert self.outcome(fine, "--fresh") == "complete"
        assert path.with_name("smoke.json.unreadable-1").read_text() == "{"

    def test_its_evidence_is_damaged(self, fine: Any) -> None:
        path = fine.home / "runs" / "fine" / "smoke.json"
        path.write_text(path.read_text()[:-100])
        done = fine.call("run", "--preset", "smoke", "--json")
        assert done.of("fine")["outcome"] == "complete"
        assert done.err.count("warning:") == 1
        assert "kept as smoke.json.unreadable-1" in done.err
        assert path.with_name("smoke.json.unreadable-1").is_file()
