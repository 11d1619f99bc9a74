"""What the engine decides before anything runs: which cluster, which device, how many papers with how many threads."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from paperworks.app.cluster.engine import Ray
from paperworks.app.cluster.order import Order
from paperworks.app.job import Job, Settings
from paperworks.core import UserError


def machine(cpus: float, gpus: float = 0) -> dict[str, Any]:
    """As Ray describes one; it leaves out what is 0."""
    resources = {"CPU": cpus, "GPU": gpus, "memory": 1e9}
    return {"Alive": True, "Resources": {name: value for name, value in resources.items() if value}}


HEAD = machine(0)
SMALL, LARGE, ONE_CORE = machine(4), machine(64), machine(1)
FOUR_GPUS, ONE_GPU = machine(32, 4), machine(6, 1)


@pytest.mark.parametrize(
    ("machines", "device", "papers"),
    [
        ([HEAD, SMALL, LARGE], "cpu", 34),
        ([HEAD, ONE_CORE, ONE_CORE], "cpu", 2),
        ([HEAD], "cpu", 1),
        ([SMALL, FOUR_GPUS, ONE_GPU], "cuda", 5),
    ],
)
def test_as_many_papers_as_there_is_room_for(machines: list[Any], device: str, papers: int) -> None:
    assert Ray(machines).places(device) == papers


@pytest.mark.parametrize(
    ("machines", "device", "jobs", "threads"),
    [
        ([HEAD, SMALL, LARGE], "cpu", 34, 2),
        ([HEAD, SMALL, LARGE], "cpu", 3, 22),
        ([HEAD, SMALL, LARGE], "cpu", 1, 64),
        ([HEAD, SMALL, LARGE], "cpu", 100, 1),
        ([HEAD, ONE_CORE], "cpu", 1, 1),
        ([FOUR_GPUS, ONE_GPU], "cuda", 5, 6),
        ([LARGE, FOUR_GPUS], "cuda", 1, 8),
    ],
)
def test_threads_are_those_that_one_machine_has(machines: list[Any], device: str, jobs: int, threads: int) -> None:
    assert Ray(machines).threads(Settings(device=device, jobs=jobs)) == threads


@pytest.mark.parametrize(
    ("machines", "asked", "preset", "device"),
    [
        ([SMALL, ONE_GPU], "auto", "quick", "cpu"),
        ([SMALL, ONE_GPU], "auto", "gpu", "cuda"),
        ([SMALL, ONE_GPU], "auto", "paper", "cuda"),
        ([SMALL], "auto", "paper", "cpu"),
        ([SMALL, ONE_GPU], "cuda", "quick", "cuda"),
        ([SMALL, ONE_GPU], "cpu", "gpu", "cpu"),
    ],
)
def test_the_device_is_one_that_the_cluster_has(machines: list[Any], asked: str, preset: str, device: str) -> None:
    assert Ray(machines).resolve(asked, preset) == device


@pytest.mark.parametrize(
    ("asked", "preset", "says"),
    [("auto", "gpu", "no machine of the Ray cluster has a GPU"), ("cuda:1", "gpu", "cuda for whichever GPU is free")],
)
def test_a_device_that_it_does_not_have_is_refused(asked: str, preset: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        Ray([SMALL]).resolve(asked, preset)


@pytest.mark.parametrize(
    ("device", "memory_gb", "resources", "needs"),
    [
        ("cpu", None, {"num_cpus": 3, "num_gpus": 0}, "3 free CPUs"),
        ("cuda", None, {"num_cpus": 3, "num_gpus": 1}, "3 free CPUs and a free GPU"),
        ("cpu", 1.5, {"num_cpus": 3, "num_gpus": 0, "memory": 1.5e9}, "3 free CPUs and 1.5 GB of free memory"),
    ],
)
def test_ray_sets_aside_what_a_paper_uses(
    device: str, memory_gb: float | None, resources: dict[str, float], needs: str
) -> None:
    job = Job(slug="one", preset="quick", seeds=None, device=device, threads=3, steps="", fingerprint="")
    order = Order(job=job, memory_gb=memory_gb)
    assert order.resources == resources
    assert order.needs == f"a machine with {needs}"


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("", "needs a Ray cluster: set RAY_ADDRESS"),
        ("  ", "needs a Ray cluster: set RAY_ADDRESS"),
        ("local", "is not the address of a cluster's head"),
        ("ray://10.0.0.1:10001", "run this command on a machine of the cluster"),
        ("http://10.0.0.1:8265", "is not the address of a cluster's head"),
        ("10.0.0.1", "give HOST:PORT"),
        (":6379", "give HOST:PORT"),
        ("127.0.0.1:99999999", "no Ray cluster answers"),
    ],
)
def test_an_address_that_is_none_is_refused_with_what_would_be_one(
    monkeypatch: pytest.MonkeyPatch, address: str, says: str
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(UserError, match=says):
        Ray.at_address()


def test_a_head_that_does_not_answer_is_named(house: Any) -> None:
    house.paper("fine", 'yield found("C1")\nyield found("C2")')
    with socket.socket() as bound:  # and nobody listens
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        house.variables["RAY_ADDRESS"] = address
        done = house.call("run", "--preset", "smoke", "--engine", "ray")
    assert done.code == 2
    assert f"no Ray cluster answers at RAY_ADDRESS={address}" in done.err
    assert done.err.count("\n") == 1


def test_an_engine_that_does_not_exist_is_refused(house: Any) -> None:
    done = house.call("run", "--preset", "smoke", "--engine", "rey")
    assert (done.code, done.err) == (2, "error: there is no engine 'rey'; did you mean ray?\n")


def test_without_ray_the_extra_is_named(house: Any) -> None:
    (house.root / "ray.py").write_text("raise ModuleNotFoundError(name='ray')\n")
    done = house.call("run", "--preset", "smoke", "--engine", "ray")
    assert done.code == 2
    assert done.err == "error: --engine ray needs ray: pip install 'paperworks[ray]'\n"
