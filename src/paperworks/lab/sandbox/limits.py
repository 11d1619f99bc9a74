"""What one run may use."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .inside.job import Bounds

MIB = 1 << 20
_LEAST_MEMORY = 64 * MIB  # the interpreter alone has half of this mapped


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one run: seconds, bytes, and counts. Going over one ends the run, or fails the call that would.

    ``wall_s`` counts from where the code starts; ``cpu_s`` (None: as ``wall_s``) is rounded up to whole seconds.
    ``memory`` is address space, of each process. ``output`` is what standard output, standard error and the returned
    values may each come to. ``disk`` is the room in the scratch folder; 0 lets the code write no file. ``processes``
    above 1 lets it fork; ``threads`` counts those beside the first. No limit lets it start a program or use a network.

    Raises ValueError for limits that no run could keep.
    """

    wall_s: float = 10.0
    cpu_s: float | None = None
    memory: int = 512 * MIB
    output: int = MIB
    disk: int = 16 * MIB
    processes: int = 1
    threads: int = 8
    open_files: int = 64

    def __post_init__(self) -> None:
        for name in ("wall_s", "cpu_s"):
            seconds = getattr(self, name)
            if seconds is not None and not (seconds > 0 and math.isfinite(seconds)):
                raise ValueError(f"{name} is {seconds}; give seconds above 0, such as 10")
        least = {"memory": _LEAST_MEMORY, "output": 0, "disk": 0, "processes": 1, "threads": 0, "open_files": 16}
        for name, floor in least.items():
            if getattr(self, name) < floor:
                raise ValueError(f"{name} is {getattr(self, name)}; give at least {floor}")

    def bounds(self) -> Bounds:
        """The same in the units that the kernel counts in."""
        return Bounds(
            cpu_s=math.ceil(self.wall_s if self.cpu_s is None else self.cpu_s),
            memory=self.memory,
            processes=self.processes,
            threads=self.threads,
            disk=self.disk,
            open_files=self.open_files,
        )
