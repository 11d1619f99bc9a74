"""A Ray cluster on this machine: a head that computes nothing, and machines that can be killed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on those systems Ray binds to the loopback address alone
}
_QUICK_TO_NOTICE = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 5_000,
    "health_check_failure_threshold": 4,
}


@dataclass
class Cluster:
    """A house whose commands find the cluster, and its machines by name, each with a home of its own."""

    house: Any
    folder: Path
    ray: Any
    machines: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str) -> None:
        """A machine with two cores; "b" says that it has a GPU too."""
        variables = self.house.environment() | {"PAPERWORKS_HOME": str(self.home(name))}
        self.machines[name] = self.ray.add_node(num_cpus=2, num_gpus=int(name == "b"), env_vars=variables)

    def home(self, name: str) -> Path:
        return self.folder / name

    def kill(self, name: str) -> None:
        """As if the machine's power were cut."""
        machine = self.machines.pop(name)
        for process in self.family(machine):
            with suppress(psutil.NoSuchProcess):  # it has just ended by itself
                process.kill()
        self.ray.remove_node(machine, allow_graceful=False)

    def of(self, process: psutil.Process) -> str:
        """The name of the machine that ``process`` runs on."""
        return next(name for name, machine in self.machines.items() if process in self.family(machine))

    @staticmethod
    def family(machine: Any) -> list[psutil.Process]:
        roots = [psutil.Process(info.process.pid) for infos in machine.all_processes.values() for info in infos]
        found = set(roots)
        for root in roots:
            with suppress(psutil.NoSuchProcess):
                found.update(root.children(recursive=True))
        return list(found)


@pytest.fixture(scope="module")
def cluster(make_house: Any) -> Iterator[Cluster]:
    """A head and two machines, "a" and "b"."""
    folder = Path(tempfile.mkdtemp(prefix="pw-", dir="/tmp"))  # Ray's sockets need a short path
    with pytest.MonkeyPatch.context() as patched:
        for name, value in (_QUIET | {"RAY_TMPDIR": str(folder)}).items():
            patched.setenv(name, value)
        from ray.cluster_utils import Cluster as Processes

        processes = Processes(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "include_dashboard": False, "_system_config": _QUICK_TO_NOTICE},
        )
        try:
            (folder / "house").mkdir()
            house = make_house(folder / "house")
            house.variables |= _QUIET | {"FAKE_PLACE": str(folder), "RAY_ADDRESS": processes.address}
            made = Cluster(house, folder, processes)
            made.add("a")
            made.add("b")
            yield made
        finally:
            processes.shutdown()
            shutil.rmtree(folder, ignore_errors=True)
