"""Parents of sandboxed runs, what they have that is worth stealing, and what every attack must leave as it was."""

from __future__ import annotations

import os
import pickle
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from paperworks.lab.sandbox import Limits, Result, run
from paperworks.lab.sandbox.inside.layers import LANDLOCK, NAMESPACES

AS_USER = Path(__file__).with_name("as_user.py")
ESCAPED = "ESCAPED"
Ask = Callable[[tuple[str, tuple[str, ...], dict[str, Any]]], Any]
# who runs the sandbox, and which layers it does without; the first is the user of these tests
PARENTS = {"all walls": ("", ()), "no Landlock": ("", (LANDLOCK,))}
if os.geteuid() == 0:
    PARENTS |= {
        "nobody": ("nobody", ()),
        "nobody, no namespaces": ("nobody", (NAMESPACES,)),
        "root, no namespaces": ("root", (NAMESPACES,)),
    }
else:
    PARENTS |= {"no namespaces": ("", (NAMESPACES,))}


@dataclass
class Treasure:
    """A folder that everybody may write to, a file in it that everybody may read, an open port, and a secret."""

    folder: Path
    secret: str
    port: int
    abstract: str
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return self.folder / "secret"


@dataclass
class Parent:
    """A process that runs sandboxes; ``ask`` calls a function of the package there."""

    pid: int
    without: tuple[str, ...]
    ask: Ask

    def __call__(self, what: str, /, **given: Any) -> Any:
        if NAMESPACES in self.without:
            given["limits"] = _without_disk(given.get("limits") or Limits())
        return self.ask((what, self.without, given))


def _without_disk(limits: Limits) -> Limits:
    return Limits(
        wall_s=limits.wall_s, cpu_s=limits.cpu_s, memory=limits.memory, output=limits.output, disk=0,
        processes=limits.processes, threads=limits.threads, open_files=limits.open_files,
    )  # fmt: skip


@pytest.fixture(scope="session")
def treasure() -> Iterator[Treasure]:
    folder = Path(tempfile.mkdtemp(prefix="paperworks-treasure-"))
    folder.chmod(0o777)
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as unix:
        tcp.bind(("127.0.0.1", 0))
        abstract = f"paperworks-{secrets.token_hex(4)}"
        unix.bind(f"\0{abstract}")
        for listening in (tcp, unix):
            listening.listen(64)
        here = Treasure(folder, secrets.token_hex(16), tcp.getsockname()[1], abstract)
        here.file.write_text(here.secret)
        here.file.chmod(0o666)
        os.environ["PAPERWORKS_TEST_SECRET"] = here.secret
        yield here
        del os.environ["PAPERWORKS_TEST_SECRET"]
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def as_user(treasure: Treasure) -> Iterator[Callable[[str], tuple[int, Ask]]]:
    """Starts, once each, parents that are other users."""
    children: dict[str, subprocess.Popen[bytes]] = {}

    def start(user: str) -> tuple[int, Ask]:
        if user not in children:
            children[user] = subprocess.Popen(
                [sys.executable, str(AS_USER), user], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        child = children[user]
        assert child.stdin is not None
        assert child.stdout is not None

        def ask(request: tuple[str, tuple[str, ...], dict[str, Any]]) -> Any:
            pickle.dump(request, child.stdin)
            child.stdin.flush()
            return pickle.load(child.stdout)

        return child.pid, ask

    yield start
    for child in children.values():
        child.stdin.close()
        child.stdout.close()
        child.wait()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test meets every parent, but for those that its module's ``LEFT_OUT`` names, and the attacks of its module.

    Of ``MUST_NOT``, the attacks do no harm where they succeed, so that this can be shown; of ``MUST_NOT_EITHER`` not.
    """
    if "parent" in metafunc.fixturenames:
        left_out = getattr(metafunc.module, "LEFT_OUT", set())
        metafunc.parametrize("parent", [name for name in PARENTS if name not in left_out], indirect=True)
    if "shown_attack" in metafunc.fixturenames:
        metafunc.parametrize("shown_attack", _named(metafunc.module.MUST_NOT))
    if "attack" in metafunc.fixturenames:
        metafunc.parametrize("attack", _named(metafunc.module.MUST_NOT | metafunc.module.MUST_NOT_EITHER))


def _named(attacks: dict[str, str]) -> list[Any]:
    return [pytest.param(code, id=f"must not {name}") for name, code in attacks.items()]


@pytest.fixture
def parent(request: pytest.FixtureRequest, treasure: Treasure, as_user: Any) -> Parent:
    user, without = PARENTS[request.param]
    if user:
        return Parent(as_user(user)[0], without, as_user(user)[1])
    import importlib.util

    spec = importlib.util.spec_from_file_location("as_user", AS_USER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return Parent(os.getpid(), without, module.answer)


@pytest.fixture
def check_attack(parent: Parent, treasure: Treasure) -> Callable[..., Result]:
    """Run an attack; it must end in one of ``ends``, tell of no escape and no secret, and change or leave nothing."""

    def check_attack(code: str, ends: str, **given: Any) -> Result:
        result = parent("run", code=aimed(code, treasure, parent.pid), **given)
        assert isinstance(result, Result), result
        assert ESCAPED not in f"{result.stdout}{result.value}", result
        assert treasure.secret not in f"{result.stdout}{result.stderr}{result.value}{result.error}"
        assert result.status in ends.split(), result
        assert treasure.file.read_text() == treasure.secret
        assert [path.name for path in treasure.folder.iterdir()] == ["secret"]
        assert children_of(parent.pid) == []
        return result

    return check_attack


@pytest.fixture
def check_outside(treasure: Treasure) -> Callable[[str], None]:
    """Holds that an attack succeeds where there is no sandbox, so that its failure within one means something."""

    def outside(code: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-S", "-s", "-c", aimed(code, treasure, os.getpid())]
            done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
        assert ESCAPED in done.stdout, done

    return outside


def aimed(code: str, treasure: Treasure, pid: int) -> str:
    aims = {
        "SECRET_FILE": repr(str(treasure.file)),
        "FOLDER": repr(str(treasure.folder)),
        "PORT": str(treasure.port),
        "ABSTRACT": repr(f"\0{treasure.abstract}"),
        "PARENT": str(pid),
    }
    for name, aim in aims.items():
        code = code.replace(f"${name}", aim)
    return code


@pytest.fixture(name="children_of")
def _children_of() -> Callable[[int], list[int]]:
    return children_of


def children_of(parent: int) -> list[int]:
    """The processes of runs that ``parent`` started, wherever they have gone: forks keep their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if len(command) > 3 and command[-2].endswith(b"lab/sandbox") and command[-3] == str(parent).encode():
                found.append(int(folder.name))
    return found


@pytest.fixture(scope="session", autouse=True)
def walls_found() -> None:
    """The trial run of the walls is no part of any test's time."""
    run("")
