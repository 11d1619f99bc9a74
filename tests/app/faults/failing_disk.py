"""A disk that refuses the n-th of the calls that change it: to open for writing, write, sync, rename, make a folder.

For tests in this process as the context manager `FailingDisk`. For a process of its own, ``sitecustomize.py`` with
`SITECUSTOMIZE` reads from the environment what to refuse.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

SITECUSTOMIZE = """
import importlib.util, os, sys
if "FAILING_DISK" in os.environ:
    spec = importlib.util.spec_from_file_location("failing_disk", os.environ["FAILING_DISK"])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    is_child = "PAPERWORKS_EVENTS" in os.environ
    if is_child == (os.environ["FAILING_PROCESS"] == "child"):
        disk = module.FailingDisk(os.environ["FAILING_UNDER"], int(os.environ["FAILING_AT"]), stays_full=False)
        disk.report = os.environ["FAILING_REPORT"]
        disk.__enter__()
"""


class FailingDisk:
    """Below the folder ``under``, the call number ``at`` (from 1) fails with ENOSPC; later ones too if it stays full.

    A write that is refused has written half of its data. ``refused`` says which call it was, "" while there was none.
    """

    def __init__(self, under: str, at: int, *, stays_full: bool) -> None:
        self.refused = ""
        self.report = ""
        self._under = os.path.realpath(under)
        self._at = at
        self._stays_full = stays_full
        self._calls = 0
        self._real = {"open": io.open, **{name: getattr(os, name) for name in ("fsync", "replace", "rename", "mkdir")}}

    def __enter__(self) -> Self:
        io.open = builtins.open = self._open  # type: ignore[assignment]
        for name in ("replace", "rename", "mkdir"):
            setattr(os, name, self._on_path(name, self._real[name]))
        os.fsync = self._fsync
        return self

    def __exit__(self, *_: object) -> None:
        io.open = builtins.open = self._real["open"]
        for name in ("fsync", "replace", "rename", "mkdir"):
            setattr(os, name, self._real[name])

    def call(self, kind: str, path: Any) -> bool:
        """Count a call on ``path``; True where it is to be refused."""
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        where = os.path.realpath(os.fsdecode(path))
        if not (where == self._under or where.startswith(self._under + os.sep)):
            return False
        self._calls += 1
        if self._calls != self._at and not (self._stays_full and self._calls > self._at):
            return False
        if not self.refused:
            self.refused = f"{kind} {os.path.relpath(where, self._under)}"
            if self.report:
                with self._real["open"](self.report, "w") as file:
                    file.write(self.refused)
        return True

    def _fsync(self, descriptor: int) -> None:
        if self.call("fsync", Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise full()
        self._real["fsync"](descriptor)

    def _on_path(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def tried(path: Any, *more: Any, **options: Any) -> Any:
            if self.call(name, path):
                raise full()
            return real(path, *more, **options)

        return tried

    def _open(self, file: Any, mode: str = "r", buffering: int = -1, *more: Any, **options: Any) -> Any:
        if not set(mode) & set("wax+") or isinstance(file, int):
            return self._real["open"](file, mode, buffering, *more, **options)
        if self.call("open", file):
            raise full()
        raw = _Raw(file, mode.replace("b", "").replace("t", ""))
        raw.disk = self
        if buffering == 0:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, *more, **options)


class _Raw(io.FileIO):
    disk: FailingDisk

    def write(self, data: Any) -> int:
        if self.disk.call("write", self.name):
            super().write(memoryview(data).cast("B")[: len(data) // 2])
            raise full()
        return super().write(data)


def full() -> OSError:
    """What a full disk says."""
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
