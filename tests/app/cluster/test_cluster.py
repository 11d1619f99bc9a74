"""Papers, and the seeds of one, on a cluster of two machines: the evidence is that of one machine, whatever dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.timeout(240)  # each starts a dozen processes of Ray's: 5 s alone, 30 s and more beside others

WAITS = """
first = lab.step("first", count, value=1.5)
yield found("C1", first)
if (HERE / "wait").exists():
    (HERE / "wait").unlink()
    tell_and_wait()
second = lab.step("second", count, value=2.5)
yield found("C2", second, rows=({"seed": "0", "x": 0.1 + 0.2},))
"""

SEEDS = """
values = lab.each_seed("draws", draw, seeds=range(5), slug=lab.slug)
yield found("C1", sum(values) / 5, n=5, low=min(values), high=max(values))
yield found("C2", values[3])
"""

DRAW = '''
import json

import numpy as np


def meet(seed, last):
    """The first seed waits here for the last, which takes two."""
    if (HERE / "meet").exists() and seed in (0, last):
        (HERE / "meet").open("r" if seed == 0 else "w").close()


def learn_of_all(others):
    """Read a byte of each other seed, then wait until the run has been told of it: it then has that seed's lock."""
    told = os.open(HERE / "meet", os.O_RDWR)  # open for both, it does not end between two writers
    for _ in range(others):
        os.read(told, 1)
    while len(list(Path(json.loads(sys.argv[1])["steps"], ".locks").iterdir())) < 1 + others:
        os.sched_yield()


def draw(*, seed, slug):
    """A number, and a line that says who drew it; on a cluster the run draws the first, and waits in it for the rest.

    It must: a run that comes to a seed before it has heard that another machine began it draws that seed as well.
    """
    with (HERE / "drawn").open("a") as file:
        file.write(f"{seed} {Path(os.environ['PAPERWORKS_HOME']).name}\\n")
    if (HERE / "meet").exists():
        if seed == 0:
            learn_of_all(others=4)
        else:
            (HERE / "meet").write_bytes(b".")
    return float(np.random.default_rng(seed).random())


def picky(*, seed):
    """A number that only the run itself can compute."""
    if "seed_child" in sys.argv[0]:
        meet(seed, last=2)
        raise RuntimeError("not here")
    if seed == 0:
        meet(seed, last=2)
    return float(seed)


def patient(*, seed):
    """A number; the first time, the last seed says where it is drawn and waits to be ended."""
    if (HERE / "wait").exists():
        meet(seed, last=2)
        if seed == 2:
            (HERE / "wait").unlink()
            tell_and_wait()
    return float(seed)
'''

EACH = """
values = lab.each_seed("draws", {fn}, seeds=range(3))
yield found("C1", values[0])
yield found("C2", values[2])
"""


@pytest.fixture(scope="module", autouse=True)
def papers(cluster: Any) -> None:
    os.mkfifo(cluster.folder / "reached")
    cluster.house.paper("waits", WAITS)
    cluster.house.paper("other", 'yield found("C1")\nyield found("C2", 2.0)')
    cluster.house.paper("stuck", 'yield found("C1")\ntell_and_wait()')
    told = '(HERE / "reached").write_text(str(os.getpid()))'  # before it holds too much, or nobody might hear of it
    cluster.house.paper("greedy", f'yield found("C1")\n{told}\nhold = b"x" * 600_000_000\nsignal.pause()')
    with (cluster.house.paper("shows", 'yield found("C1")') / "experiment.py").open("a") as file:
        file.write('print(os.environ["PAPERWORKS_HOME"], os.environ["CUDA_VISIBLE_DEVICES"])\n')
    for slug, body in {"seeds": SEEDS, "picky": EACH.format(fn="picky"), "patient": EACH.format(fn="patient")}.items():
        with (cluster.house.paper(slug, body) / "experiment.py").open("a") as file:
            file.write(DRAW)


@pytest.fixture(autouse=True)
def clean(cluster: Any) -> None:
    for name in ("count", "drawn", "wait", "meet"):
        (cluster.folder / name).unlink(missing_ok=True)
    cluster.house.home = cluster.folder / f"driver {len(list(cluster.folder.glob('driver *')))}"


def run_until_it_waits(cluster: Any, slug: str, *more: str) -> tuple[subprocess.Popen[str], psutil.Process]:
    """Start a run whose paper stops after C1, which is written down; the run, and the paper's process."""
    (cluster.folder / "wait").touch()
    run = cluster.house.start("run", slug, "--preset", "smoke", "--engine", "ray", "--json", *more)
    child = psutil.Process(int((cluster.folder / "reached").read_text()))  # blocks until the paper is there
    while "C1" not in (line := run.stderr.readline()):
        assert line
    return run, child


def is_gone(process: psutil.Process) -> bool:
    gone, _ = psutil.wait_procs([process], timeout=30)
    return bool(gone) or process.status() == psutil.STATUS_ZOMBIE


def lasting(evidence: dict[str, Any]) -> dict[str, Any]:
    """What runs of the same code must agree on, wherever they were made."""
    return {name: evidence[name] for name in ("state", "sizes", "seeds", "source", "results", "figures")}


def on_this_machine(cluster: Any, slug: str) -> dict[str, Any]:
    """The evidence of the local engine."""
    cluster.house.home = cluster.folder / "local" / slug
    assert cluster.house.call("run", slug, "--preset", "smoke").code == 0
    return lasting(cluster.house.evidence(slug))


def test_a_paper_gives_the_same_evidence_and_leaves_no_steps(cluster: Any) -> None:
    done = cluster.house.call("run", "waits", "other", "--preset", "smoke", "--engine", "ray", "--json")
    assert done.code == 0
    assert [paper["outcome"] for paper in done.json["papers"]] == ["complete", "complete"]
    evidence = cluster.house.evidence("waits")
    assert evidence["environment"]["threads"] == 2
    assert evidence["cost"]["cpu_s"] > 0
    assert not [file for name in "ab" for file in cluster.home(name).rglob("*.step")]
    assert lasting(evidence) == on_this_machine(cluster, "waits")


def test_a_machine_that_dies_in_mid_run_costs_nothing_but_time(cluster: Any) -> None:
    run, child = run_until_it_waits(cluster, "waits")
    name = cluster.of(child)
    cluster.kill(name)
    out, err = run.communicate()
    assert run.returncode == 0, err
    assert err.count("was lost") == 1
    assert err.count("differs") == 0
    [paper] = json.loads(out)["papers"]
    assert paper["outcome"] == "complete"
    assert len((cluster.folder / "count").read_text()) == 3  # the first step again, on the other machine
    assert is_gone(child)
    cluster.add(name)
    assert lasting(cluster.house.evidence("waits")) == on_this_machine(cluster, "waits")


def test_seeds_are_drawn_on_both_machines_and_each_once(cluster: Any) -> None:
    os.mkfifo(cluster.folder / "meet")
    done = cluster.house.call("run", "seeds", "--preset", "smoke", "--engine", "ray")
    assert done.code == 0, done.err
    drawn = [line.split() for line in (cluster.folder / "drawn").read_text().splitlines()]
    assert sorted(seed for seed, _ in drawn) == ["0", "1", "2", "3", "4"]
    by = dict(drawn)
    assert by["0"] not in {by[seed] for seed in "1234"}
    evidence = cluster.house.evidence("seeds")
    (cluster.folder / "meet").unlink()
    assert lasting(evidence) == on_this_machine(cluster, "seeds")


def test_what_cannot_be_computed_elsewhere_is_computed_by_the_run(cluster: Any) -> None:
    os.mkfifo(cluster.folder / "meet")
    assert cluster.house.call("run", "picky", "--preset", "smoke", "--engine", "ray").code == 0
    (cluster.folder / "meet").unlink()
    assert lasting(cluster.house.evidence("picky")) == on_this_machine(cluster, "picky")


def test_the_seed_of_a_machine_that_dies_is_the_runs_again(cluster: Any) -> None:
    (cluster.folder / "wait").touch()
    os.mkfifo(cluster.folder / "meet")
    run = cluster.house.start("run", "patient", "--preset", "smoke", "--engine", "ray", "--json")
    child = psutil.Process(int((cluster.folder / "reached").read_text()))
    name = cluster.of(child)
    cluster.kill(name)
    _, err = run.communicate()
    assert run.returncode == 0, err
    assert "was lost" not in err  # the paper's own machine lives
    cluster.add(name)
    assert lasting(cluster.house.evidence("patient")) == on_this_machine(cluster, "patient")


def test_a_gpu_paper_is_placed_where_a_gpu_is(cluster: Any) -> None:
    done = cluster.house.call("run", "shows", "--preset", "gpu", "--engine", "ray", "--json")
    said = Path(done.of("shows")["log"]).read_text()  # "b" only says that it has one, so no more comes of it
    assert said.startswith(f"{cluster.home('b')} 0\n")


def test_an_interrupt_ends_the_child_on_its_machine_and_the_run_resumes(cluster: Any) -> None:
    run, child = run_until_it_waits(cluster, "waits")
    run.send_signal(signal.SIGINT)
    out, err = run.communicate()
    assert run.returncode == 130
    assert err.endswith("stopped: what was measured is kept; run the same command again to resume\n")
    assert [paper["outcome"] for paper in json.loads(out)["papers"]] == ["interrupted"]
    assert is_gone(child)
    assert cluster.house.evidence("waits")["state"] == "partial"
    assert cluster.house.call("run", "waits", "--preset", "smoke", "--engine", "ray").code == 0
    assert lasting(cluster.house.evidence("waits")) == on_this_machine(cluster, "waits")


def test_a_run_that_still_waits_for_a_machine_can_be_interrupted(cluster: Any) -> None:
    run = cluster.house.start("run", "other", "--preset", "smoke", "--engine", "ray", "--memory", "1e6", "--json")
    assert run.stderr.readline() == "other  started\n"
    run.send_signal(signal.SIGINT)
    out, _ = run.communicate()
    assert run.returncode == 130
    assert [paper["outcome"] for paper in json.loads(out)["papers"]] == ["interrupted"]


def test_the_child_ends_with_a_driver_that_is_killed(cluster: Any) -> None:
    run, child = run_until_it_waits(cluster, "waits")
    run.kill()
    run.communicate()
    assert is_gone(child)


@pytest.mark.parametrize(
    ("slug", "limit", "says"),
    [
        ("stuck", ("--timeout", "6"), "longer than its limit of 6 s"),
        ("greedy", ("--memory", "0.5"), "limit of 0.50 GB"),
    ],
)
def test_limits_hold_on_the_cluster(cluster: Any, slug: str, limit: tuple[str, str], says: str) -> None:
    run, child = run_until_it_waits(cluster, slug, *limit)
    out, _ = run.communicate()
    assert run.returncode == 1
    [paper] = json.loads(out)["papers"]
    assert paper["outcome"] == "failed"
    assert says in paper["message"]
    assert [claim["claim"] for claim in cluster.house.evidence(slug)["results"]] == ["C1"]
    assert is_gone(child)


def test_a_machine_with_another_source_is_refused(cluster: Any, make_house: Any, tmp_path: Path) -> None:
    other = make_house(tmp_path)
    other.variables = cluster.house.variables
    other.paper("other", 'yield found("C1")\nyield found("C2", 3.0)')
    done = other.call("run", "other", "--preset", "smoke", "--engine", "ray", "--json")
    assert done.code == 2
    assert done.of("other")["outcome"] == "refused"
    assert "install the same on every machine" in done.of("other")["message"]
