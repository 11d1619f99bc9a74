"""What travels between the driver and the machines of a cluster."""

from __future__ import annotations

from dataclasses import dataclass, field

from paperworks.app import environment
from paperworks.app.engine import memory_limit
from paperworks.app.job import Job
from paperworks.app.process import Usage

NOTHING_USED = Usage(cpu_s=0.0, peak_mb=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A job for whichever machine has room for it; ``memory_gb=None`` means a share of that machine's memory."""

    job: Job
    memory_gb: float | None

    @property
    def resources(self) -> dict[str, float]:
        """What Ray sets aside for it: its threads, and a GPU where its device is one."""
        asked: dict[str, float] = {"num_cpus": self.job.threads, "num_gpus": int(self.job.device == "cuda")}
        return asked if self.memory_gb is None else asked | {"memory": self.memory_gb * 1e9}

    @property
    def needs(self) -> str:
        """The same in words: what a machine must have free."""
        asked = [f"{self.job.threads} free CPUs"]
        if self.job.device == "cuda":
            asked.append("a free GPU")
        if self.memory_gb is not None:
            asked.append(f"{self.memory_gb:g} GB of free memory")
        return f"a machine with {' and '.join(asked)}"

    @property
    def memory_limit(self) -> float:
        """The bytes that a child of this order may hold on the machine that asks."""
        return memory_limit(self.memory_gb, share=min(1.0, self.job.threads / environment.cores()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a machine says of its child a few times a second: what is new in events and output, and how it stands.

    ``events`` are whole lines, so that a machine that is lost leaves no half of one behind. ``held`` is in bytes.
    """

    machine: str
    memory_limit: float
    events: bytes = b""
    printed: bytes = b""
    held: int = 0
    usage: Usage = field(default=NOTHING_USED)
    exit_status: int | None = None
