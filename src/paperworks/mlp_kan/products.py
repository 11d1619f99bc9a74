"""Products of matrices on the CPU by the library that is faster there."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

__all__ = ["product"]

_WORTH_A_CALL = 1 << 22  # multiplications (about 0.1 ms) below which oneDNN's greater cost of a call eats what it saves


def product(left: Tensor, right: Tensor) -> Tensor:
    """left [M, K] @ right [K, N]; both are contiguous, or transposed views of what is.

    torch multiplies by MKL, which leaves AVX-512 unused on processors that are not Intel's. oneDNN, which torch brings
    for compiled models, uses it wherever it is: there it takes half the time. Any other layout would be slow in it.
    """
    work = left.numel() * right.shape[1]
    if work >= _WORTH_A_CALL and left.dtype == torch.float32 and _has_fast_onednn():
        found: Tensor = torch.ops.mkldnn._linear_pointwise(left, right.T, None, "none", [], "")
        return found
    return left @ right


@cache
def _has_fast_onednn() -> bool:
    usable: bool = (
        torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and torch.backends.cpu.get_cpu_capability() == "AVX512"
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )
    return usable
