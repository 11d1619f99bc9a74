"""A cached folder is whole or absent, and is made again where a bit of it has changed."""

import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import paperworks
from paperworks.lab import Lab
from paperworks.lab.cache import MANIFEST


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab("made_up", home=tmp_path / "home", cache=tmp_path / "cache")


class Maker:
    """Fills a folder and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, folder: Path) -> None:
        self.calls += 1
        (folder / "deep").mkdir()
        (folder / "deep" / "data.bin").write_bytes(bytes(range(256)) * 40)
        (folder / "readme.txt").write_text("made\n")


def left_beside(place: Path) -> list[str]:
    return [path.name for path in place.parent.iterdir() if path.is_dir() and path != place]


def test_a_folder_is_made_once_for_every_paper_and_run(lab, tmp_path):
    make = Maker()
    place = lab.cached("corpus", {"files": 3, "seed": 0}, make)
    other = Lab("other_paper", preset="quick", cache=tmp_path / "cache")
    assert other.cached("corpus", {"seed": 0, "files": 3}, make) == place
    assert make.calls == 1
    assert (place / "deep" / "data.bin").stat().st_size == 10240
    assert place.parent == tmp_path / "cache" / "corpus"
    assert len(place.name) == 64
    assert not left_beside(place)


@pytest.mark.parametrize(
    ("kind", "recipe"), [("corpus", {"n": 2}), ("tokenizer", {"n": 1}), ("corpus", {"n": "1"}), ("corpus", [1])]
)
def test_another_recipe_or_kind_is_another_folder(lab, kind, recipe):
    assert lab.cached("corpus", {"n": 1}, Maker()) != lab.cached(kind, recipe, Maker())


def truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def flip_keeping_size_and_time(file: Path) -> None:
    before = file.stat()
    content = bytearray(file.read_bytes())
    content[5000] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("damage", [truncate, flip_keeping_size_and_time, Path.unlink])
def test_a_damaged_file_is_noticed_and_the_folder_made_again(lab, damage, caplog):
    make = Maker()
    place = lab.cached("corpus", 1, make)
    damage(place / "deep" / "data.bin")
    assert lab.cached("corpus", 1, make) == place
    assert make.calls == 2
    assert "made again" in caplog.text
    lab.cached("corpus", 1, make)
    assert make.calls == 2


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"files": {"readme.txt": 3}}', '{"files": []}'])
def test_a_damaged_manifest_is_noticed(lab, content):
    make = Maker()
    manifest = lab.cached("corpus", 1, make) / MANIFEST
    manifest.unlink() if content is None else manifest.write_text(content)
    lab.cached("corpus", 1, make)
    assert make.calls == 2


def test_a_maker_that_fails_leaves_nothing(lab, tmp_path):
    def fail(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError, match="disk on fire"):
        lab.cached("corpus", 1, fail)
    assert not [path for path in (tmp_path / "cache" / "corpus").iterdir() if path.is_dir()]
    make = Maker()
    lab.cached("corpus", 1, make)
    assert make.calls == 1


def test_a_maker_that_makes_nothing_is_told_so(lab):
    with pytest.raises(ValueError, match="must write files into"):
        lab.cached("corpus", 1, lambda folder: None)
    with pytest.raises(ValueError, match="must write files into"):
        lab.cached("corpus", 1, lambda folder: (folder / MANIFEST).write_text("x"))


@pytest.mark.parametrize("kind", ["", "Corpus", "../x", "a b", "a/b"])
def test_a_kind_is_a_plain_word(lab, kind):
    with pytest.raises(ValueError, match="like 'corpus'"):
        lab.cached(kind, 1, Maker())


def test_a_recipe_says_what_it_is_made_from(lab):
    with pytest.raises(TypeError, match=r"the recipe of a cached corpus\['path'\] is pathlib"):
        lab.cached("corpus", {"path": Path("x")}, Maker())


def _race(cache: str, log: str, barrier: Any) -> None:
    def make(folder: Path) -> None:
        with Path(log).open("a") as file:
            file.write("made\n")
        Maker()(folder)

    barrier.wait()
    place = Lab("made_up", cache=Path(cache)).cached("corpus", 1, make)
    assert (place / "deep" / "data.bin").stat().st_size == 10240


def _run_together(target: Callable[..., None], *arguments: Any, count: int) -> list[int | None]:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(count)
    processes = [context.Process(target=target, args=(*arguments, barrier)) for _ in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def test_makers_in_several_processes_do_not_meet(tmp_path):
    codes = _run_together(_race, str(tmp_path / "cache"), str(tmp_path / "log"), count=3)
    assert codes == [0, 0, 0]
    assert (tmp_path / "log").read_text() == "made\n"


def test_without_locks_the_first_one_wins_and_the_second_takes_it(lab, tmp_path, monkeypatch):
    def no_locks(*_: Any) -> None:
        raise OSError(37, "no locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    first = Maker()

    def second(folder: Path) -> None:
        Maker()(folder)
        lab.cached("corpus", 1, first)  # another process is quicker

    place = lab.cached("corpus", 1, second)
    assert first.calls == 1
    assert (place / "readme.txt").read_text() == "made\n"
    assert not left_beside(place)


def test_what_a_killed_process_left_is_removed(lab, tmp_path):
    def die(cache: str, barrier: Any) -> None:
        def make(folder: Path) -> None:
            (folder / "half").write_text("half")
            os.kill(os.getpid(), 9)

        Lab("made_up", cache=Path(cache)).cached("corpus", 1, make)

    assert _run_together(die, str(tmp_path / "cache"), count=1) == [-9]
    place = lab.cached("corpus", 1, Maker())
    assert not left_beside(place)


# Shipped weights


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The weights folder of a paper that exists for this test alone."""
    folder = tmp_path / "papers" / "made_up" / "weights"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("")
    monkeypatch.setattr(paperworks, "__path__", [*paperworks.__path__, str(tmp_path / "papers")])
    yield folder
    sys.modules.pop("paperworks.made_up", None)
    vars(paperworks).pop("made_up", None)


def test_shipped_weights_are_checked(lab, shipped):
    (shipped / "tiny.safetensors").write_bytes(b"weights")
    record = shipped / "tiny.json"
    record.write_text(json.dumps({"sha256": hashlib.sha256(b"weights").hexdigest()}))
    assert lab.weights("tiny") == shipped / "tiny.safetensors"
    (shipped / "tiny.safetensors").write_bytes(b"weightz")
    with pytest.raises(ValueError, match=r"is damaged: its sha256 is not the one in tiny.json; reinstall"):
        lab.weights("tiny")
    record.write_text("{}")
    with pytest.raises(ValueError, match="does not give the sha256"):
        lab.weights("tiny")
    record.unlink()
    with pytest.raises(FileNotFoundError, match=r"tiny.json is absent; `python -m paperworks.made_up.train_tiny`"):
        lab.weights("tiny")
    with pytest.raises(FileNotFoundError, match="made_up has no weights 'huge'"):
        lab.weights("huge")


# Environments of peers


def wheel(folder: Path) -> Path:
    """A package of one module and one script, as a wheel made by hand: installing it needs no network."""
    path = folder / "tiny_peer-1.0-py3-none-any.whl"
    info = "tiny_peer-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_peer.py", "def main(): print('peer', 6 * 7)\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-peer\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/entry_points.txt", "[console_scripts]\ntiny-peer = tiny_peer:main\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def test_a_peer_lives_in_an_environment_of_its_own(lab, tmp_path):
    requirement = f"tiny-peer @ {wheel(tmp_path).as_uri()}"
    place = lab.venv(requirement)
    code = "import tiny_peer, sys; tiny_peer.main(); print(sys.prefix)"
    run = subprocess.run([place / "bin" / "python", "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["peer 42", str(place)]
    script = subprocess.run([place / "bin" / "tiny-peer"], capture_output=True, text=True, check=True)
    assert script.stdout == "peer 42\n", "scripts must name the place that the environment was moved to"
    assert lab.venv(requirement) == place
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run([place / "bin" / "python", "-c", "import pytest"], capture_output=True, check=True)


def test_a_requirement_that_cannot_be_installed_is_told_in_pips_words(lab, tmp_path):
    absent = (tmp_path / "absent-1.0-py3-none-any.whl").as_uri()
    with pytest.raises(RuntimeError, match=r"could not install absent @ file://\S+: .*absent-1.0"):
        lab.venv(f"absent @ {absent}")
    assert not [path for path in (tmp_path / "cache" / "venv").iterdir() if path.is_dir()]


@pytest.mark.parametrize("requirement", ["torch", "torch>=2", "torch==2.*", "", "-r file", "a==1 b==2"])
def test_a_peer_is_pinned(lab, requirement):
    with pytest.raises(ValueError, match="pin"):
        lab.venv(requirement)
