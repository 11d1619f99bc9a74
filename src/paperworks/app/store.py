"""Where runs are kept: one evidence file a paper and preset, replaced whole or not at all.

``$PAPERWORKS_HOME/runs/<slug>/<preset>.json`` holds this machine's evidence, with the log, the lock and the finished
steps of an unfinished run beside it. Published evidence lies in the package, and is only ever read.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from paperworks.core import UserError
from paperworks.lab import cli, seal
from paperworks.lab.disk import remove_half_written, write_atomically

from . import strict_json
from .evidence import Evidence
from .lock import Lock

PUBLISHABLE = ("quick", "full", "gpu", "bench")
"""The presets whose evidence may be published with the package."""


def published(slug: str) -> dict[str, Evidence]:
    """The evidence that came with the package, by preset; a file that cannot be read is left out, with a warning."""
    folder = resources.files("paperworks") / slug / "evidence"
    found: dict[str, Evidence] = {}
    for preset in PUBLISHABLE:
        file = folder / f"{preset}.json"
        if not file.is_file():
            continue
        try:
            found[preset] = parse(file.read_bytes(), slug, preset)
        except (OSError, ValueError) as error:
            cli.warn(f"published evidence {slug}/{preset}.json is left out: {error}")
    return found


def parse(data: bytes, slug: str, preset: str) -> Evidence:
    """The evidence in ``data``; ValueError where it is not the evidence of that paper at that preset."""
    evidence = parse_any(data)
    if (evidence.slug, evidence.preset) != (slug, preset):
        raise ValueError(f"it is of {evidence.slug} at {evidence.preset}, not of {slug} at {preset}")
    return evidence


def parse_any(data: bytes) -> Evidence:
    """The evidence in ``data``, of whatever paper and preset; ValueError where it is none, or not as it was written."""
    record = strict_json.loads(data)
    evidence = Evidence.from_json(record)
    seal.check(record)
    return evidence


def read_file(file: Path) -> Evidence:
    """The evidence in a file that a person named; UserError, in a sentence, where it holds none."""
    try:
        return parse_any(file.read_bytes())
    except FileNotFoundError:
        raise UserError(f"there is no file {file}; `paperworks run` prints where it keeps its evidence") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{file} is no evidence of a run: {error}") from error


def to_bytes(evidence: Evidence) -> bytes:
    """The evidence file's content; ValueError where a number in it is not finite."""
    record = seal.sealed(evidence.to_json())
    return (json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


class Store:
    """This machine's evidence. ``warn`` is told, in one sentence, of every file that had to be set aside."""

    def __init__(self, home: Path, *, warn: Callable[[str], None] = cli.warn) -> None:
        self.home = home
        self._warn = warn

    def path(self, slug: str, preset: str) -> Path:
        """The evidence file of that paper at that preset."""
        return self.home / "runs" / slug / f"{preset}.json"

    def log_path(self, slug: str, preset: str) -> Path:
        """What the last run of that paper at that preset printed."""
        return self.path(slug, preset).with_suffix(".log")

    def lock_path(self, slug: str, preset: str) -> Path:
        """The file that a run of that paper at that preset holds locked."""
        return self.path(slug, preset).with_suffix(".lock")

    def steps_path(self, slug: str, preset: str) -> Path:
        """The finished steps of an unfinished run: what the next run replays."""
        return self.path(slug, preset).with_suffix(".steps")

    def read(self, slug: str, preset: str) -> Evidence | None:
        """The evidence, or None where there is none. A file that is not evidence is set aside, never used."""
        path = self.path(slug, preset)
        try:
            return parse(path.read_bytes(), slug, preset)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self._set_aside(path, error)
            return None

    def read_all(self, slug: str) -> dict[str, Evidence]:
        """Every evidence of that paper, by preset."""
        read = {preset: self.read(slug, preset) for preset in self.presets(slug)}
        return {preset: evidence for preset, evidence in read.items() if evidence}

    def presets(self, slug: str) -> list[str]:
        """The presets that have an evidence file, without reading any."""
        return sorted(path.stem for path in self.path(slug, "any").parent.glob("[!.]*.json"))

    def write(self, evidence: Evidence) -> Path:
        """Replace the evidence of that paper and preset, atomically; returns its path. Raises OSError."""
        path = self.path(evidence.slug, evidence.preset)
        write_atomically(path, to_bytes(evidence))
        return path

    def forget_steps(self, slug: str, preset: str) -> None:
        """Remove the finished steps that a run left behind which was cut off once its evidence was complete.

        Where another run of that paper at that preset is under way, they are its own.
        """
        steps, lock = self.steps_path(slug, preset), Lock(self.lock_path(slug, preset))
        if steps.is_dir() and lock.take() is None:
            shutil.rmtree(steps, ignore_errors=True)
            lock.release()

    def sweep(self, slug: str, preset: str) -> None:
        """Remove what a run that was killed while it wrote has left beside the evidence."""
        path = self.path(slug, preset)
        remove_half_written(path.parent, path.name)

    def _set_aside(self, path: Path, error: Exception) -> None:
        taken = {other.name for other in path.parent.glob(f"{path.name}.unreadable-*")}
        number = next(n for n in range(1, len(taken) + 2) if f"{path.name}.unreadable-{n}" not in taken)
        aside = path.with_name(f"{path.name}.unreadable-{number}")
        try:
            path.rename(aside)
        except OSError as refusal:
            self._warn(f"{path} is no evidence that can be read ({_in_short(error)}) and is not used: {refusal}")
            return
        self._warn(f"{path} is no evidence that can be read ({_in_short(error)}); it is kept as {aside.name}")


def published_presets(slug: str) -> list[str]:
    """The presets that have published evidence, without reading any."""
    folder = resources.files("paperworks") / slug / "evidence"
    return [preset for preset in PUBLISHABLE if (folder / f"{preset}.json").is_file()]


def _in_short(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text if len(text) <= 120 else f"{text[:119]}…"
