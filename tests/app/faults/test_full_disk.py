"""A disk that is full at each of the calls that write: nothing half is ever read, and what is tried again succeeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paperworks.app.evidence import Evidence, Figure
from paperworks.app.lock import Lock
from paperworks.app.report import write_report
from paperworks.app.store import Store
from paperworks.core import Claim, Measurement, Paper, at_least
from paperworks.lab import Lab

CLAIM = Claim(id="C1", says="More.", metric="how much", setting="there", source="Table 1", judge=at_least(0, null=0))
PAPER = Paper(
    slug="fake",
    arxiv="2410.00001",
    title="A fake",
    authors=("A. Author",),
    field="testing",
    gist="A paper that exists to be run.",
    claims=(CLAIM,),
)


def evidence(value: float) -> Evidence:
    given: dict[str, Any] = {"value": value, "low": value, "high": value, "interval": "seeds", "n": 3}
    run = Evidence(
        slug="fake",
        preset="quick",
        sizes={},
        seeds=3,
        source={},
        commit=None,
        started="2026-01-01T00:00:00+00:00",
        finished=None,
        state="partial",
        error=None,
        environment={},
        cost={},
        figures={"curve": Figure(alt="A curve.", svg="<svg>" + "x" * 20_000 + "</svg>")},
    )
    return run.with_result(CLAIM, Measurement(claim="C1", scale="same", setting="here", **given))


def fill(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "data.bin").write_bytes(bytes(range(256)) * 100)
    (folder / "words.txt").write_text("made\n")


def store_twice(home: Path) -> object:
    """The evidence that is held after a second one was written over a first."""
    store = Store(home, warn=pytest.fail)
    for value in (1.0, 2.0):
        store.write(evidence(value))
    return store.read("fake", "quick")


def keep_step(home: Path) -> object:
    return Lab("fake", home=home).step("train", lambda: np.arange(3000.0)).tolist()


def keep_cached(home: Path) -> object:
    place = Lab("fake", home=home, cache=home).cached("corpus", 1, fill)
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def report(home: Path) -> object:
    write_report(home, local={"fake": {"quick": evidence(1.0)}}, published={}, of={"fake": PAPER})
    return {path.name: path.read_bytes() for path in home.iterdir()}


def lock(home: Path) -> object:
    held = Lock(home / "deep" / "quick.lock")
    try:
        return held.take()
    finally:
        held.release()


def half_read(home: Path) -> Iterator[str]:
    """What a reader would find of evidence and reports that is no whole file."""
    store = Store(home, warn=pytest.fail)
    held = store.read("fake", "quick")
    if held not in (None, evidence(1.0), evidence(2.0)):
        yield "evidence"
    yield from (page.name for page in home.glob("[!.]*.html") if not page.read_text().rstrip().endswith("</html>"))


@pytest.mark.parametrize("stays_full", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("work", [store_twice, keep_step, keep_cached, report, lock])
def test_every_call_that_writes_may_fail(
    work: Callable[[Path], object], stays_full: bool, tmp_path: Path, failing_disk: Any
) -> None:
    undisturbed = work(tmp_path / "undisturbed")
    refused = []
    for at in range(1, 200):
        home = tmp_path / str(at)
        home.mkdir()
        with failing_disk(str(home), at, stays_full=stays_full) as disk:
            try:
                result = work(home)
            except OSError:
                result = None
        assert not list(half_read(home))
        if not disk.refused:
            break
        refused.append(disk.refused.split()[0])
        assert result in (None, undisturbed)
        assert work(home) == undisturbed, f"after {disk.refused}"
        assert names(home) == names(tmp_path / "undisturbed"), f"after {disk.refused}"
    else:
        pytest.fail("there is no end of writing")
    assert "open" in refused
    assert "write" in refused


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
