"""Prediction intervals that hold as often as they say, whatever the model, by rows that training did not see.

A boosted density is wide before it is sharp: its means are good after few trees, its spread shrinks with every further
one, and early stopping ends in between. How wide its intervals should have been can be read off rows held out, which is
distributional conformal prediction (Chernozhukov, Wüthrich and Zhu 2021).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .binning import Floats
from .column_distribution import ColumnDistribution

_TIES = 1e-9


@dataclass(frozen=True, slots=True)
class CalibratedIntervals:
    """How far intervals have to reach, learnt from M rows; made by `calibrate_intervals`.

    ``reach`` [M], ascending: how far on either side of the median, in the distribution's own probability, the interval
    of each of those rows had to reach to hold what came. It is at most 1/2.
    """

    name: str
    reach: Floats

    def interval(
        self, distribution: ColumnDistribution, level: float = 0.9
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """The central interval that holds what comes in a share ``level`` of rows: its two ends, each [N].

        On rows like those it was learnt from it holds with at least that probability, and with at most 1 / (M + 1) more
        where no two of them tie; values beyond the range of training are held by none. That is for rows on average, not
        given each row's cells. Where M is too small for ``level``, the interval is all that has any probability.
        Raises ValueError for another column's distribution, or a level that is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise ValueError(f"an interval's level is between 0 and 1, not {level}")
        if distribution.name != self.name:
            raise ValueError(f"the intervals were calibrated for {self.name!r}, not for {distribution.name!r}")
        rank = math.ceil((len(self.reach) + 1) * level - _TIES)
        reach = 0.5 if rank > len(self.reach) else float(np.clip(self.reach[rank - 1] + _TIES, 0, 0.5))
        return distribution.quantile(0.5 - reach), distribution.quantile(0.5 + reach)


def calibrate_intervals(distribution: ColumnDistribution, came: Any) -> CalibratedIntervals:
    """Intervals that hold as often as they say, from the ``distribution`` of held-out rows and what ``came`` [M].

    The rows must not be those that the model was fitted to; those by which it was stopped early will nearly do. Rows
    whose value is missing are left out. Raises ValueError where none is left, or where ``came`` does not fit the rows,
    TypeError for categories without an order.
    """
    up_to, below = distribution.cdf(came), distribution.cdf_below(came)
    known = ~np.isnan(up_to)
    if not known.any():
        raise ValueError(f"no row has a value of {distribution.name!r}; intervals are calibrated by what came")
    reach = np.maximum(0.5 - up_to[known], below[known] - 0.5)
    return CalibratedIntervals(distribution.name, np.sort(reach))
