"""What starting up imports: nothing that a list of papers does not need."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from paperworks.core import papers

HEAVY = {
    "jinja2",
    "matplotlib",
    "numba",
    "numpy",
    "pandas",
    "PIL",
    "safetensors",
    "scipy",
    "sklearn",
    "torch",
    "transformers",
    "triton",
}
MODULES = [f"paperworks.{slug}.paper" for slug in papers()] + [f"paperworks.{slug}" for slug in papers()]


def imported_by(code: str) -> set[str]:
    """The top-level modules that a new interpreter has after ``code``."""
    report = "import json, sys; print('\\n' + json.dumps([name for name in sys.modules if '.' not in name]))"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("module", ["paperworks", "paperworks.core", "paperworks.lab", "paperworks.app.main", *MODULES])
def test_an_import_brings_nothing_heavy(module: str) -> None:
    assert not imported_by(f"import {module}") & HEAVY


def test_the_package_alone_imports_nothing_but_itself() -> None:
    assert imported_by("import paperworks") - imported_by("") == {"paperworks"}


@pytest.mark.parametrize("arguments", [["list"], ["--help"], ["version"]])
def test_a_light_command_brings_nothing_heavy(arguments: list[str]) -> None:
    assert not imported_by(f"from paperworks.app.main import main; main({arguments!r})") & HEAVY


def test_a_papers_commands_are_imported_when_they_are_asked_for_and_not_before(house: Any) -> None:
    folder = house.paper("talks", "yield")
    (folder / "cli.py").write_text(
        "from paperworks.lab import cli\n"
        "app = cli.commands('Say things.')\n"
        "print('imported')\n"
        "@app.command()\ndef say(word: str) -> None:\n    'Say a word.'\n    print(word)\n"
        "@app.command()\ndef shout(word: str) -> None:\n    'Shout a word.'\n    print(word.upper())\n"
    )
    helped = house.call("--help")
    assert helped.code == 0
    assert "talks" in helped.out
    assert "A paper that exists to be run." in helped.out
    assert "imported" not in house.call("list").out + helped.out
    assert house.call("talks", "shout", "hello").out == "imported\nHELLO\n"
    assert "Shout a word." in house.call("TALKS", "--help").out


def test_every_papers_commands_import_nothing_heavy() -> None:
    code = (
        "from importlib import import_module\n"
        "from paperworks.app.main import _with_commands\n"
        "for slug in _with_commands().values(): import_module(f'paperworks.{slug}.cli')"
    )
    assert not imported_by(code) & HEAVY
