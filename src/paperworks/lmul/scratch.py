"""Memory for the kernels: on cache lines, and used again from call to call.

A vector that crosses a cache line takes two loads, which makes the inner loops a third slower; fresh pages of the
system cost as much as filling them.
"""

from __future__ import annotations

import threading
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["aligned", "scratch"]

_LARGEST_KEPT = 1 << 26  # bytes of one buffer; what is larger is given back

_kept = threading.local()


def aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An uninitialised array that begins on a cache line (torch allocates so, numpy does not)."""
    wanted = np.dtype(dtype)
    array: NDArray[Any] = torch.empty(prod(shape) * wanted.itemsize, dtype=torch.uint8).numpy().view(wanted)
    return array.reshape(shape)


def scratch(name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An uninitialised, aligned array that is valid until this thread asks for the same ``name`` and type again."""
    words = shape[0] if len(shape) == 1 else prod(shape)
    buffers: dict[Any, NDArray[Any]] = _kept.__dict__
    buffer = buffers.get((name, dtype))
    if buffer is None or len(buffer) < words:
        buffer = aligned((words,), dtype)
        if buffer.nbytes <= _LARGEST_KEPT:
            buffers[name, dtype] = buffer
    flat = buffer[:words]
    return flat if len(shape) == 1 else flat.reshape(shape)
