"""Expected distances of distributions that are uniform inside of bins: the two terms of the CRPS.

CRPS(F, y) = E|X - y| - E|X - X'| / 2 with X and X' drawn from F independently (Gneiting and Raftery 2007, equation 21).
"""

from __future__ import annotations

import numpy as np

from .binning import Bins, Floats


def mean_distances(bins: Bins, at: Floats) -> Floats:
    """The mean of \\|X - y\\| for X uniform in each bin and y each of ``at`` [N], [N, K]."""
    y = at[:, None]
    outside = np.abs(bins.centres - y)
    inside = (y > bins.low) & (y < bins.high)
    within = _distance_on_grid(bins, y) if bins.grid else _distance_in_interval(bins, y)
    return np.where(inside, within, outside)


def half_mean_difference(bins: Bins, proba: Floats) -> Floats:
    """Half of the mean of \\|X - X'\\| for each row of bin probabilities [N, K], [N]."""
    centres = bins.centres
    below, first_moment = proba.cumsum(axis=1) - proba, (proba * centres).cumsum(axis=1) - proba * centres
    between = (proba * (centres * below - first_moment)).sum(axis=1)
    return between + proba**2 @ _half_difference_inside(bins)


def _distance_in_interval(bins: Bins, y: Floats) -> Floats:
    width = np.where(bins.high > bins.low, bins.high - bins.low, 1)
    return ((y - bins.low) ** 2 + (bins.high - y) ** 2) / (2 * width)


def _distance_on_grid(bins: Bins, y: Floats) -> Floats:
    """With j of a bin's m integers at or below y: their mean distance from the two arithmetic series."""
    m, low, high = bins.points, bins.low, bins.high
    j = np.floor(y) - low + 1
    lower, upper = j * (y - (low + np.floor(y)) / 2), (m - j) * ((np.floor(y) + 1 + high) / 2 - y)
    return (lower + upper) / m


def _half_difference_inside(bins: Bins) -> Floats:
    """Half of the mean difference of two draws from one bin, [K]: a sixth of an interval; (m^2 - 1) / 6m on a grid."""
    if bins.grid:
        return (bins.points**2 - 1) / (6 * bins.points)
    return (bins.high - bins.low) / 6
