"""How long each backend takes on this machine, measured once, and so which one ``backend="auto"`` takes.

A product of [M, K] and [K, N] is modelled as ``fixed + words·(M·K + K·N)·w + products·M·K·N·m`` seconds: what a call
costs, what making operands ready costs, and what the sums cost; w and m are how many times longer operands and sums are
than those of an ordinary product (2 for the doubled GEMM, 2^k for the table).
"""

from __future__ import annotations

import json
import platform
import time
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import torch

from paperworks.lab import places
from paperworks.lab.disk import write_atomically

from .arithmetic import Arithmetic, arithmetic
from .backends import BACKENDS, able
from .operands import format_of

__all__ = ["CostModel", "Rates", "choose", "cost_model"]

_SCHEMA = 2
_CANDIDATES = {"cpu": ("integer", "fused", "gemm", "table"), "cuda": ("gemm", "table", "triton", "fp8")}
_TINY, _THIN, _SQUARE = (16, 16, 16), (8, 512, 512), (320, 320, 320)
_MEASURED_BITS = 2  # the table's k when it is measured
_REPEATS = 5


@dataclass(frozen=True, slots=True)
class Rates:
    """Seconds a call, a word of operands, and a product, of one backend."""

    fixed: float
    word: float
    product: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CostModel:
    """What each backend costs on one device for operands of one type; ``str()`` of it is a table."""

    device: str
    dtype: str
    threads: int
    rates: dict[str, Rates]

    def seconds(self, backend: str, rows: int, terms: int, columns: int, mantissa_bits: int) -> float:
        """Expected time of one product [rows, terms] by [terms, columns]."""
        rates, length = self.rates[backend], _length(backend, mantissa_bits)
        words, products = terms * (rows + columns), rows * terms * columns
        return rates.fixed + length * (rates.word * words + rates.product * products)

    def best(self, backends: list[str], rows: int, terms: int, columns: int, mantissa_bits: int) -> str:
        """The one of ``backends`` that is expected to be fastest."""
        return min(backends, key=lambda name: self.seconds(name, rows, terms, columns, mantissa_bits))

    def __str__(self) -> str:
        lines = [f"L-Mul backends on {self.device}, {self.dtype}, {self.threads} thread(s)", ""]
        lines.append(
            f"{'backend':<10}{'call':>11}{'10^6 words':>13}{'10^9 products':>16}   (gemm: twice, table: 2^k times)"
        )
        lines += [
            f"{name:<10}{r.fixed * 1e6:>8.0f} µs{r.word * 1e9:>10.2f} ms{r.product * 1e12:>13.1f} ms"
            for name, r in self.rates.items()
        ]
        sizes = (32, 128, 512, 2048)
        lines += ["", "expected to be fastest".ljust(26) + "".join(f"{f'{n} cubed':>14}" for n in sizes)]
        bits = format_of(torch.empty(0, dtype=getattr(torch, self.dtype))).mantissa_bits
        for variant in ("carry", "formula"):
            for k in sorted({1, 2, 3, 4, bits} & set(range(1, bits + 1))):
                names = _names(variant, k, self.rates)
                picks = [self.best(names, n, n, n, k) for n in sizes]
                lines.append(f"{variant}, k = {k}".ljust(26) + "".join(f"{pick:>14}" for pick in picks))
        return "\n".join(lines)


def choose(a: torch.Tensor, b: torch.Tensor, how: Arithmetic) -> str:
    """The backend for a product of [B, M, K] and [B, K, N]; a batch counts as so many more rows."""
    sizes = (a.shape[0] * a.shape[1], a.shape[2], b.shape[2])
    return _choice(a.device.type, a.dtype, torch.get_num_threads(), how.variant, how.mantissa_bits, sizes)


@lru_cache(maxsize=4096)
def _choice(
    device: str, dtype: torch.dtype, threads: int, variant: str, mantissa_bits: int, sizes: tuple[int, int, int]
) -> str:
    names = [name for name in able(variant, mantissa_bits, dtype, device) if name in _candidates(device)]
    if len(names) == 1:
        return names[0]
    model = _model(device, dtype, threads)
    return model.best([name for name in names if name in model.rates], *sizes, mantissa_bits)


def cost_model(device: str = "cpu", dtype: torch.dtype = torch.float32) -> CostModel:
    """What ``backend="auto"`` goes by on this machine: print it.

    Measured on first use (a second or two, most of it compilation) and kept in ``$PAPERWORKS_CACHE`` or the user's
    cache folder, by processor, torch version and number of threads.
    """
    return _model(device, dtype, torch.get_num_threads())


@cache
def _model(device: str, dtype: torch.dtype, threads: int) -> CostModel:
    name = str(dtype).removeprefix("torch.")
    file = _file()
    key = f"{device} {name} {threads}"
    known = _read(file)
    if key not in known:
        known[key] = {backend: asdict(rates) for backend, rates in _measured(device, dtype).items()}
        _write(file, known)
    rates = {backend: Rates(**numbers) for backend, numbers in known[key].items()}
    return CostModel(device=device, dtype=name, threads=threads, rates=rates)


def _file() -> Path:
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no gpu"
    machine = f"{platform.node()}-{platform.machine()}-{torch.__version__}-{gpu}-{_SCHEMA}"
    return places.cache() / "lmul" / f"cost-{''.join(c if c.isalnum() or c in '-.' else '_' for c in machine)}.json"


def _read(file: Path) -> dict[str, dict[str, dict[str, float]]]:
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        for rates in known.values():
            for numbers in rates.values():
                Rates(**{name: float(value) for name, value in numbers.items()})
    except (OSError, ValueError, TypeError, AttributeError):  # absent, or not what we wrote: measure again
        return {}
    return dict(known)


def _write(file: Path, known: dict[str, Any]) -> None:
    try:
        write_atomically(file, json.dumps(known, indent=1).encode())
    except OSError:  # a cache folder that cannot be written costs a measurement in every process, nothing else
        return


def _measured(device: str, dtype: torch.dtype) -> dict[str, Rates]:
    rates = {}
    fmt = format_of(torch.empty(0, dtype=dtype))
    for variant in ("carry", "formula"):
        how = arithmetic(fmt, _MEASURED_BITS, variant, "truncate", "paper", None, None)
        for name in able(variant, _MEASURED_BITS, dtype, device):
            if name in _candidates(device) and name not in rates:
                rates[name] = _fitted(name, device, dtype, how)
    return rates


def _fitted(name: str, device: str, dtype: torch.dtype, how: Arithmetic) -> Rates:
    """Three products of very different shapes determine the three rates; none may be negative."""
    length = _length(name, how.mantissa_bits)
    tiny, thin, square = (_time(name, device, dtype, how, shape) for shape in (_TINY, _THIN, _SQUARE))
    rows, terms, columns = _SQUARE
    product = max(0.0, square - tiny) / (rows * terms * columns * length)
    rows, terms, columns = _THIN
    word = max(0.0, thin - tiny - product * length * rows * terms * columns) / (terms * (rows + columns) * length)
    return Rates(tiny, word, product)


def _time(name: str, device: str, dtype: torch.dtype, how: Arithmetic, shape: tuple[int, int, int]) -> float:
    rows, terms, columns = shape
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(1, rows, terms, generator=generator).to(device, dtype)
    b = torch.randn(1, terms, columns, generator=generator).to(device, dtype)
    multiply = BACKENDS[name].multiply
    times = []
    for _ in range(_REPEATS + 1):  # the first compiles
        start = time.perf_counter()
        multiply(a, b, how, None)
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times[1:])


def _candidates(device: str) -> tuple[str, ...]:
    return _CANDIDATES.get(device, ("gemm", "table"))


def _length(backend: str, mantissa_bits: int) -> int:
    """How many times longer than an ordinary product's a backend's sums are."""
    if backend in ("table", "fp8"):
        return 1 << mantissa_bits
    return 2 if backend == "gemm" else 1


def _names(variant: str, k: int, rates: dict[str, Rates]) -> list[str]:
    return [n for n in rates if variant in BACKENDS[n].variants and k <= BACKENDS[n].mantissa_bits]
