"""L-Mul's matrix products beside torch's own, and beside the broadcasting that simulations of it usually are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

import torch

from paperworks.lab import Lab, timing
from paperworks.lab.timing import BenchRow

from .formats import FORMATS
from .matmul import matmul

__all__ = ["bench", "broadcast_emulation"]

FORMULA_TARGET, CARRY_TARGET, CARRY_GPU_TARGET = 2.2, 12.0, 5.0  # times torch's GEMM of the same type
EMULATION_TARGET = 1 / 20
GEMM, EMULATION = "torch GEMM", "broadcast emulation"

_REPEATS = 9
_CPU_CASES = (("float32", (256, 512, 1024)), ("bfloat16", (512, 1024)))
_EMULATED = (64, 128, 256)
_GPU_SIZES = (2048, 4096)


def bench(lab: Lab) -> Iterator[BenchRow]:
    """A row a case: ours, the peer, their ratio with its interval, the limit of this machine, the ratio wanted.

    The limit is what the products take at the rate of the kernel's inner loop on operands in the level-1 cache, or,
    where the formula is a GEMM of twice the length, at half the rate of torch's fastest GEMM in this run.
    """
    if lab.device.startswith("cuda"):
        yield from _on_gpu(lab)
        return
    rates = {variant: _products_a_second(lab, variant) for variant in ("formula", "carry")}
    for dtype, sizes in _CPU_CASES:
        rows = [_beside_gemm(lab, dtype, size, variant, None) for size in sizes for variant in ("formula", "carry")]
        yield from _with_limits(rows, dtype, sizes, rates)
    for size in _EMULATED:
        yield from _beside_emulation(lab, size)


def broadcast_emulation(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """[M, K] and [K, N] float32, by the adder, with every product in memory at once: what public simulations do."""
    offset = FORMATS["float32"].offset(2.0**-4)
    x, y = a.view(torch.int32)[:, :, None], b.view(torch.int32)[None]
    size_x, size_y = x & 0x7FFFFFFF, y & 0x7FFFFFFF
    value = (size_x - offset) + size_y
    present = (size_x >= 0x00800000) & (size_y >= 0x00800000) & (value >= 0x00800000)
    words = torch.where(present, value | ((x ^ y) & -0x80000000), 0)
    return words.view(torch.float32).sum(1)


def _operands(dtype: str, size: int, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(size)
    kind = getattr(torch, dtype)
    a, b = (torch.randn(size, size, generator=generator).to(device, kind) for _ in range(2))
    return a, b


def _beside_gemm(lab: Lab, dtype: str, size: int, variant: str, k: int | None) -> BenchRow:
    a, b = _operands(dtype, size, lab.device)
    ours = partial(matmul, a, b, variant=variant, mantissa_bits=k)
    timed = _timed(lab, ours, {GEMM: partial(torch.matmul, a, b)})
    wanted = _target(lab.device, size, variant, k)
    bits = FORMATS[dtype].mantissa_bits if k is None else k
    case = f"{variant}, k = {bits}, {dtype}, {size} cubed"
    (row,) = timed.rows(case, targets={} if wanted is None else {GEMM: wanted})
    return row


def _timed(lab: Lab, ours: Callable[[], object], peers: Mapping[str, Callable[[], object]]) -> timing.Comparison:
    """On a GPU as the lab does; on a CPU with one thread, where a ratio tells of the code and not of the scheduler."""
    if lab.device.startswith("cuda"):
        return lab.compare(ours, peers, _REPEATS)
    with timing.threads(1):
        return timing.compare(ours, peers, _REPEATS)


def _target(device: str, size: int, variant: str, k: int | None) -> float | None:
    if variant == "formula":
        return FORMULA_TARGET if size >= 512 else None
    if device.startswith("cuda"):
        return CARRY_GPU_TARGET if k is not None and k <= 3 else None
    return CARRY_TARGET


def _with_limits(rows: list[BenchRow], dtype: str, sizes: tuple[int, ...], rates: dict[str, float]) -> list[BenchRow]:
    """The rows of one type with the time that their products take at the best rate this machine has for them."""
    work = {f"{size} cubed": size**3 for size in sizes}
    rows_work = [work[row.case.rpartition(", ")[2]] for row in rows]
    fastest = max(products / row.peer_s for products, row in zip(rows_work, rows, strict=True))
    doubled = {} if dtype == "float32" and rates else {"formula": fastest / 2}  # a GEMM of twice the length
    best = {**rates, **doubled}
    return [
        replace(row, limit_s=products / best[variant]) if (variant := row.case.partition(",")[0]) in best else row
        for row, products in zip(rows, rows_work, strict=True)
    ]


def _products_a_second(lab: Lab, variant: str) -> float:
    """Of the kernel's inner loop with both operands in the level-1 cache: nothing but its additions."""
    from . import kernels, packing
    from .scratch import aligned

    rows, terms, width = 256, packing.CHUNK, packing.panel_width(4)
    rule = packing.rounding_rule(FORMATS["float32"], 23, False, 2.0**-4)
    left, right = torch.ones(rows, terms), torch.ones(1, terms, width)
    packed_left = aligned((packing.left_words(rows, terms),), "int32")
    packed_right = aligned((packing.right_words(1, terms, width, 4),), "int32")
    packing.pack_left(left.data_ptr(), rows, terms, rule, packed_left)
    packing.pack_right(right.data_ptr(), 1, terms, width, rule, packed_right)
    out = torch.empty(rows, width)
    sizes = (1, rows, terms, width)
    operands = (packed_left, packed_right, out.data_ptr(), sizes, rule, variant == "formula", 0, rows)
    timed = _timed(lab, partial(kernels.multiply, *operands), {"itself": partial(kernels.multiply, *operands)})
    return rows * terms * width / min(timed.ours_s, timed.peers["itself"].seconds)


def _beside_emulation(lab: Lab, size: int) -> Iterator[BenchRow]:
    a, b = _operands("float32", size, lab.device)
    timed = _timed(lab, partial(matmul, a, b), {EMULATION: partial(broadcast_emulation, a, b)})
    yield from timed.rows(f"carry, k = 23, float32, {size} cubed", targets={EMULATION: EMULATION_TARGET})


def _on_gpu(lab: Lab) -> Iterator[BenchRow]:
    rows = []
    for size in _GPU_SIZES:
        rows.append(_beside_gemm(lab, "bfloat16", size, "formula", None))
        rows += [_beside_gemm(lab, "bfloat16", size, "carry", k) for k in (2, 3, 4, None)]
    yield from _with_limits(rows, "bfloat16", _GPU_SIZES, {})
