"""The constant c that stands for a·b in L-Mul: the paper's, a better one, or one's own."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np

from .formats import correction_exponent
from .operands import check_choice, check_variant
from .significand import relative_error

__all__ = ["constant", "optimal_offset"]


def constant(offset: str | float, mantissa_bits: int, variant: str = "carry", rounding: str = "truncate") -> float:
    """The number c that an ``offset`` argument means.

    ``"paper"`` is 2^-l(k), ``"optimal"`` the one of :func:`optimal_offset`, a number in [0, 1) itself; ValueError for
    anything else.
    """
    if offset == "paper":
        return 2.0 ** -correction_exponent(mantissa_bits)
    if offset == "optimal":
        return optimal_offset(mantissa_bits, variant, rounding)
    if isinstance(offset, str) or not 0 <= offset < 1:
        raise ValueError(f"offset must be 'paper', 'optimal' or a number from 0 up to 1, not {offset!r}")
    return float(offset)


@lru_cache(maxsize=256)
def optimal_offset(
    k: int, variant: str = "carry", rounding: str = "truncate", criterion: Literal["rms", "bias"] = "rms"
) -> float:
    """The constant c in place of a·b that suits uniform mantissas best: least RMS relative error, or no bias.

    >>> round(optimal_offset(23), 3)
    0.055
    """
    from scipy.optimize import brentq, minimize_scalar

    check_variant(variant)
    check_choice("rounding", rounding, ("truncate", "nearest"))
    check_choice("criterion", criterion, ("rms", "bias"))
    a = (np.arange(256) + 0.5) / 256

    def bias(c: float) -> float:
        return float(relative_error(a[:, None], a[None, :], k, variant, rounding, c).mean())

    def mean_square(c: float) -> float:
        return float(np.square(relative_error(a[:, None], a[None, :], k, variant, rounding, c)).mean())

    if criterion == "bias":
        return float(brentq(bias, 0.0, 0.95, xtol=1e-6)) if bias(0.0) < 0 else 0.0
    return float(minimize_scalar(mean_square, bounds=(0.0, 0.95), method="bounded", options={"xatol": 1e-6}).x)
