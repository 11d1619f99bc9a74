"""The engine of many machines: a Ray cluster that exists, at the address in ``RAY_ADDRESS``."""

from __future__ import annotations

import logging
import os
import shutil
import socket
from contextlib import ExitStack, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any, Self

from paperworks.app.engine import CORES_A_JOB
from paperworks.app.job import Job, Settings
from paperworks.core import MissingExtra, UserError
from paperworks.lab import places

try:
    import ray
except ModuleNotFoundError as absent:
    raise MissingExtra("--engine ray", "ray", "ray") from absent

from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from . import node
from .child import RemoteChild
from .order import Order
from .stream import Stream, first_line

_CONNECT_S = 5.0
_CLEAR_S = 5.0
_EXAMPLE = "such as 10.0.0.1:6379"


class Ray:
    """See `engine.Engine`. A paper is given its threads, and one GPU where its device is ``cuda``."""

    def __init__(self, machines: list[dict[str, Any]]) -> None:
        self._machines = machines
        self._paper = ray.remote(node.run_paper)
        self._clear = ray.remote(node.clear_steps)
        self._open = ExitStack()

    @classmethod
    def at_address(cls) -> Ray:
        """The cluster at ``RAY_ADDRESS``; UserError where there is none."""
        address = _address()
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, RuntimeError, ValueError) as error:
            raise UserError(f"no Ray cluster could be joined at RAY_ADDRESS={address}: {first_line(error)}") from error
        return cls(_alive())

    def __enter__(self) -> Self:
        """Ray's own remarks, which it prints to standard output, go to a log."""
        log = places.home() / "ray.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        self._open.enter_context(redirect_stdout(self._open.enter_context(log.open("a", encoding="utf-8"))))
        self._open.callback(ray.shutdown)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the cluster; what still runs there for this process ends."""
        self._open.close()

    def resolve(self, device: str, preset: str) -> str:
        """See `Engine`: which GPU a paper gets is Ray's to say, so the device is ``cpu`` or ``cuda``."""
        has_gpu = any(_gpus(machine) for machine in self._machines)
        if device == "auto":
            device = "cuda" if preset == "gpu" or (preset == "paper" and has_gpu) else "cpu"
        if device not in {"cpu", "cuda"}:
            raise UserError(f"--engine ray has no device {device}: give cpu, or cuda for whichever GPU is free")
        if device == "cuda" and not has_gpu:
            raise UserError("no machine of the Ray cluster has a GPU: let one with a GPU join, or give --device cpu")
        return device

    def places(self, device: str) -> int:
        """See `Engine`: a paper for every two cores of each machine, or for every GPU."""
        if device == "cpu":
            return max(1, sum(max(1, _cpus(machine) // CORES_A_JOB) for machine in self._machines if _cpus(machine)))
        return sum(_gpus(machine) for machine in self._machines)

    def threads(self, settings: Settings) -> int:
        """See `Engine`: a share of the cluster's cores that one machine has; of one with GPUs, what goes with one."""
        if settings.device == "cuda":
            return max(1, min(_cpus(machine) // _gpus(machine) for machine in self._machines if _gpus(machine)))
        cores = [_cpus(machine) for machine in self._machines]
        return max(1, min(sum(cores) // settings.jobs, max(cores)))

    def start(self, job: Job, settings: Settings, log: Path) -> RemoteChild:
        """See `Engine`."""
        order = Order(job=job, memory_gb=settings.memory_gb)
        options = {**order.resources, "max_retries": 0, "name": f"{job.slug} {job.preset}"}
        return RemoteChild(partial(Stream, self._paper, options, order), needs=order.needs, log=log)

    def clear_steps(self, job: Job) -> None:
        """See `Engine`: here and on every machine."""
        shutil.rmtree(job.steps, ignore_errors=True)
        asked = [
            self._clear.options(
                num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(machine["NodeID"], soft=False)
            ).remote(job.slug, job.preset)
            for machine in _alive()
        ]
        try:
            ray.get(asked, timeout=_CLEAR_S)
        except ray.exceptions.RayError as error:
            raise OSError(f"the steps on a machine of the cluster could not be removed: {first_line(error)}") from error


def _address() -> str:
    """``RAY_ADDRESS``; UserError where it is not that of a cluster that answers."""
    address = os.environ.get("RAY_ADDRESS", "").strip()
    if not address:
        raise UserError(f"--engine ray needs a Ray cluster: set RAY_ADDRESS to the address of its head, {_EXAMPLE}")
    if address == "auto":
        return address
    host, _, port = address.rpartition(":")
    if "/" in address or not host or not port.isdigit():
        raise UserError(
            f"RAY_ADDRESS={address} is not the address of a cluster's head: run this command on a machine of the "
            f"cluster, and give HOST:PORT, {_EXAMPLE}, or auto"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise UserError(f"no Ray cluster answers at RAY_ADDRESS={address} ({error}): is its head running?") from error
    return address


def _alive() -> list[dict[str, Any]]:
    return [machine for machine in ray.nodes() if machine["Alive"]]  # type: ignore[no-untyped-call]


def _cpus(machine: dict[str, Any]) -> int:
    return int(machine["Resources"].get("CPU", 0))


def _gpus(machine: dict[str, Any]) -> int:
    return int(machine["Resources"].get("GPU", 0))
