"""Machines that die again and again, at moments that nobody chose: the evidence is that of an undisturbed run."""

from __future__ import annotations

import json
import random
import shutil
import threading
import time
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


class Killer(threading.Thread):
    """Kills a machine every few seconds, and puts another in its place: now and then with an empty disk."""

    def __init__(self, cluster: Any, dice: random.Random) -> None:
        super().__init__(daemon=True)
        self._cluster = cluster
        self._dice = dice
        self._enough = threading.Event()
        self.killed: list[str] = []
        self.survivors: list[psutil.Process] = []

    def run(self) -> None:
        began = time.monotonic()
        while not self._enough.wait(self._dice.uniform(1.0, 6.0)):
            name = self._dice.choice("ab")
            children = [process for process in self._cluster.family(self._cluster.machines[name]) if _is_ours(process)]
            self._cluster.kill(name)
            _, left = psutil.wait_procs(children, timeout=10)
            self.survivors += [process for process in left if process.status() != psutil.STATUS_ZOMBIE]
            keeps_disk = self._dice.random() < 0.5
            if not keeps_disk:
                shutil.rmtree(self._cluster.home(name), ignore_errors=True)
            self._cluster.add(name)
            self.killed.append(f"{time.monotonic() - began:6.1f} s: {name}, {len(children)} of our processes, ")
            self.killed[-1] += "comes back with its disk" if keeps_disk else "is replaced by an empty machine"

    def stop(self) -> None:
        self._enough.set()
        self.join()


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
    dice = random.Random(20260)
    runs = killed = 0
    outcomes: list[str] = []
    while killed < KILLS:
        cluster.house.home = cluster.folder / f"run {runs}"
        killer = Killer(cluster, dice)
        killer.start()
        try:
            for _ in range(10):  # a paper that lost four machines is given up, and resumed by the next call
                done = cluster.house.call("run", "--preset", "smoke", "--engine", "ray", "--json")
                outcomes += [paper["outcome"] for paper in done.json["papers"]]
                print(done.err, sep="", end="")
                if done.code == 0:
                    break
        finally:
            killer.stop()
        print(*killer.killed, sep="\n")
        assert done.code == 0
        assert not killer.survivors
        runs, killed = runs + 1, killed + len(killer.killed)
        for slug, undisturbed in papers.items():
            assert lasting(cluster.house.evidence(slug)) == undisturbed
    print(json.dumps({"runs": runs, "machines killed": killed, "outcomes": {o: outcomes.count(o) for o in outcomes}}))
