"""Which walls this machine can put up, found out by putting them up, and whether they are enough."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from . import supervise
from .inside.job import SCRATCH, Job, View
from .inside.layers import LANDLOCK, LIMITS, NAMESPACES, OWN_USER, SECCOMP
from .inside.syscalls import MACHINES
from .limits import Limits

_GUARANTEES = {
    NAMESPACES: "file system, processes, network and IPC of the run's own; the scratch folder is memory of fixed size",
    OWN_USER: "a user that owns no file and runs nothing else (where the parent is root)",
    LANDLOCK: "no file but the standard library, no TCP, no signal to others, checked by the kernel at each use",
    SECCOMP: "a list of allowed system calls: no socket, no program, no process but the own",
    LIMITS: "CPU time, memory, tasks, file size, open files; no capability, no new privilege, no core dump",
}
_LINKED = "crypto ssl ffi z lzma bz2 expat sqlite3 readline tinfo ncurses panel uuid mpdec gdbm db nsl"
_HIDDEN = ("dist-packages", "site-packages", "test")
_DEVICES = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"]


class SandboxUnavailable(RuntimeError):
    """This machine cannot keep what a run was promised to keep, so nothing is run. The message names the layer."""


@dataclass(frozen=True, slots=True)
class Walls:
    """The layers that stand here, and for the others why not."""

    standing: tuple[str, ...]
    missing: dict[str, str]

    def require(self, limits: Limits) -> None:
        """Raises `SandboxUnavailable` where these walls cannot keep ``limits``, or cannot hold at all."""
        for layer in (SECCOMP, LIMITS, OWN_USER):
            if layer in self.missing:
                raise unavailable(layer, self.missing[layer])
        if NAMESPACES not in self.missing:
            return
        why = self.missing[NAMESPACES]
        if LANDLOCK in self.missing:
            raise unavailable(f"{NAMESPACES} or {LANDLOCK}", f"{why}; {self.missing[LANDLOCK]}", "files")
        if limits.disk:
            raise unavailable(NAMESPACES, why, "disk", "with Limits(disk=0)")
        if limits.processes > 1:
            raise unavailable(NAMESPACES, why, "processes", "with Limits(processes=1)")


def job(
    found: Walls, code: str, limits: Limits, scratch: str, files: dict[str, bytes] | None = None, **asked: Any
) -> Job:
    """The job of running ``code`` behind these walls; ``asked`` is what to take from it."""
    return Job(
        code=code,
        bounds=limits.bounds(),
        layers=list(found.standing),
        view=_view(),
        scratch=scratch,
        files=files or {},
        **asked,
    )


@contextmanager
def scratch_folder(found: Walls) -> Iterator[str]:
    """Where the code's files lie: in memory of the run's own, or else in a temporary folder that is removed after."""
    if NAMESPACES in found.standing:
        yield SCRATCH
        return
    with TemporaryDirectory(prefix="sandbox-") as folder:
        Path(folder).chmod(0o755)  # the run may have a user of its own
        yield folder


@cache
def walls() -> Walls:
    """The walls of this machine for this user; the first call tries them, which takes a run that does nothing.

    Raises `SandboxUnavailable` where not even a child can be started.
    """
    if (unsupported := _unsupported()) is not None:
        return Walls((), dict.fromkeys(_GUARANTEES, unsupported))
    wanted = [layer for layer in _GUARANTEES if layer != OWN_USER or os.geteuid() == 0]
    missing: dict[str, str] = {}
    while True:
        found = Walls(tuple(layer for layer in wanted if layer not in missing), dict(missing))
        refused = _tried(found)
        if refused is None:
            return found
        if refused.layer not in found.standing:
            raise unavailable(refused.layer, refused.why)
        missing[refused.layer] = refused.why


def describe() -> str:
    """The layers, one a line: which stand on this machine and what each keeps, or why it is missing."""
    try:
        found = walls()
    except SandboxUnavailable as error:
        return str(error)
    return "\n".join([*(_line(layer, found) for layer in _GUARANTEES), _summary(found)])


def _line(layer: str, found: Walls) -> str:
    if layer in found.missing:
        return f"{layer:<11} NO   {found.missing[layer]}"
    return f"{layer:<11} {'yes' if layer in found.standing else '-':<4} {_GUARANTEES[layer]}"


def _summary(found: Walls) -> str:
    try:
        found.require(Limits())
    except SandboxUnavailable as error:
        return str(error)
    return "runs are possible with every limit"


def _unsupported() -> str | None:
    if sys.platform != "linux":
        return f"it needs the Linux kernel, and this is {platform.system() or sys.platform}"
    if platform.machine() not in MACHINES:
        return f"it knows the system calls of {' and '.join(MACHINES)}, and this is {platform.machine()}"
    return None


def _tried(found: Walls) -> supervise.Refusal | None:
    """What the kernel says to a run of nothing behind these walls; None where they all stand."""
    limits = Limits(disk=Limits().disk if NAMESPACES in found.standing else 0)
    try:
        with scratch_folder(found) as folder:
            supervise.supervise(job(found, "", limits, folder), b"", limits, 0)
    except supervise.Refusal as refused:
        return refused
    return None


def unavailable(layer: str, why: str, what: str = "anything", instead: str = "") -> SandboxUnavailable:
    """The error that says which layer is missing, why, what that leaves open, and what could be asked for instead."""
    return SandboxUnavailable(
        f"no code is run here: {layer} cannot be had ({why}), and without it the limits on {what} do not hold"
        + (f"; {instead} it is not needed" if instead else "")
    )


@cache
def _view() -> View:
    """The standard library without what is installed in it, what its extension modules link, and four devices."""
    library = Path(os.__file__).parent
    shared = [str(path) for path in (*_system_libraries(), *_bundled_libraries())]
    others = [*shared, "/usr/share/zoneinfo", "/etc/ld.so.cache"]
    return View(
        mounted=[str(library), *others],
        masked=[str(library / name) for name in _HIDDEN],
        readable=[str(entry) for entry in sorted(library.iterdir()) if entry.name not in _HIDDEN] + others,
        listable=[str(library)],
        devices=_DEVICES,
    )


def _system_libraries() -> list[Path]:
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    folders = [Path(root, multiarch) for root in ("/lib", "/usr/lib") if multiarch and Path(root, multiarch).is_dir()]
    return folders or [path for path in map(Path, ("/lib64", "/usr/lib64")) if path.is_dir()] or [Path("/usr/lib")]


def _bundled_libraries() -> list[Path]:
    """What the extension modules of a Python with libraries of its own are linked against."""
    folder = Path(sys.base_prefix, "lib")
    if folder in {Path("/usr/lib"), Path("/lib")}:
        return []
    return sorted(path for name in _LINKED.split() for path in folder.glob(f"lib{name}*.so*"))
