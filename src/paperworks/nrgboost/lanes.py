"""The weights of up to 256 values side by side in 16 lanes, so that every loop over them is one of vectors.

Value k of a column stands at ``(k % rows) * 16 + k // rows``: a lane holds ``rows`` consecutive values, one below the
other. ``rows`` is a power of two, the smallest for which 16 lanes have room for the column. A running sum over the
values is then a sum down the lanes, and one over the 16 lanes' totals.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bits import power_of_two
from .compiled import compiled, inner

__all__ = ["LANES", "SINKS", "SIZE", "lane_rows", "pick", "places", "to_weights"]

LANES = 16
SIZE = 256
SINKS = 16
"""Places after the values' own, for sums that nobody reads; several, so that they do not wait for one another."""

_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)
_LOWEST = np.float32(-87.0)  # the exponential's smallest normal argument
_LOG2_E, _LN2_HIGH, _LN2_LOW = np.float32(1.4426950408889634), np.float32(0.693359375), np.float32(-2.12194440e-4)
# Cephes' expf: exp(r) = 1 + r + r^2 P(r) on [-ln 2 / 2, ln 2 / 2], to 2e-7.
_P5, _P4, _P3 = np.float32(1.9875691500e-4), np.float32(1.3981999507e-3), np.float32(8.3334519073e-3)
_P2, _P1, _P0 = np.float32(4.1665795894e-2), np.float32(1.6666665459e-1), np.float32(5.0000001201e-1)


def lane_rows(card: int) -> int:
    """Values in a lane for a column of ``card`` values: 1, 2, 4, 8 or 16."""
    return 1 << max(0, (card - 1).bit_length() - 4)


def places(values: NDArray[np.int64], card: int) -> NDArray[np.int64]:
    """Where ``values`` of a column with ``card`` values stand."""
    rows = lane_rows(card)
    return (values % rows) * LANES + values // rows


@compiled
def to_weights(energies: Any, initial: Any, rows: Any, ordered: Any, inverse_temperature: Any, spare: Any) -> Any:
    """Turn energies, less ``initial``, into weights, and ``spare`` into their running sums down the lanes.

    ``energies`` [>= SIZE], float32, hold for an ordered column what is added from a value on. ``initial`` [SIZE] is
    -inf where there is no value. Returns the sum of the weights, of which the largest is 1.
    """
    size = rows * LANES
    if ordered:
        _run_down_lanes(energies, size, spare)
        for i in range(size):
            energies[i] = (energies[i] + spare[i] + initial[i]) * inverse_temperature
    else:
        for i in range(size):
            energies[i] = (energies[i] + initial[i]) * inverse_temperature
    top = _largest(energies, size, spare)
    for i in range(size):
        energies[i] = _exponential(energies[i] - top)
    for i in range(LANES):
        spare[i] = energies[i]
    for i in range(LANES, size):
        spare[i] = energies[i] + spare[i - LANES]
    total = _ZERO
    for i in range(size - LANES, size):
        total += spare[i]
    return total


@compiled
def pick(sums: Any, rows: Any, goal: Any) -> Any:
    """The first value whose weight and all before it exceed ``goal``; ``sums`` as `to_weights` leaves them.

    Where rounding let ``goal`` reach the total, the last value with a weight.
    """
    last = (rows - 1) * LANES
    lane = 0
    while lane < LANES - 1 and goal >= sums[last + lane]:
        goal -= sums[last + lane]
        lane += 1
    while lane > 0 and sums[last + lane] == _ZERO:
        lane -= 1
    row = 0
    while row < rows - 1 and goal >= sums[row * LANES + lane]:
        row += 1
    while row > 0 and sums[row * LANES + lane] == sums[(row - 1) * LANES + lane]:
        row -= 1
    return lane * rows + row


@inner
def _run_down_lanes(energies: Any, size: Any, spare: Any) -> None:
    """Running sums in each lane; ``spare`` receives what the lanes before add."""
    for i in range(LANES, size):
        energies[i] += energies[i - LANES]
    before = _ZERO
    for lane in range(LANES):
        spare[lane] = before
        before += energies[size - LANES + lane]
    for i in range(LANES, size):
        spare[i] = spare[i - LANES]


@inner
def _largest(values: Any, size: Any, spare: Any) -> Any:
    """By halving, since a loop that carries one maximum is not made into vectors."""
    half = size >> 1
    for i in range(half):
        a, b = values[i], values[i + half]
        spare[i] = a if a > b else b
    while half > LANES:
        half >>= 1
        for i in range(half):
            a, b = spare[i], spare[i + half]
            spare[i] = a if a > b else b
    top = spare[0]
    for i in range(1, half):
        top = spare[i] if spare[i] > top else top
    return top


@inner
def _exponential(x: Any) -> Any:
    """exp of a float32 that is at most 0, without a branch; 0 below -87, where a weight cannot be drawn."""
    bounded = _LOWEST if x < _LOWEST else x
    power = np.floor(bounded * _LOG2_E + _HALF)
    rest = bounded - power * _LN2_HIGH - power * _LN2_LOW
    series = ((((_P5 * rest + _P4) * rest + _P3) * rest + _P2) * rest + _P1) * rest + _P0
    value = (series * rest * rest + rest + _ONE) * power_of_two(power)
    return _ZERO if x < _LOWEST else value
