"""What the tests of faults share: a disk that fails, and papers with much to lose."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from paperworks.app.evidence import Evidence, Figure
from paperworks.core import Measurement, Untested

HERE = Path(__file__).parent


def load(name: str) -> ModuleType:
    """A module of this folder; tests are imported without one being a package."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def failing_disk_module() -> ModuleType:
    return load("failing_disk")


@pytest.fixture(scope="session")
def failing_disk(failing_disk_module: ModuleType) -> Any:
    return failing_disk_module.FailingDisk


@pytest.fixture(scope="session")
def oracle() -> ModuleType:
    """What must hold of any evidence, and the paper that it is tried on."""
    return load("evidence_oracle")


@pytest.fixture(scope="session")
def sample_evidence(oracle: ModuleType) -> Evidence:
    """Evidence with something of everything: a claim that holds, one that holds in part, and one without a number."""
    given: dict[str, Any] = {"interval": "seeds", "n": 3, "scale": "smaller", "setting": "here — with a dash"}
    run = Evidence(
        slug="fake",
        preset="quick",
        sizes={"seeds": 3, "rate": 0.1},
        seeds=3,
        source={"paper": "a", "house": "b"},
        commit=None,
        started="2026-01-01T00:00:00+00:00",
        finished="2026-01-01T00:01:00+00:00",
        state="complete",
        error=None,
        environment={"device": "cpu", "packages": {"numpy": "1.26"}, "gpu": None},
        cost={"wall_s": 60.25, "cpu_s": 59.0, "peak_mb": 100.0},
        figures={"curve": Figure(alt="A curve.", svg="<svg/>")},
        bench=({"case": "small", "ratio": 0.5, "limit_s": None},),
    )
    rows = ({"seed": "0", "x": 0.1 + 0.2, "y": None},)
    results = (
        Measurement(claim="C1", value=2.5, low=1.5, high=3.5, rows=rows, figures=("curve",), **given),
        Measurement(claim="C2", value=0.75, low=0.5, high=1.25, unit="%", baseline=3, note="a note", **given),
        Untested(claim="C3", reason="needs --preset full"),
    )
    for claim, result in zip(oracle.CLAIMS, results, strict=True):
        run = run.with_result(claim, result)
    return run


LOSING = """
import numpy as np
from paperworks.lab.disk import write_atomically

def fill(folder):
    (folder / "words.txt").write_text("one two three")

def work(rounds):
    total = 0
    for i in range(rounds * 100_000):
        total += i % 7
    return total

def train(seed):
    kept = lab.scratch("checkpoints") / "last.json"
    epoch, loss = json.loads(kept.read_text()) if kept.exists() else (0, float(seed))
    for epoch in range(epoch, 5):
        loss = 0.9 * loss + work(4) % 11 + epoch
        write_atomically(kept, json.dumps([epoch + 1, loss]).encode())
    return {"loss": loss, "weights": np.arange(2000.0) * seed}

words = (lab.cached("corpus", {"words": 3}, fill) / "words.txt").read_text().split()
image = np.linspace(0, 1, 64 * 64).reshape(64, 64)
losses = [lab.step("train", train, seed=seed)["loss"] for seed in lab.progress(lab.seeds, "training")]
slope = lab.figure("losses", image, alt="A grey slope.")
yield found("C1", sum(losses) / 3, figures=(slope,), rows=({"loss": losses[0]},))
for claim in ("C2", "C3", "C4"):
    value = lab.step("evaluate", lambda claim: work(6) % 13 + 0.1, claim=claim)
    yield found(claim, value, figures=(lab.figure(claim.lower(), 1 - image, alt="The other way."),), note=words[0])
yield Untested(claim="C5", reason="needs --preset full")
"""
"""A paper with much to lose: checkpoints within steps, a cache, figures, and claims that come one by one."""


SPARE = """
import numpy as np
from paperworks.lab.disk import write_atomically

def fill(folder):
    (folder / "words.txt").write_text("one two three")

def train():
    write_atomically(lab.scratch("checkpoints") / "last.json", b"[1]")
    return np.arange(3000.0)

print("reading")
words = (lab.cached("corpus", {"words": 3}, fill) / "words.txt").read_text()
weights = lab.step("train", train)
yield found("C1", float(weights.sum()), rows=({"first": weights[0].item()},))
yield found("C2", lab.step("evaluate", lambda: 2.5), note=words)
"""
"""A paper that takes no time, for tests that run it some hundred times."""


@pytest.fixture
def house(house: Any) -> Any:
    """A house with its cache in its home. ``forget`` clears both, ``left`` is what two runs must agree on."""
    house.variables["PAPERWORKS_CACHE"] = str(house.home / "cache")
    house.forget = lambda: shutil.rmtree(house.home, ignore_errors=True)
    house.left = lambda slug: (lasting(house.evidence(slug)), files(house))
    return house


@pytest.fixture
def spare(house: Any) -> Any:
    """A house with a paper that writes of everything once."""
    house.paper("spare", SPARE, ("C1", "C2"))
    return house


@pytest.fixture
def losing(house: Any) -> Any:
    """A house with a paper that has much to lose."""
    house.paper("losing", LOSING, ("C1", "C2", "C3", "C4", "C5"))
    return house


def lasting(evidence: dict[str, Any]) -> dict[str, Any]:
    """The evidence without times, costs, and the digest over them."""
    return {name: part for name, part in evidence.items() if name not in {"started", "finished", "cost", "sha256"}}


def files(house: Any) -> list[str]:
    """All that lies in the home and the cache, by name."""
    return sorted(path.relative_to(house.home).as_posix() for path in house.home.rglob("*"))
