"""Intervals for what experiments measure: 95 %, two-sided, and none from fewer than three seeds.

Every function returns an `Estimate`, whose `Estimate.as_fields` go into a `Measurement`:

>>> losses, baseline = [0.51, 0.49, 0.53], [0.60, 0.61, 0.59]
>>> estimate = difference(losses, baseline)
>>> round(estimate.value, 3), estimate.n, estimate.interval
(-0.09, 3, 'seeds')

Seeds are paired: entry i of both arguments comes from seed i. Where a number has no randomness, use `exact`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri, stdtrit

from paperworks.core import Interval
from paperworks.core.measurement import MIN_SEEDS

RESAMPLES = 2000
MIN_CLUSTERS = 5

_UPPER = 0.975  # of a two-sided 95 % interval
_DRAWS_AT_ONCE = 2_000_000
Floats: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value, its 95 % interval, and what the interval is over: ``n`` seeds, items (clusters), or nothing."""

    value: float
    low: float
    high: float
    n: int
    interval: Interval

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.value, self.low, self.high))) or not self.low <= self.value <= self.high:
            raise ValueError(f"an estimate lies in its interval: {self.value} is not in [{self.low}, {self.high}]")

    def as_fields(self) -> dict[str, Any]:
        """The five fields as keyword arguments of a `Measurement`."""
        return asdict(self)


def exact(value: float) -> Estimate:
    """A number that has no randomness anywhere."""
    return Estimate(value=float(value), low=float(value), high=float(value), n=1, interval="exact")


def mean(values: ArrayLike) -> Estimate:
    """The mean over seeds [S], with Student's t interval (S - 1 degrees of freedom).

    Raises ValueError for fewer than 3 seeds, or a value that is not finite.
    """
    return _student(_seeds(values, "values"))


def difference(ours: ArrayLike, baseline: ArrayLike) -> Estimate:
    """The mean of ours minus baseline over paired seeds [S], with Student's t interval; raises as `mean` does."""
    return _student(_seeds(ours, "ours") - _paired_with(ours, baseline))


def ratio(ours: ArrayLike, baseline: ArrayLike) -> Estimate:
    """The geometric mean of ours / baseline over paired seeds [S], with Student's t interval of the logarithm.

    Raises ValueError as `mean` does, and for values that are not above 0.
    """
    return geometric_mean(_positive(_seeds(ours, "ours")) / _positive(_paired_with(ours, baseline)))


def geometric_mean(values: ArrayLike) -> Estimate:
    """The geometric mean over seeds [S] of positive values, with Student's t interval of the logarithm."""
    return _exponential(_student(np.log(_positive(_seeds(values, "values")))))


def two_level(values: ArrayLike, rng: np.random.Generator, *, resamples: int = RESAMPLES) -> Estimate:
    """The mean over seeds and items [S, I], every seed measured on the same items.

    Give differences to a baseline for a paired effect. Seeds and items are resampled, each while the other stays, and
    the two variances, freed of the bootstrap's bias, are added; a Student t interval takes Satterthwaite's degrees of
    freedom from them. So three seeds count as three, however many items there are. What seeds and items vary by
    together is counted twice, which errs on the wide side (Owen 2007, "The pigeonhole bootstrap").

    Raises ValueError for fewer than 3 seeds or 2 items, or a value that is not finite.
    """
    return _two_level([_seeds_and_items(values, "values")], lambda means: means[0], rng, resamples)


def two_level_ratio(
    ours: ArrayLike, baseline: ArrayLike, rng: np.random.Generator, *, resamples: int = RESAMPLES
) -> Estimate:
    """The ratio of the means of ours and baseline, both [S, I] and paired; the interval is that of its logarithm.

    Otherwise as `two_level`. Raises ValueError too where a mean is not above 0.
    """
    pair = [_seeds_and_items(ours, "ours"), _seeds_and_items(baseline, "baseline")]
    if pair[0].shape != pair[1].shape:
        raise ValueError(f"ours {pair[0].shape} and baseline {pair[1].shape} must have the same seeds and items")
    return _exponential(_two_level(pair, _log_ratio, rng, resamples))


def clustered(
    values: ArrayLike,
    rng: np.random.Generator,
    *,
    clusters: Sequence[Any] | np.ndarray[Any, Any] | None = None,
    resamples: int = RESAMPLES,
) -> Estimate:
    """The mean over items [I], where items of one cluster (sentences of a text, say) depend on each other.

    Give differences to a baseline for a paired effect. ``clusters`` names each item's cluster [I]; without it every
    item stands alone. Clusters are resampled whole; the interval is Student's t with the bootstrap's standard error,
    freed of its bias, and ``n`` counts clusters.

    Raises ValueError for fewer than 5 clusters, or a value that is not finite.
    """
    items = _finite(values, "values", dimensions=1)
    return _clustered([items, np.ones_like(items)], clusters, lambda sums: sums[0] / sums[1], rng, resamples)


def clustered_ratio(
    ours: ArrayLike,
    baseline: ArrayLike,
    rng: np.random.Generator,
    *,
    clusters: Sequence[Any] | np.ndarray[Any, Any] | None = None,
    resamples: int = RESAMPLES,
) -> Estimate:
    """The ratio of the sums of ours and baseline, both [I] and paired; the interval is that of its logarithm.

    Otherwise as `clustered`. Raises ValueError too where a sum is not above 0.
    """
    pair = [_finite(ours, "ours", dimensions=1), _finite(baseline, "baseline", dimensions=1)]
    if pair[0].shape != pair[1].shape:
        raise ValueError(f"ours has {pair[0].size} items and baseline {pair[1].size}; they must be paired")
    return _exponential(_clustered(pair, clusters, _log_ratio, rng, resamples))


def wilson(successes: int, n: int) -> Estimate:
    """The share of ``n`` independent items that succeeded, with Wilson's score interval (1927).

    Raises ValueError unless 0 <= successes <= n and n >= 1.
    """
    if n < 1 or not 0 <= successes <= n or int(successes) != successes or int(n) != n:
        raise ValueError(f"successes and n are counts with 0 <= successes <= n and n >= 1, not {successes} of {n}")
    z = float(ndtri(_UPPER))
    share = successes / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return _around(share, middle - half, middle + half, int(n), "items")


def _student(values: Floats) -> Estimate:
    centre = float(values.mean())
    error = float(values.std(ddof=1)) / math.sqrt(values.size)
    half = float(stdtrit(values.size - 1, _UPPER)) * error
    return _around(centre, centre - half, centre + half, values.size, "seeds")


def _two_level(
    arrays: list[Floats], combine: Callable[[list[Floats]], Floats], rng: np.random.Generator, resamples: int
) -> Estimate:
    seeds, items = arrays[0].shape
    by_seed = _bootstrap_variance([array.mean(axis=1) for array in arrays], combine, rng, resamples)
    by_item = _bootstrap_variance([array.mean(axis=0) for array in arrays], combine, rng, resamples)
    centre = float(combine([array.mean(keepdims=True).ravel() for array in arrays])[0])
    total = by_seed + by_item
    share = by_seed / total if total > 0 else 1.0
    freedom = 1 / (share**2 / (seeds - 1) + (1 - share) ** 2 / (items - 1))
    half = float(stdtrit(freedom, _UPPER)) * math.sqrt(total)
    return _around(centre, centre - half, centre + half, seeds, "seeds+items")


def _clustered(
    arrays: list[Floats],
    clusters: Sequence[Any] | np.ndarray[Any, Any] | None,
    combine: Callable[[list[Floats]], Floats],
    rng: np.random.Generator,
    resamples: int,
) -> Estimate:
    sums = arrays if clusters is None else _sums_by_cluster(arrays, np.asarray(clusters))
    count = sums[0].size
    if count < MIN_CLUSTERS:
        raise ValueError(f"{count} clusters are too few for an interval; give at least {MIN_CLUSTERS}")
    centre = float(combine([part.mean(keepdims=True) for part in sums])[0])
    error = math.sqrt(_bootstrap_variance(sums, combine, rng, resamples))
    half = float(stdtrit(count - 1, _UPPER)) * error
    return _around(centre, centre - half, centre + half, count, "items")


def _sums_by_cluster(arrays: list[Floats], clusters: np.ndarray[Any, Any]) -> list[Floats]:
    if clusters.shape != arrays[0].shape:
        raise ValueError(f"clusters names the cluster of each item: {arrays[0].size} items, but {clusters.size} names")
    names, index = np.unique(clusters, return_inverse=True)
    return [np.bincount(index, weights=array, minlength=names.size).astype(np.float64) for array in arrays]


def _bootstrap_variance(
    units: list[Floats], combine: Callable[[list[Floats]], Floats], rng: np.random.Generator, resamples: int
) -> float:
    """The variance of ``combine(means)`` when the units [U] are drawn again, times U / (U - 1) for its bias."""
    count = units[0].size
    at_once = max(1, _DRAWS_AT_ONCE // count)
    replicates = []
    for start in range(0, resamples, at_once):
        drawn = rng.integers(count, size=(min(at_once, resamples - start), count))
        replicates.append(combine([part[drawn].mean(axis=1) for part in units]))
    return float(np.concatenate(replicates).var(ddof=1)) * count / (count - 1)


def _log_ratio(means: list[Floats]) -> Floats:
    above, below = means
    if not (np.all(above > 0) and np.all(below > 0)):
        raise ValueError("a ratio needs means above 0, in every resample too; take differences of such data")
    return np.log(above / below)


def _exponential(estimate: Estimate) -> Estimate:
    value, low, high = (math.exp(x) for x in (estimate.value, estimate.low, estimate.high))
    return _around(value, low, high, estimate.n, estimate.interval)


def _around(value: float, low: float, high: float, n: int, interval: Interval) -> Estimate:
    """The estimate; rounding never puts the value outside of its interval."""
    return Estimate(value=value, low=min(low, value), high=max(high, value), n=n, interval=interval)


def _seeds(values: ArrayLike, name: str) -> Floats:
    array = _finite(values, name, dimensions=1)
    _require_seeds(array.size)
    return array


def _paired_with(ours: ArrayLike, baseline: ArrayLike) -> Floats:
    array = _finite(baseline, "baseline", dimensions=1)
    if array.shape != np.shape(ours):
        raise ValueError(f"ours has {np.size(ours)} seeds and baseline {array.size}; they must be paired")
    return array


def _seeds_and_items(values: ArrayLike, name: str) -> Floats:
    array = _finite(values, name, dimensions=2)
    _require_seeds(array.shape[0])
    if array.shape[1] < 2:
        raise ValueError(f"{name} has {array.shape[1]} item(s); an interval over items needs at least 2")
    return array


def _require_seeds(count: int) -> None:
    if count < MIN_SEEDS:
        raise ValueError(f"{count} seed(s) are too few for an interval; run at least {MIN_SEEDS}, or yield Untested")


def _finite(values: ArrayLike, name: str, dimensions: int) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != dimensions:
        shape = "[seeds, items]" if dimensions == 2 else "a list of numbers"
        raise ValueError(f"{name} must be {shape}, not of shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has {np.count_nonzero(~np.isfinite(array))} value(s) that are NaN or infinite")
    return array


def _positive(values: Floats) -> Floats:
    if not (values > 0).all():
        raise ValueError("a ratio or geometric mean needs values above 0; take differences of such data")
    return values
