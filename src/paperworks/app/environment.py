"""The machine that a run takes place on: what it is, what a child is given of it, and what is written down about it."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import psutil

from paperworks.lab import device as devices

from . import fingerprint

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def describe(slug: str, device: str, threads: int) -> dict[str, Any]:
    """The environment as an evidence file holds it; ``gpu`` is None where the run does not use one."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": devices.describe("cpu"),
        "cores": cores(),
        "gpu": None if device == "cpu" else devices.describe(device),
        "threads": threads,
        "device": device,
        "packages": fingerprint.packages(slug),
    }


def cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_bytes() -> int:
    """The memory that this process may use: the machine's, or what its container is given."""
    limits = [int(psutil.virtual_memory().total)]
    for name in _CGROUP_LIMITS:
        try:
            limits.append(int(Path(name).read_text(encoding="ascii")))
        except (OSError, ValueError):
            continue
    return min(limits)


def child_variables(*, threads: int, online: bool) -> dict[str, str]:
    """The environment variables of a child, set before its Python starts: numerical libraries read them on import."""
    variables = dict(os.environ)
    variables |= {name: str(threads) for name in _THREAD_VARIABLES}
    variables["PYTHONHASHSEED"] = "0"
    variables.pop("HF_HUB_OFFLINE", None)
    if not online:
        variables["HF_HUB_OFFLINE"] = "1"
    return variables


def commit() -> str | None:
    """The commit that is checked out, where the package runs from a checkout of its own source; None elsewhere."""
    root = source_tree()
    if root is None:
        return None
    try:
        asked = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip() or None


def source_tree() -> Path | None:
    """The root of the checkout that the package runs from, None where it is installed without its source tree."""
    root = fingerprint.PACKAGE.parent.parent
    here = root / "src" / "paperworks"
    return root if here == fingerprint.PACKAGE and (root / "pyproject.toml").is_file() else None
