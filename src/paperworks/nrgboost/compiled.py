"""How this paper's kernels are compiled: kept on the disk, without the interpreter's lock, numpy's rules for zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

__all__ = ["compiled", "copy_into", "inner"]

F = TypeVar("F", bound=Callable[..., object])

_njit: Any = numba.njit
_OPTIONS = {"nogil": True, "error_model": "numpy", "boundscheck": False}


def compiled(function: F) -> F:
    """``function``, compiled by numba for the types that it is called with, and kept on the disk."""
    return cast(F, _njit(cache=True, **_OPTIONS)(function))


def inner(function: F) -> F:
    """``function``, for use by compiled ones only: what would let Python call it takes longest to compile."""
    return cast(F, _njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **_OPTIONS)(function))


@inner
def copy_into(target: Any, values: Any) -> None:
    """``target[:] = values`` of one dimension, without numpy's checks, which take long to compile."""
    for i in range(target.shape[0]):
        target[i] = values[i]
