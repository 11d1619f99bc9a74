"""What the parent asks of the child, as JSON in a sealed file that both can read.

Named tuples, because every run waits until the child has imported this, and ``dataclasses`` is slow to import.
"""

from __future__ import annotations

import base64
import json
from typing import Any, NamedTuple

MAIN = "main.py"
"""The name of the file in the scratch folder that holds the code."""
SCRATCH = "/scratch"
"""The scratch folder, where the run has a file system of its own."""


class Bounds(NamedTuple):
    """The limits, in the units of the kernel: bytes, seconds, tasks."""

    cpu_s: int
    memory: int
    processes: int
    threads: int
    disk: int
    open_files: int


class View(NamedTuple):
    """What of this machine's files the run may see, as paths; nothing else is there for it.

    ``mounted`` goes into a file system of the run's own, ``masked`` is emptied in it. Landlock holds the run to what is
    ``readable``, to names in what is ``listable``, and to the ``devices``. The first of ``listable`` is the library.
    """

    mounted: list[str]
    masked: list[str]
    readable: list[str]
    listable: list[str]
    devices: list[str]


class Job(NamedTuple):
    """One run: the code, the walls around it, and what to take from it."""

    code: str
    bounds: Bounds
    layers: list[str]
    view: View
    scratch: str
    files: dict[str, bytes]
    value: str | None = None
    function: str | None = None
    inputs: str = "[]"

    def to_bytes(self) -> bytes:
        """The job as JSON."""
        files = {name: base64.b64encode(content).decode() for name, content in self.files.items()}
        plain = {"bounds": self.bounds._asdict(), "view": self.view._asdict(), "files": files}
        return json.dumps(self._asdict() | plain).encode()

    @staticmethod
    def from_bytes(data: bytes) -> Job:
        """The inverse of `to_bytes`."""
        fields: dict[str, Any] = json.loads(data)
        files = {name: base64.b64decode(content) for name, content in fields["files"].items()}
        return Job(**fields | {"files": files, "bounds": Bounds(**fields["bounds"]), "view": View(**fields["view"])})
