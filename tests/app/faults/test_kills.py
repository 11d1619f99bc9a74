"""Child, parent or both are killed with SIGKILL at some moment; the run that resumes ends where it would have ended."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

import paperworks

KILLS = 20
VICTIMS = {"child": ("child",), "parent": ("parent",), "both": ("parent", "child")}


@dataclass(frozen=True)
class Undisturbed:
    """What a run leaves that nobody kills, and when its child appeared and it ended, in seconds from its start."""

    left: Any
    child_at: float
    end_at: float


def wait_for_child(run: subprocess.Popen[str]) -> psutil.Process | None:
    """The child of a run, as soon as there is one; None where the run ends without."""
    while run.poll() is None:
        with suppress(psutil.Error):
            for process in psutil.Process(run.pid).children():
                if "paperworks.app.child" in process.cmdline():
                    return process
    return None


def watch(house: Any, slug: str) -> Undisturbed:
    begun = time.monotonic()
    run = house.start("run", slug, "--preset", "smoke")
    assert wait_for_child(run) is not None
    child_at = time.monotonic() - begun
    run.communicate()
    end_at = time.monotonic() - begun
    assert run.returncode == 0
    return Undisturbed(house.left(slug), child_at, end_at)


def kill_after(house: Any, slug: str, seconds: float, victims: tuple[str, ...]) -> bool:
    """Start a run, and end it by SIGKILL after so many seconds; False where it was over by then."""
    begun = time.monotonic()
    run = house.start("run", slug, "--preset", "smoke")
    child = wait_for_child(run) if "child" in victims else None
    with suppress(subprocess.TimeoutExpired):
        run.wait(max(0.0, begun + seconds - time.monotonic()))
    for victim in victims:
        if victim == "parent":
            run.kill()
        elif child is not None:
            with suppress(psutil.NoSuchProcess):
                child.kill()
    run.communicate()
    if child is not None:
        psutil.wait_procs([child], timeout=20)
    return run.returncode != 0


def moments(undisturbed: Undisturbed, victims: tuple[str, ...]) -> Iterator[float]:
    """Moments of a run in seconds, drawn from a fixed seed: over the life of what is killed."""
    draw = random.Random(f"moments of {victims}")
    first = 0.0 if victims == ("parent",) else undisturbed.child_at
    while True:
        yield draw.uniform(first, undisturbed.end_at)


def check_resumed(house: Any, slug: str, undisturbed: Undisturbed) -> None:
    done = house.call("run", slug, "--preset", "smoke")
    assert done.code == 0, done.err
    assert done.err == ""
    assert house.left(slug) == undisturbed.left


@pytest.mark.parametrize("victims", VICTIMS.values(), ids=VICTIMS)
def test_a_run_that_is_killed_again_and_again_ends_where_it_would_have(losing: Any, victims: tuple[str, ...]) -> None:
    undisturbed = watch(losing, "losing")
    losing.forget()
    draw = moments(undisturbed, victims)
    for _ in range(3):
        kill_after(losing, "losing", next(draw), victims)
    check_resumed(losing, "losing", undisturbed)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("victims", VICTIMS.values(), ids=VICTIMS)
def test_a_run_killed_at_twenty_moments(losing: Any, survived: Any, victims: tuple[str, ...]) -> None:
    undisturbed = watch(losing, "losing")
    killed = 0
    for seconds in moments(undisturbed, victims):
        losing.forget()
        if kill_after(losing, "losing", seconds, victims):
            killed += 1
        check_resumed(losing, "losing", undisturbed)
        if killed == KILLS:
            break
    survived(
        fault=f"SIGKILL for the {' and the '.join(victims)} of a run",
        how=f"at moments drawn over a run of {undisturbed.end_at:.1f} s with steps, checkpoints, a cache and figures",
        times=killed,
        outcome="resumed; the evidence and the files of an undisturbed run",
    )


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_killed_run_of_a_real_paper(house: Any, survived: Any) -> None:
    shutil.copytree(Path(paperworks.__file__).parent / "lmul", house.package / "lmul")
    undisturbed = watch(house, "lmul")
    house.forget()
    assert kill_after(house, "lmul", (undisturbed.child_at + undisturbed.end_at) / 2, VICTIMS["both"])
    check_resumed(house, "lmul", undisturbed)
    survived(
        fault="SIGKILL for the parent and the child of L-Mul's smoke run",
        how=f"in the middle of the {undisturbed.end_at:.0f} s of the run",
        times=1,
        outcome="resumed; the evidence and the files of an undisturbed run",
    )
