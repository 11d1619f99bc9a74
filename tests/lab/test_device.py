"""The device that "auto" means, and clear words where a device is not here."""

import subprocess
import sys

import pytest

from paperworks.core import UserError
from paperworks.lab import device


@pytest.fixture
def machine(monkeypatch):
    """A machine with as many CUDA devices as asked for, and Apple's or not."""

    def build(cuda: int = 0, mps: bool = False) -> None:
        monkeypatch.setattr(device, "cuda_count", lambda: cuda)
        monkeypatch.setattr(device, "_driver_device_count", lambda: cuda)
        monkeypatch.setattr(device, "_has_mps", lambda: mps)

    return build


@pytest.mark.parametrize("preset", ["smoke", "quick", "full", "bench"])
def test_auto_is_the_cpu_even_where_there_is_a_gpu(machine, preset):
    machine(cuda=1)
    assert device.resolve("auto", preset) == "cpu"


@pytest.mark.parametrize(
    ("cuda", "mps", "best"), [(2, False, "cuda"), (1, True, "cuda"), (0, True, "mps"), (0, False, "cpu")]
)
def test_auto_is_the_best_at_paper(machine, cuda, mps, best):
    machine(cuda, mps)
    assert device.resolve("auto", "paper") == best


def test_auto_at_gpu_is_cuda_or_an_error(machine):
    machine(cuda=1)
    assert device.resolve("auto", "gpu") == "cuda"
    machine(cuda=0, mps=True)
    with pytest.raises(UserError, match=r"device cuda is not here: no NVIDIA GPU was found; use --device cpu"):
        device.resolve("auto", "gpu")


def test_a_gpu_that_torch_cannot_use_is_told_apart(machine, monkeypatch):
    machine(cuda=0)
    monkeypatch.setattr(device, "_driver_device_count", lambda: 1)
    with pytest.raises(UserError, match="this torch was built without CUDA"):
        device.resolve("cuda")


def test_a_device_that_is_named_is_taken_at_any_preset(machine):
    machine(cuda=2, mps=True)
    for name in ("cpu", "cuda", "cuda:0", "cuda:1", "mps"):
        assert device.resolve(name, "quick") == name
    with pytest.raises(UserError, match=r"device cuda:2 is not here: 2 CUDA device\(s\) can be used"):
        device.resolve("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "", "CUDA", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "mps:1", "tpu"])
def test_a_device_that_does_not_exist_is_refused(machine, name):
    machine(cuda=1)
    with pytest.raises(UserError, match="it is auto, cpu, cuda, cuda:N or mps"):
        device.resolve(name)


def test_the_cpu_has_a_name_and_memory():
    assert device.describe("cpu").strip()
    assert device.memory_mb("cpu") > 100
    assert device.peak_memory_mb("cpu") == 0
    device.synchronize("cpu")


def test_choosing_the_cpu_imports_nothing_heavy():
    code = (
        "import sys; from paperworks.lab import device; device._driver_device_count = lambda: 0\n"
        "device.resolve('auto', 'quick'); device.describe('cpu'); device.has_cuda()\n"
        "print([name for name in ('torch', 'numpy') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_without_torch_the_driver_alone_is_asked(monkeypatch):
    device.cuda_count.cache_clear()
    monkeypatch.setattr(device, "find_spec", lambda name: None)
    monkeypatch.setattr(device, "_driver_device_count", lambda: 3)
    assert device.cuda_count() == 3
    device.cuda_count.cache_clear()


@pytest.mark.gpu
def test_a_gpu_has_a_name_memory_and_a_peak():
    import torch

    name = device.resolve("auto", "gpu")
    assert device.describe(name) == torch.cuda.get_device_name(0)
    assert device.memory_mb(name) > 1000
    block = torch.zeros(1_000_000, device=name)
    device.synchronize(name)
    assert device.peak_memory_mb(name) >= block.nbytes / 1e6
