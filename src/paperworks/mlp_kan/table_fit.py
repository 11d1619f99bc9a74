"""A spline network fitted to a table, held against gradient boosting on rows that neither has seen, and its formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import train_test_split
from torch import Tensor

from paperworks.lab import stats

from . import symbolic, training
from .network import KAN
from .symbolic import Formula
from .tables import Table
from .units import Units

__all__ = ["KAN_NAME", "TableFit", "fit_table"]

Floats = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

MEAN, BOOSTING, KAN_NAME, FORMULA = "always the mean", "gradient boosting", "spline network", "formula"
_TEST_SHARE, _VALIDATION_SHARE = 0.25, 0.2
_HIDDEN = ((), (2,), (5,))
_WORTH = 0.02
_TOLERANCES = (0.02, 0.005, 0.001)
_ENOUGH = 0.98
_ROUNDS, _PATIENCE = 40, 8
_PENALTY = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFit:
    """What was fitted and how well it does: ``predictions`` of each model for the test rows, and the formula.

    ``relative`` is the network's root mean squared error over that of gradient boosting, with its interval over rows.
    """

    table: Table
    network: KAN
    units: Units
    formula: Formula
    inputs: Tensor
    actual: Floats
    predictions: dict[str, Floats]
    relative: stats.Estimate

    def rmse(self, model: str) -> float:
        """The root mean squared error of a model on the test rows."""
        return float(np.sqrt(np.mean(np.square(self.predictions[model] - self.actual))))

    def r2(self, model: str) -> float:
        """The share of the test rows' variance that a model explains."""
        return 1 - float(np.mean(np.square(self.predictions[model] - self.actual)) / self.actual.var())


def fit_table(table: Table, *, seed: int = 0, progress: Progress = lambda stage, done, total: None) -> TableFit:
    """Fits both models to three quarters of the rows and tests them on the rest.

    The network is the smallest of those with 0, 2 and 5 hidden nodes whose error on training rows held out is at most
    2 % of the target's standard deviation above that of the best: a formula is to be read. The formula sees test rows
    no farther out than those it was made of, and answers the mean where it is not defined.
    """
    x, new_x, y, new_y = train_test_split(table.x, table.y, test_size=_TEST_SHARE, random_state=seed)
    varies = np.ptp(x, axis=0) > 0
    x, new_x = x[:, varies], new_x[:, varies]
    units = Units.of(x, y)
    inputs, targets = units.inputs(x), units.targets(y)
    network = _best_network(inputs, targets, seed, progress)
    names = [name for name, keep in zip(table.columns, varies, strict=True) if keep]
    formula = _formula(network, inputs, targets, names, units, progress)
    boosting = HistGradientBoostingRegressor(random_state=seed).fit(x, y)
    with torch.no_grad():
        answers = units.answers(network(units.inputs(new_x)))[:, 0]
    predictions = {
        MEAN: np.full(len(new_y), y.mean()),
        BOOSTING: boosting.predict(new_x),
        KAN_NAME: answers,
        FORMULA: _defined(formula(np.clip(new_x, units.low, units.high)), units.mean),
    }
    squares = {name: np.square(predicted - new_y) for name, predicted in predictions.items()}
    return TableFit(
        table=table,
        network=network,
        units=units,
        formula=formula,
        inputs=inputs,
        actual=new_y,
        predictions=predictions,
        relative=_root(stats.clustered_ratio(squares[KAN_NAME], squares[BOOSTING], np.random.default_rng(seed))),
    )


def _defined(values: Floats, otherwise: float) -> Floats:
    return np.where(np.isfinite(values), values, otherwise)


def _formula(
    network: KAN, inputs: Tensor, targets: Tensor, names: list[str], units: Units, progress: Progress
) -> Formula:
    """Of simple to intricate formulas the first that explains 98 % of the network, else the one that comes closest."""
    found: list[Formula] = []
    for tolerance in _TOLERANCES:
        progress("reading the formula", len(found), len(_TOLERANCES))
        found.append(symbolic.read(network, inputs, names=names, tolerance=tolerance, targets=targets, units=units))
        if found[-1].r2 >= _ENOUGH:
            break
    progress("reading the formula", len(_TOLERANCES), len(_TOLERANCES))
    return max(found, key=lambda formula: formula.r2)


def _root(found: stats.Estimate) -> stats.Estimate:
    """The ratio of errors of a ratio of squared errors."""
    value, low, high = (float(np.sqrt(x)) for x in (found.value, found.low, found.high))
    return stats.Estimate(value=value, low=low, high=high, n=found.n, interval=found.interval)


def _best_network(inputs: Tensor, targets: Tensor, seed: int, progress: Progress) -> KAN:
    kept, held = train_test_split(np.arange(len(inputs)), test_size=_VALIDATION_SHARE, random_state=seed)
    fits = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for hidden in _HIDDEN:
            network = KAN((inputs.shape[1], *hidden, 1))
            label = f"fitting {sum(hidden)} hidden nodes"
            error = _fit(
                network,
                (inputs[kept], targets[kept]),
                (inputs[held], targets[held]),
                partial(progress, label),
            )
            fits.append((error, network))
    least = min(error for error, _ in fits)
    return next(network for error, network in fits if error - _WORTH <= least)


def _fit(
    network: KAN, train: tuple[Tensor, Tensor], held: tuple[Tensor, Tensor], progress: Callable[[int, int], None]
) -> float:
    """Trains a network by L-BFGS and leaves it as it was at its best on the rows held out; that error."""
    watch = training.Watch(network, *held, loss=training.squared_error, every=1, patience=_PATIENCE)
    step = training.lbfgs(
        network, *train, penalty=lambda inputs: _PENALTY * network.regularization(inputs), iterations=10
    )
    training.fit(step, _ROUNDS, progress=progress, watch=watch)
    return float(np.sqrt(watch.best))
