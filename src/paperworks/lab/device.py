"""Which device to compute on, and what it is. Imports torch only where a GPU may be in play."""

from __future__ import annotations

import ctypes
import platform
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from paperworks.core import UserError

_BYTES_PER_MB = 1_000_000


def resolve(device: str = "auto", preset: str = "smoke") -> str:
    """The device that ``device`` means at ``preset``: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.

    "auto" is the CPU, except at `gpu`, which needs a CUDA device, and at `paper`, which takes the best there is.
    Raises UserError where the device does not exist here or the name means none.
    """
    if device == "auto":
        device = _automatic(preset)
    kind, _, index = device.partition(":")
    if not re.fullmatch(r"cpu|mps|cuda(:[0-9]+)?", device):
        raise UserError(f"there is no device {device!r}; it is auto, cpu, cuda, cuda:N or mps")
    if kind == "cuda" and int(index or 0) >= cuda_count():
        raise UserError(f"device {device} is not here: {_cuda_found()}; use --device cpu, or a machine with one")
    if kind == "mps" and not _has_mps():
        raise UserError("device mps is not here: it needs torch on Apple silicon; use --device cpu")
    return device


def has_cuda() -> bool:
    """True where a CUDA device can be used: by torch, or, where torch is not installed, at all."""
    return cuda_count() > 0


@cache
def cuda_count() -> int:
    """The number of CUDA devices that can be used. Without an NVIDIA driver this is 0 and imports nothing."""
    present = _driver_device_count()
    if not present or find_spec("torch") is None:
        return present
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def describe(device: str) -> str:
    """The device's name as a person knows it: the GPU's, or the processor's."""
    kind, _, index = device.partition(":")
    if kind == "cuda" and find_spec("torch") is not None:
        import torch

        return str(torch.cuda.get_device_name(int(index or 0)))
    return _cpu_name() if kind == "cpu" else device


def synchronize(device: str) -> None:
    """Wait until the device has done all it was given; nothing to do on a CPU."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize(device)
    elif device == "mps":
        import torch

        torch.mps.synchronize()


def memory_mb(device: str) -> float:
    """The memory of the device in megabytes (10^6 bytes): the GPU's own, else the machine's."""
    if device.startswith("cuda"):
        import torch

        return float(torch.cuda.get_device_properties(device).total_memory / _BYTES_PER_MB)
    import psutil

    return float(psutil.virtual_memory().total / _BYTES_PER_MB)


def peak_memory_mb(device: str) -> float:
    """The most GPU memory that torch has held in this process, in megabytes; 0 on a CPU, where the runner measures."""
    if not device.startswith("cuda"):
        return 0.0
    import torch

    return float(torch.cuda.max_memory_allocated(device) / _BYTES_PER_MB)


def _automatic(preset: str) -> str:
    if preset == "gpu":
        return "cuda"
    if preset != "paper":
        return "cpu"
    if has_cuda():
        return "cuda"
    return "mps" if _has_mps() else "cpu"


def _has_mps() -> bool:
    if platform.system() != "Darwin" or find_spec("torch") is None:
        return False
    import torch

    return bool(torch.backends.mps.is_available())


def _cuda_found() -> str:
    if not _driver_device_count():
        return "no NVIDIA GPU was found"
    return f"{cuda_count()} CUDA device(s) can be used" if cuda_count() else "this torch was built without CUDA"


@cache
def _driver_device_count() -> int:
    """NVIDIA devices by the management library, which, unlike CUDA itself, may be asked before a process forks."""
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return 0
    count = ctypes.c_uint(0)
    if nvml.nvmlInit_v2() != 0:
        return 0
    try:
        return count.value if nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) == 0 else 0
    finally:
        nvml.nvmlShutdown()


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
