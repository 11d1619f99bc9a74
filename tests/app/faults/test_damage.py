"""Files that were truncated, or in which bits flipped, at any byte: made again or refused, never believed."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paperworks.app.store import Store, to_bytes
from paperworks.lab import Lab, weights

Damage = tuple[float, int | None]
DAMAGES = st.tuples(st.floats(0, 1, exclude_max=True), st.none() | st.integers(0, 7))
"""Where, as a share of the file, and which bit is flipped there; None cuts the file off."""

FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def damaged(whole: bytes, damage: Damage) -> bytes:
    share, bit = damage
    position = int(share * len(whole))
    if bit is None:
        return whole[:position]
    return whole[:position] + bytes([whole[position] ^ (1 << bit)]) + whole[position + 1 :]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An entry of the cache, a step and shipped weights, and what to ask for them again."""
    logging.disable(logging.WARNING)  # thousands of entries are made again
    lab = Lab("fake", home=tmp_path / "steps", cache=tmp_path / "cache")
    made = {"cache": 0, "step": 0}

    def fill(folder: Path) -> None:
        made["cache"] += 1
        (folder / "deep").mkdir()
        (folder / "deep" / "data.bin").write_bytes(bytes(range(64)))
        (folder / "words.txt").write_text("made\n")

    def train() -> dict[str, Any]:
        made["step"] += 1
        return {"weights": np.arange(20.0), "loss": 0.25}

    def cached() -> object:
        entry = lab.cached("corpus", {"size": 3}, fill)
        return (entry / "deep" / "data.bin").read_bytes(), (entry / "words.txt").read_bytes()

    def step() -> object:
        value = lab.step("train", train)
        return value["weights"].tolist(), value["loss"]

    shipped = tmp_path / "fake" / "weights"
    shipped.mkdir(parents=True)
    (shipped / "tiny.safetensors").write_bytes(bytes(range(256)))
    (shipped / "tiny.json").write_text(json.dumps({"seed": 0, "sha256": hashlib.sha256(bytes(range(256))).hexdigest()}))
    monkeypatch.setattr(weights, "files", lambda _: tmp_path / "fake")
    yield SimpleNamespace(root=tmp_path, made=made, cached=cached, step=step, lab=lab, shipped=shipped)
    logging.disable(logging.NOTSET)


def cache_file(place: Any, name: str) -> Path:
    place.cached()
    (entry,) = (folder for folder in (place.root / "cache" / "corpus").iterdir() if folder.is_dir())
    return Path(entry / name)


def step_file(place: Any) -> Path:
    place.step()
    (file,) = (place.root / "steps").glob("*.step")
    return Path(file)


def check_cached(place: Any, name: str, damage: Damage) -> None:
    right = place.cached()
    file = cache_file(place, name)
    whole, before = file.read_bytes(), place.made["cache"]
    file.write_bytes(damaged(whole, damage))
    assert place.cached() == right
    assert place.made["cache"] == before + 1
    assert file.read_bytes() == whole


def check_step(place: Any, damage: Damage) -> None:
    right = place.step()
    file = step_file(place)
    whole, before = file.read_bytes(), place.made["step"]
    file.write_bytes(damaged(whole, damage))
    assert place.step() == right
    assert place.made["step"] == before + 1
    assert file.read_bytes() == whole


def check_weights(place: Any, name: str, damage: Damage) -> None:
    file = place.shipped / name
    whole = file.read_bytes()
    file.write_bytes(damaged(whole, damage))
    refusal = ""
    try:
        used = place.lab.weights("tiny").read_bytes()
    except ValueError as error:
        refusal = str(error)
    file.write_bytes(whole)
    if refusal:
        assert "\n" not in refusal
        assert "python -m paperworks.fake.train_tiny" in refusal
    else:
        assert used == bytes(range(256)), "what is not the bytes that were shipped was taken for them"


FILES_OF_THE_CACHE = ("deep/data.bin", "words.txt", ".manifest.json")
FILES_OF_WEIGHTS = ("tiny.safetensors", "tiny.json")


@FEW
@given(st.sampled_from(FILES_OF_THE_CACHE), DAMAGES)
def test_a_damaged_cache_entry_is_made_again(place: Any, name: str, damage: Damage) -> None:
    check_cached(place, name, damage)


@FEW
@given(DAMAGES)
def test_a_damaged_step_is_computed_again(place: Any, damage: Damage) -> None:
    check_step(place, damage)


@FEW
@given(st.sampled_from(FILES_OF_WEIGHTS), DAMAGES)
def test_damaged_weights_are_refused_in_a_sentence(place: Any, name: str, damage: Damage) -> None:
    check_weights(place, name, damage)


@FEW
@given(damage=DAMAGES)
def test_damaged_evidence_is_set_aside_or_unharmed(sample_evidence: Any, tmp_path: Path, damage: Damage) -> None:
    check_evidence(sample_evidence, tmp_path, damage)


def check_evidence(evidence: Any, home: Path, damage: Damage) -> None:
    warnings: list[str] = []
    store = Store(home, warn=warnings.append)
    path = store.path(evidence.slug, evidence.preset)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = damaged(to_bytes(evidence), damage)
    path.write_bytes(content)
    read = store.read(evidence.slug, evidence.preset)
    assert read in (None, evidence)
    assert len(warnings) == (read is None)
    if read is None:
        (aside,) = path.parent.glob("*.unreadable-*")
        assert aside.read_bytes() == content
        aside.unlink()


def everywhere(size: int) -> Iterator[Damage]:
    """A bit of each of so many bytes, and every place to cut them off."""
    for position in range(size):
        for bit in (None, position % 8):
            yield (position + 0.5) / size, bit


def row(what: str, times: int, outcome: str) -> dict[str, Any]:
    fault = f"a bit of {what} flipped, or the file cut off"
    return {"fault": fault, "how": "at every byte, and to every length", "times": times, "outcome": outcome}


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", FILES_OF_THE_CACHE)
def test_every_byte_of_a_cache_entry(place: Any, survived: Any, name: str) -> None:
    damages = list(everywhere(cache_file(place, name).stat().st_size))
    for damage in damages:
        check_cached(place, name, damage)
    survived(**row(f"a cache entry's {name}", len(damages), "detected by its hash, and made again"))


@pytest.mark.long
@pytest.mark.timeout(300)
def test_every_byte_of_a_step(place: Any, survived: Any) -> None:
    damages = list(everywhere(step_file(place).stat().st_size))
    for damage in damages:
        check_step(place, damage)
    survived(**row("a finished step", len(damages), "detected by its hash, and computed again"))


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", FILES_OF_WEIGHTS)
def test_every_byte_of_shipped_weights(place: Any, survived: Any, name: str) -> None:
    damages = list(everywhere((place.shipped / name).stat().st_size))
    for damage in damages:
        check_weights(place, name, damage)
    survived(**row(f"shipped {name}", len(damages), "refused in a sentence, or the weights are unharmed"))


@pytest.mark.long
@pytest.mark.timeout(300)
def test_every_byte_of_evidence(sample_evidence: Any, tmp_path: Path, survived: Any) -> None:
    damages = list(everywhere(len(to_bytes(sample_evidence))))
    for damage in damages:
        check_evidence(sample_evidence, tmp_path, damage)
    survived(**row("an evidence file", len(damages), "set aside with a warning, or it says what it said"))
