"""A disk that is full at each of the calls that write: nothing half is ever read, and what is tried again succeeds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from paperworks.app.lock import Lock
from paperworks.app.report import write_report
from paperworks.app.store import Store
from paperworks.lab import Lab


def fill(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "data.bin").write_bytes(bytes(range(256)) * 100)
    (folder / "words.txt").write_text("made\n")


@pytest.fixture
def sample(sample_evidence: Any, oracle: Any) -> SimpleNamespace:
    """A paper, and two runs of it."""
    return SimpleNamespace(paper=oracle.PAPER, first=sample_evidence, second=replace(sample_evidence, seeds=4))


def store_twice(home: Path, sample: Any) -> object:
    """The evidence that is held after a second one was written over a first."""
    store = Store(home, warn=pytest.fail)
    store.write(sample.first)
    store.write(sample.second)
    return store.read("fake", "quick")


def keep_step(home: Path, sample: Any) -> object:
    return Lab("fake", home=home).step("train", lambda: np.arange(3000.0)).tolist()


def keep_cached(home: Path, sample: Any) -> object:
    place = Lab("fake", home=home, cache=home).cached("corpus", 1, fill)
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def report(home: Path, sample: Any) -> object:
    write_report(home, local={"fake": {"quick": sample.first}}, published={}, of={"fake": sample.paper})
    return {path.name: path.read_bytes() for path in home.iterdir()}


def lock(home: Path, sample: Any) -> object:
    held = Lock(home / "deep" / "quick.lock")
    try:
        return held.take()
    finally:
        held.release()


def half_read(home: Path, sample: Any) -> Iterator[str]:
    """What a reader would find of evidence and reports that is no whole file."""
    store = Store(home, warn=pytest.fail)
    held = store.read("fake", "quick")
    if held not in (None, sample.first, sample.second):
        yield "evidence"
    yield from (page.name for page in home.glob("[!.]*.html") if not page.read_text().rstrip().endswith("</html>"))


@pytest.mark.parametrize("stays_full", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("work", [store_twice, keep_step, keep_cached, report, lock])
def test_every_call_that_writes_may_fail(
    work: Callable[[Path, Any], object], stays_full: bool, tmp_path: Path, sample: Any, failing_disk: Any
) -> None:
    undisturbed = work(tmp_path / "undisturbed", sample)
    refused = []
    for at in range(1, 200):
        home = tmp_path / str(at)
        home.mkdir()
        with failing_disk(str(home), at, stays_full=stays_full) as disk:
            try:
                result = work(home, sample)
            except OSError:
                result = None
        assert not list(half_read(home, sample))
        if not disk.refused:
            break
        refused.append(disk.refused.split()[0])
        assert result in (None, undisturbed)
        assert work(home, sample) == undisturbed, f"after {disk.refused}"
        assert names(home) == names(tmp_path / "undisturbed"), f"after {disk.refused}"
    else:
        pytest.fail("there is no end of writing")
    assert "open" in refused
    assert "write" in refused


TMPFS = """
mount -t tmpfs -o "$1" tmpfs "$HOME_OF_RUNS" || exit 99
{run}; echo $? > "$RESULTS/first"
mount -o remount,size=64m,nr_inodes=9999 "$HOME_OF_RUNS" || exit 99
{run}; echo $? > "$RESULTS/second"
cp -a "$HOME_OF_RUNS/." "$RESULTS/home"
"""
"""Two runs on a small file system, the second after it has grown, in a mount namespace that goes with them."""


def run_on_tmpfs(house: Any, slug: str, option: str) -> tuple[int, Any, str]:
    """Run twice on a tmpfs of that size: the first run's exit code, what the second left, and what both said."""
    results = house.root / "results"
    shutil.rmtree(results, ignore_errors=True)
    for folder in (results, house.home):
        folder.mkdir(exist_ok=True)
    run = f"{sys.executable} -P -m paperworks.app.main run {slug} --preset smoke"
    command = ["unshare", "--mount", "sh", "-c", TMPFS.format(run=run), "sh", option]
    if os.geteuid() != 0:
        command[1:1] = ["--user", "--map-root-user"]
    places = {"HOME_OF_RUNS": str(house.home), "RESULTS": str(results)}
    done = subprocess.run(command, env=house.environment() | places, cwd=house.root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (results / "second").read_text() == "0\n", done.stdout + done.stderr
    home, house.home = house.home, results / "home"
    try:
        return int((results / "first").read_text()), house.left(slug), done.stdout + done.stderr
    finally:
        house.home = home


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("option", "step"), [("size={}k", 8), ("nr_inodes={}", 1)], ids=["bytes", "files"])
def test_a_run_on_a_small_file_system(spare: Any, survived: Any, option: str, step: int) -> None:
    assert spare.call("run", "spare", "--preset", "smoke").code == 0
    undisturbed = spare.left("spare")
    spare.forget()
    codes = []
    for size in range(step, 200 * step, step):
        code, left, said = run_on_tmpfs(spare, "spare", option.format(size))
        codes.append(code)
        assert code in {0, 1, 2}
        assert "Traceback" not in said
        assert left == undisturbed, f"after {option.format(size)}"
        if code == 0 and "warning" not in said:
            break
    assert codes[0] != 0
    assert codes[-1] == 0
    survived(
        fault="a disk that is full, of bytes or of files",
        how=f"a tmpfs of {option.format(step)}, then larger by as much, to {option.format(size)}: a run succeeds",
        times=len(codes) - 1,
        outcome="a sentence and an exit code; run again with more room, the evidence of an undisturbed run",
    )


def run_refused(house: Any, process: str, under: Path, at: int) -> tuple[Any, str]:
    """Run with call ``at`` of one process refused: how the command came out, and which call that was."""
    report = house.root / "refused"
    report.unlink(missing_ok=True)
    before = dict(house.variables)
    house.variables |= {
        "FAILING_DISK": str(Path(__file__).with_name("failing_disk.py")),
        "FAILING_PROCESS": process,
        "FAILING_UNDER": str(under),
        "FAILING_AT": str(at),
        "FAILING_REPORT": str(report),
    }
    done = house.call("run", "spare", "--preset", "smoke")
    house.variables = before
    return done, report.read_text() if report.exists() else ""


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("process", "folder"), [("parent", "runs"), ("child", ".")], ids=["parent", "child"])
def test_a_run_with_every_call_that_writes_refused_once(
    spare: Any, survived: Any, failing_disk_module: Any, process: str, folder: str
) -> None:
    (spare.root / "sitecustomize.py").write_text(failing_disk_module.SITECUSTOMIZE)
    assert spare.call("run", "spare", "--preset", "smoke").code == 0
    undisturbed = spare.left("spare")
    for at in range(1, 500):
        spare.forget()
        done, refused = run_refused(spare, process, spare.home / folder, at)
        assert done.code in {0, 1, 2}
        assert "Traceback" not in done.out + done.err
        again = spare.call("run", "spare", "--preset", "smoke")
        assert (again.code, again.err) == (0, ""), f"after {refused}"
        assert spare.left("spare") == undisturbed, f"after {refused}"
        if not refused:
            break
    survived(
        fault=f"a call of the {process} that the disk refuses: opening, writing, syncing, renaming, making a folder",
        how="each call of a whole run in turn",
        times=at - 1,
        outcome="a sentence and an exit code; run again, the evidence of an undisturbed run",
    )


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
