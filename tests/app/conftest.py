"""A house of small fake papers, in a copy of the package, so that commands and children are real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import paperworks

PAPER = """
from paperworks.core import Claim, Paper, at_least

PAPER = Paper(
    slug={slug!r}, arxiv="2410.00001", title="A fake called {slug}", authors=("A. Author",), field="testing",
    gist="A paper that exists to be run.",
    claims=tuple(
        Claim(id=i, says=f"Claim {{i}} of {slug}.", metric="a number", setting="the paper's", source="Table 1",
              judge=at_least(0, null=0))
        for i in {claims!r}
    ),
)
"""

EXPERIMENT = '''
import json, os, signal, subprocess, sys
from dataclasses import dataclass
from pathlib import Path
from paperworks.core import Measurement, Untested, UserError

HERE = Path(os.environ.get("FAKE_PLACE", "."))


@dataclass(frozen=True, kw_only=True)
class Sizes:
    seeds: int
    size: int = 4


PRESETS = {{name: Sizes(seeds=3) for name in ("smoke", "quick", "full", "gpu")}}


def found(claim, value=1.0, **more):
    given = dict(low=value - 0.1, high=value + 0.1, interval="seeds", n=3, scale="smaller", setting="a fake") | more
    return Measurement(claim=claim, value=value, **given)


def count(value):
    with (HERE / "count").open("a") as file:
        file.write("x")
    return value


def tell_and_wait():
    """Say that this point is reached, with our process id, and wait to be ended."""
    with (HERE / "reached").open("w") as file:
        file.write(str(os.getpid()))
    signal.pause()


def run(lab, sizes):
{body}
'''


@dataclass
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def of(self, slug: str) -> dict[str, Any]:
        return next(paper for paper in self.json["papers"] if paper["slug"] == slug)


@dataclass
class House:
    """A copy of the package whose papers are the test's own."""

    root: Path
    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def package(self) -> Path:
        return self.root / "paperworks"

    def paper(self, slug: str, body: str, claims: tuple[str, ...] = ("C1", "C2")) -> Path:
        folder = self.package / slug
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").write_text('"""A fake."""\n')
        (folder / "paper.py").write_text(PAPER.format(slug=slug, claims=claims))
        (folder / "experiment.py").write_text(EXPERIMENT.format(body=textwrap.indent(textwrap.dedent(body), "    ")))
        return folder

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PAPERWORKS_", "FORCE_"))}
        return kept | {"PYTHONPATH": str(self.root), "PAPERWORKS_HOME": str(self.home), **self.variables}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "paperworks.app.main", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment(),
            cwd=self.root,
        )

    def call(self, *arguments: str) -> Done:
        process = self.start(*arguments)
        try:
            out, err = process.communicate()
        except BaseException:
            process.send_signal(signal.SIGKILL)
            raise
        return Done(process.returncode, out, err)

    def evidence(self, slug: str, preset: str = "smoke") -> dict[str, Any]:
        return json.loads(self.evidence_file(slug, preset).read_text())

    def evidence_file(self, slug: str, preset: str = "smoke") -> Path:
        return self.home / "runs" / slug / f"{preset}.json"

    def change_evidence(self, slug: str, preset: str, /, **fields: Any) -> None:
        """Evidence with other fields, and without the seal that would tell."""
        changed = self.evidence(slug, preset) | fields
        changed.pop("sha256")
        self.evidence_file(slug, preset).write_text(json.dumps(changed))


def build_house(root: Path) -> House:
    """A copy of the package without its papers."""
    source = Path(paperworks.__file__).parent
    package = root / "paperworks"
    package.mkdir()
    shutil.copy2(source / "__init__.py", package)
    for part in ("core", "lab", "app"):
        shutil.copytree(source / part, package / part)
    return House(root=root, home=root / "home")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return build_house(tmp_path)


@pytest.fixture(scope="module")
def shared_house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """One house for a module's tests, which must not change each other's papers."""
    return build_house(tmp_path_factory.mktemp("house"))


@pytest.fixture(scope="session")
def make_house() -> Callable[[Path], House]:
    """Builds a house in a folder of one's own choice."""
    return build_house
