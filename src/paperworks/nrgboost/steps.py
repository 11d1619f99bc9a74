"""What a leaf adds to a column's energies when that cell is free, packed into 64 bits: a *step*.

The lower half is the leaf's value as float32. In an ordered column the upper half has the places (see `lanes`) from
which on it is added and taken off again. A span that begins at the first value, or ends after the last, adds into a
sink instead: that only shifts all energies alike. In a categorical column it has the number of a row of *toggles*, the
places where the value is added: the categories the leaf admits, or where these are more than half, those that it does
not, with the value's sign *turned*.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compiled import inner
from .lanes import SINKS, SIZE, places

__all__ = ["begin", "end", "is_turned", "span_steps", "toggle_row", "toggle_rows", "toggle_steps"]

_HALF, _THREE_QUARTERS, _LAST = np.uint64(32), np.uint64(48), np.uint64(63)
_QUARTER_BITS, _ROW_BITS = np.uint64(0xFFFF), np.uint64(0x7FFFFFFF)


def span_steps(
    low: NDArray[np.int16], high: NDArray[np.int16], card: int, values: NDArray[np.float64]
) -> NDArray[np.uint64]:
    """[L]: of leaves that span the bins ``low`` to ``high`` (exclusive) of a column with ``card``."""
    sinks = SIZE + np.arange(len(values)) % SINKS
    begins = np.where(low == 0, sinks, places(low.astype(np.int64), card))
    ends = np.where(high == card, sinks + SINKS, places(np.minimum(high, card - 1).astype(np.int64), card))
    upper = (begins.astype(np.uint64) << _HALF) | (ends.astype(np.uint64) << _THREE_QUARTERS)
    return np.asarray(_float_bits(values) | upper)


def toggle_steps(
    rows: NDArray[np.uint64], turned: NDArray[np.bool_], values: NDArray[np.float64]
) -> NDArray[np.uint64]:
    """[L]: of leaves whose toggles stand in ``rows``."""
    upper = (rows << _HALF) | (turned.astype(np.uint64) << _LAST)
    return np.asarray(_float_bits(np.where(turned, -values, values)) | upper)


def toggle_rows(members: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """[N, 4]: the places of the members of sets, [N, card]."""
    card = members.shape[1]
    in_lanes = np.zeros((len(members), SIZE), bool)
    in_lanes[:, places(np.arange(card), card)] = members
    return np.asarray(np.packbits(in_lanes, axis=1, bitorder="little").view(np.uint64))


@inner
def begin(step: Any) -> Any:
    """The place from which on the value is added."""
    return (step >> _HALF) & _QUARTER_BITS


@inner
def end(step: Any) -> Any:
    """The place from which on it is taken off."""
    return step >> _THREE_QUARTERS


@inner
def toggle_row(step: Any) -> Any:
    """The row of its toggles."""
    return (step >> _HALF) & _ROW_BITS


@inner
def is_turned(step: Any) -> Any:
    """Whether the toggles are those places where the leaf does not reach."""
    return step >> _LAST != 0


def _float_bits(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):  # a density forest's ratios on wide tables, which it sums in double precision
        bits: NDArray[np.uint32] = values.astype(np.float32).view(np.uint32)
    return np.asarray(bits, np.uint64)
