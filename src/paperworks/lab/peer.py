"""Virtual environments in which peers are measured: packages that must not come into our own environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._, -]+\])?\s*(==\s*[A-Za-z0-9][A-Za-z0-9.+!-]*|@\s*\S+)")


def pinned(requirement: str) -> str:
    """The requirement, if it names one version; ValueError otherwise."""
    if not _PINNED.fullmatch(requirement.strip()):
        raise ValueError(
            f"a peer is measured at one version: pin {requirement!r} as 'name==1.2.3' or 'name @ file:///...'"
        )
    return requirement.strip()


def make(folder: Path, requirements: Sequence[str], *, final: Path) -> None:
    """Fill the empty ``folder`` with an environment that has ``requirements`` and works after a move to ``final``.

    Raises RuntimeError with pip's own words where a requirement cannot be installed.
    """
    _run([sys.executable, "-m", "venv", str(folder)], "make a virtual environment")
    if requirements:
        install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input"]
        _run([*install, "--disable-pip-version-check", *requirements], f"install {', '.join(requirements)}")
    _rewrite_paths(folder, final)


def _run(command: Sequence[str], aim: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME"}}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        errors = [line.removeprefix("ERROR: ") for line in words if line.startswith("ERROR: ")] or words[-1:]
        raise RuntimeError(f"could not {aim}: {' '.join(errors) or f'exit code {done.returncode}'}")


def _rewrite_paths(folder: Path, final: Path) -> None:
    """Let the environment's scripts name the place that it is about to be moved to."""
    before, after = os.fsencode(folder), os.fsencode(final)
    for script in [*(folder / "bin").iterdir(), folder / "pyvenv.cfg"]:
        if script.is_symlink() or not script.is_file():
            continue
        content = script.read_bytes()
        if before in content and b"\0" not in content:
            script.write_bytes(content.replace(before, after))
