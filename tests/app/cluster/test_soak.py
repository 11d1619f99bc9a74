"""Machines that die again and again, at moments that nobody chose: the evidence is that of an undisturbed run."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]

KILLS = 20

WORK = '''
import hashlib


def work(*, seed, part, rounds):
    """A number that takes a moment: the digest of a digest, many times."""
    data = f"{seed} {part}".encode()
    for _ in range(rounds):
        data = hashlib.pbkdf2_hmac("sha256", data, b"salt", 20_000)
    return int.from_bytes(data[:4]) / 2**32
'''

BODY = """
for claim, part in (("C1", 0), ("C2", 1), ("C3", 2)):
    values = lab.each_seed(f"part{{part}}", work, seeds=range(6), part=part, rounds={rounds})
    yield found(claim, sum(values) / 6, n=6, low=min(values), high=max(values), rows=tuple(
        {{"seed": str(seed), "value": value}} for seed, value in enumerate(values)
    ))
"""


@dataclass
class Fate:
    """Kills a machine every few seconds, and puts another in its place: now and then with an empty disk."""

    cluster: Any
    dice: random.Random = field(default_factory=lambda: random.Random(20260))
    killed: list[str] = field(default_factory=list)

    def befall(self, run: subprocess.Popen[str]) -> tuple[Any, str]:
        """Kill machines until ``run`` has ended; what it printed, and what it said meanwhile."""
        told: list[str] = []
        listener = threading.Thread(target=lambda: told.extend(run.communicate()))
        listener.start()
        listener.join(self.dice.uniform(1.0, 6.0))
        while listener.is_alive():
            self._kill(self.dice.choice("ab"))
            listener.join(self.dice.uniform(1.0, 6.0))
        out, err = told
        return json.loads(out), err

    def _kill(self, name: str) -> None:
        children = [process for process in self.cluster.family(self.cluster.machines[name]) if _is_ours(process)]
        self.cluster.kill(name)
        _, left = psutil.wait_procs(children, timeout=10)
        assert not [process for process in left if _lives(process)]
        keeps_disk = self.dice.random() < 0.5
        if not keeps_disk:
            shutil.rmtree(self.cluster.home(name), ignore_errors=True)
        self.cluster.add(name)
        how = "comes back with its disk" if keeps_disk else "is replaced by an empty machine"
        self.killed.append(f"machine {name} killed with {len(children)} processes of ours; it {how}")
        print(self.killed[-1])


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _is_ours(process: psutil.Process) -> bool:
    try:
        return any("paperworks.app" in part for part in process.cmdline())
    except psutil.Error:
        return False


def lasting(evidence: dict[str, Any]) -> dict[str, Any]:
    return {name: evidence[name] for name in ("state", "sizes", "seeds", "source", "results", "figures")}


@pytest.fixture
def papers(cluster: Any) -> dict[str, Any]:
    """Two papers, and their evidence from one machine that nothing happened to."""
    house, undisturbed = cluster.house, {}
    for slug, rounds in (("one", 60), ("other", 100)):
        with (house.paper(slug, BODY.format(rounds=rounds), claims=("C1", "C2", "C3")) / "experiment.py").open(
            "a"
        ) as f:
            f.write(WORK)
    house.home = cluster.folder / "local"
    assert house.call("run", "--preset", "smoke").code == 0
    for slug in ("one", "other"):
        undisturbed[slug] = lasting(house.evidence(slug))
    return undisturbed


def test_machines_that_keep_dying_lose_nothing_and_double_nothing(cluster: Any, papers: dict[str, Any]) -> None:
    fate, outcomes, runs = Fate(cluster), Counter[str](), 0
    while len(fate.killed) < KILLS:
        runs += 1
        cluster.house.home = cluster.folder / f"run {runs}"
        complete = False
        while not complete:  # a paper that lost four machines is given up, and the same command resumes it
            run = cluster.house.start("run", "--preset", "smoke", "--engine", "ray", "--jobs", "2", "--json")
            out, err = fate.befall(run)
            print(err)
            assert run.returncode in (0, 1)
            outcomes.update(paper["outcome"] for paper in out["papers"])
            complete = run.returncode == 0
        for slug, undisturbed in papers.items():
            assert lasting(cluster.house.evidence(slug)) == undisturbed
    print({"runs": runs, "machines killed": len(fate.killed), "outcomes": dict(outcomes)})
