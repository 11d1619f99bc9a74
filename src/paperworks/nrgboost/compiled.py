"""How this paper's kernels are compiled: kept on the disk, without the interpreter's lock, numpy's rules for zero."""

from __future__ import annotations

from typing import Any

import numba

__all__ = ["compiled"]

compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy", boundscheck=False)
