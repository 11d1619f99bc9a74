"""The store: whole files or none, and nothing unreadable used or lost."""

from __future__ import annotations

import errno
import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paperworks.app.evidence import Evidence
from paperworks.app.lock import Lock
from paperworks.app.store import Store, parse_any, to_bytes
from paperworks.core import Claim, Measurement, at_least

CLAIM = Claim(id="C1", says="More.", metric="how much", setting="there", source="Table 1", judge=at_least(0, null=0))
RESULT = Measurement(
    claim="C1", value=1.0, low=0.5, high=1.5, interval="seeds", n=3, scale="smaller", setting="here — with a dash"
)


def evidence(**fields: Any) -> Evidence:
    given: dict[str, Any] = {
        "slug": "fake",
        "preset": "quick",
        "sizes": {"seeds": 3},
        "seeds": 3,
        "source": {"paper": "a", "house": "b"},
        "commit": None,
        "started": "2026-01-01T00:00:00+00:00",
        "finished": None,
        "state": "partial",
        "error": None,
        "environment": {"device": "cpu"},
        "cost": {"wall_s": 1.0},
    }
    return Evidence(**(given | fields))


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path: Path, warnings: list[str]) -> Store:
    return Store(tmp_path, warn=warnings.append)


def test_what_is_written_is_read(store: Store, warnings: list[str]) -> None:
    assert store.read("fake", "quick") is None
    kept = evidence().with_result(CLAIM, RESULT)
    assert store.write(kept) == store.path("fake", "quick")
    assert store.read("fake", "quick") == kept
    assert store.read_all("fake") == {"quick": kept}
    assert store.presets("fake") == ["quick"]
    assert not warnings


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"schema": 2}',
        json.dumps(evidence().to_json() | {"slug": "another"}).encode(),
        json.dumps(evidence().to_json() | {"results": [{"claim": "C1"}]}).encode(),
        json.dumps(evidence().to_json() | {"cost": {"wall_s": float("nan")}}).encode(),
        json.dumps(evidence().to_json() | {"sizes": {"rate": 0.5}}).replace("0.5", "1e400").encode(),
        json.dumps(evidence().to_json() | {"sizes": "["}).replace('"["', "[" * 100_000).encode(),
        json.dumps(evidence().to_json() | {"commit": "\udc80"}).encode(),
        json.dumps(evidence().to_json() | {"verdict": "holds"}).encode(),
    ],
    ids=[
        "empty",
        "cut",
        "bytes",
        "list",
        "null",
        "schema",
        "another paper's",
        "bad result",
        "nan",
        "infinite",
        "deep",
        "half a letter",
        "unknown field",
    ],
)
def test_what_cannot_be_read_is_set_aside_with_one_warning(store: Store, warnings: list[str], content: bytes) -> None:
    path = store.path("fake", "quick")
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert store.read("fake", "quick") is None
    assert not path.exists()
    assert path.with_name("quick.json.unreadable-1").read_bytes() == content
    assert len(warnings) == 1
    assert "\n" not in warnings[0]
    assert store.read("fake", "quick") is None
    assert len(warnings) == 1


def test_evidence_says_when_one_bit_of_it_has_changed(store: Store) -> None:
    written = to_bytes(evidence(state="failed", error="why").with_result(CLAIM, RESULT))
    kept = parse_any(written)
    for position in range(len(written)):
        for bit in range(8):
            changed = bytearray(written)
            changed[position] ^= 1 << bit
            try:
                assert parse_any(bytes(changed)) == kept, f"bit {bit} of byte {position} changed what is read"
            except ValueError:
                continue


def test_evidence_from_before_there_were_seals_is_read(store: Store) -> None:
    kept = evidence().with_result(CLAIM, RESULT)
    assert parse_any(json.dumps(kept.to_json()).encode()) == kept


def test_every_unreadable_file_keeps_a_name_of_its_own(store: Store) -> None:
    path = store.path("fake", "quick")
    path.parent.mkdir(parents=True)
    for content in (b"one", b"two", b"three"):
        path.write_bytes(content)
        store.read_all("fake")
    kept = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    assert kept == {f"quick.json.unreadable-{n}": c for n, c in ((1, b"one"), (2, b"two"), (3, b"three"))}
    assert store.presets("fake") == []


def test_a_folder_in_the_files_place_is_set_aside_too(store: Store, warnings: list[str]) -> None:
    store.path("fake", "quick").mkdir(parents=True)
    assert store.read("fake", "quick") is None
    assert len(warnings) == 1
    store.write(evidence())
    assert store.read("fake", "quick") == evidence()


@pytest.fixture(params=["write", "fsync", "replace"])
def full_disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A disk that takes no more: at the write itself (by a limit on file sizes), at the sync, or at the rename."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    if request.param == "write":
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    elif request.param == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(Path, "replace", full)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    monkeypatch.undo()


@pytest.fixture
def written(store: Store) -> Path:
    return store.write(evidence())


def test_a_full_disk_leaves_the_old_file_whole_and_nothing_beside_it(
    store: Store, written: Path, full_disk: None
) -> None:
    with pytest.raises(OSError, match=r"No space left|File too large"):
        store.write(evidence(state="complete"))
    assert store.read("fake", "quick") == evidence()
    assert [file.name for file in written.parent.iterdir()] == ["quick.json"]


def test_the_file_and_its_folder_are_on_the_disk_before_write_returns(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def note(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    path = store.write(evidence())
    file, folder = synced
    assert Path(file).parent == path.parent
    assert Path(folder) == path.parent


def test_what_a_killed_run_left_half_written_is_swept_away(store: Store) -> None:
    path = store.write(evidence())
    path.with_name(".quick.json.0123456789abcdef").write_bytes(b"half")
    others = [".full.json.0123456789abcdef", ".quick.json.notes"]
    for other in others:
        path.with_name(other).write_bytes(b"another's")
    store.sweep("fake", "quick")
    assert sorted(file.name for file in path.parent.iterdir()) == [*others, "quick.json"]


def test_the_steps_of_a_run_under_way_are_its_own(store: Store) -> None:
    steps, lock = store.steps_path("fake", "quick"), Lock(store.lock_path("fake", "quick"))
    steps.mkdir(parents=True)
    assert lock.take() is None
    store.forget_steps("fake", "quick")
    assert steps.is_dir()
    lock.release()
    store.forget_steps("fake", "quick")
    assert not steps.exists()


def test_a_number_that_is_not_finite_is_never_written(store: Store) -> None:
    with pytest.raises(ValueError):
        store.write(evidence(sizes={"rate": float("inf")}))
    assert not store.path("fake", "quick").exists()
