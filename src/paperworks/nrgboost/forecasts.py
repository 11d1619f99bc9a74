"""What is foretold of a target, by whatever model, and how well it came true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.special import ndtr, ndtri
from sklearn.metrics import r2_score

from .binning import Floats

__all__ = [
    "LEVELS",
    "SHOWN_LEVEL",
    "ClassForecast",
    "Classes",
    "NormalForecast",
    "NumberForecast",
    "judge_classes",
    "judge_intervals",
    "judge_numbers",
]

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""The probabilities of the central intervals whose coverage is measured."""

SHOWN_LEVEL = 0.9
"""The one of them that tables show."""

_LEAST_PROBABILITY = 1e-6


class Classes(Protocol):
    """The probabilities of classes, as `ColumnDistribution` has them: proba [N, K] of values [K]."""

    @property
    def proba(self) -> Floats:
        """The probability of each class, [N, K]."""
        ...

    @property
    def values(self) -> np.ndarray[Any, Any]:
        """The classes, [K]."""
        ...


class NumberForecast(Protocol):
    """The distribution of a number in each of N rows, as `ColumnDistribution` is one."""

    def mean(self) -> np.ndarray[Any, Any]:
        """The expected value, [N]."""
        ...

    def crps(self, value: Any) -> Floats:
        """The continuous ranked probability score of what came, [N]."""
        ...

    def interval(self, level: float) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """The central interval that holds a share ``level``: its two ends, each [N]."""
        ...


@dataclass(frozen=True, slots=True)
class ClassForecast:
    """The probabilities that a scikit-learn classifier gives."""

    proba: Floats
    values: np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class NormalForecast:
    """A point forecast [N] with normal errors of one size: what is made of a regressor that gives means alone."""

    centre: Floats
    deviation: float

    def mean(self) -> Floats:
        """The expected value, [N]."""
        return self.centre

    def crps(self, value: Any) -> Floats:
        """The continuous ranked probability score in closed form (Gneiting and Raftery 2007, section 4.2), [N]."""
        z = (np.asarray(value, dtype=np.float64) - self.centre) / self.deviation
        density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
        return np.asarray(self.deviation * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi)))

    def interval(self, level: float) -> tuple[Floats, Floats]:
        """The central interval that holds a share ``level``, each end [N]."""
        half = self.deviation * float(ndtri((1 + level) / 2))
        return self.centre - half, self.centre + half


def judge_classes(forecast: Classes, came: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Accuracy (``score``) and mean negative log-probability (``loss``, nats) of what ``came`` [N].

    No probability counts as less than a millionth, since a forest may give a class none at all.
    """
    place = (came[:, None] == forecast.values[None]).argmax(axis=1)
    own = forecast.proba[np.arange(len(came)), place]
    return {
        "score": float((forecast.proba.argmax(axis=1) == place).mean()),
        "loss": float(-np.log(np.maximum(own, _LEAST_PROBABILITY)).mean()),
    }


def judge_numbers(forecast: NumberForecast, came: np.ndarray[Any, Any]) -> dict[str, Any]:
    """R squared (``score``), the mean CRPS (``loss``), and of the central intervals what `judge_intervals` says."""
    return {
        "score": float(r2_score(came, forecast.mean())),
        "loss": float(np.mean(forecast.crps(came))),
        **judge_intervals(forecast.interval, came),
    }


def judge_intervals(interval: Callable[[float], tuple[Any, Any]], came: np.ndarray[Any, Any]) -> dict[str, Any]:
    """How often the intervals of each of `LEVELS` held what ``came`` [N] (``coverage``), and their mean ``width``.

    The width is that of the intervals that say `SHOWN_LEVEL`, in the target's unit.
    """
    ends = {level: interval(level) for level in LEVELS}
    low, high = ends[SHOWN_LEVEL]
    return {
        "coverage": [float(((low <= came) & (came <= high)).mean()) for low, high in ends.values()],
        "width": float(np.mean(high - low)),
    }
