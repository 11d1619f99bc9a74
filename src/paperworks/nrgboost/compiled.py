"""How this paper's kernels are compiled: kept on the disk, without the interpreter's lock, numpy's rules for zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

__all__ = ["compiled"]

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """``function``, compiled by numba for the types that it is called with."""
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy", boundscheck=False)(function))
