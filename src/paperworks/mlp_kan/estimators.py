"""Spline networks as scikit-learn estimators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor
from torch.nn import functional

from . import training
from .network import KAN
from .units import Units

__all__ = ["KANClassifier", "KANRegressor"]

Floats = NDArray[np.float64]
_MOST_SEEDS = 2**31 - 1
_POINTS = 2048  # are enough to tell how much an edge does


class _SplineNetwork(BaseEstimator):
    """The settings of both estimators: scikit-learn reads them from the constructor. See `KANRegressor`."""

    units_: Units
    module_: KAN

    def __init__(
        self,
        hidden: Sequence[int] = (8,),
        *,
        grid_size: int = 5,
        spline_order: int = 3,
        max_iter: int = 600,
        batch_size: int = 256,
        learning_rate: float = 1e-2,
        l1: float = 0.0,
        random_state: Any = None,
        device: str = "cpu",
    ) -> None:
        self.hidden = hidden
        self.grid_size = grid_size
        self.spline_order = spline_order
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.l1 = l1
        self.random_state = random_state
        self.device = device


class KANRegressor(RegressorMixin, _SplineNetwork):
    """Regression by a network of B-splines.

    Inputs are scaled to the splines' grid, and what lies outside the training rows' range counts as its end; targets
    are standardised.

    Parameters
    ----------
    hidden : sequence of int
        The widths of the layers between inputs and output; empty for a sum of one function a feature.
    grid_size, spline_order : int
        Cells of each spline's grid, and the order of the splines.
    max_iter : int
        Steps of AdamW, over which the learning rate rises to ``learning_rate`` and falls again.
    batch_size : int
        Rows a step, or all where there are fewer.
    learning_rate : float
        The largest that a step has.
    l1 : float
        Weight of the penalty on the edges' mean absolute values, and on the entropy of their shares.
    random_state : int, RandomState instance or None
        Draws the weights at the start and the batches.
    device : str
        Where torch fits the network. What is fitted lies on the CPU.

    Attributes
    ----------
    module_ : KAN
        The network, in float64, of scaled inputs; it can be drawn and read as a formula.
    units_ : Units
        The scales of inputs and targets.
    feature_importances_ : array [features]
        Each feature's share of the variation that goes through the network, of sum 1.
    n_iter_ : int
        The steps that were taken.
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Fits the network to rows X [n, features] and numbers y [n]. Raises ValueError for other input."""
        rows, numbers = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        self.units_ = _units(rows, mean=float(numbers.mean()), std=float(numbers.std()) or 1.0)
        _fit(self, rows, self.units_.targets(numbers), outputs=1, loss=training.squared_error)
        return self

    def predict(self, X: Any) -> Floats:
        """Numbers [n] for rows X [n, features]."""
        outputs = _outputs(self, X)
        return self.units_.answers(outputs[:, 0])


class KANClassifier(ClassifierMixin, _SplineNetwork):
    """Classification by a network of B-splines with an output a class. Parameters are those of `KANRegressor`.

    Attributes
    ----------
    classes_ : array
        The classes, sorted.
    module_, units_, feature_importances_, n_iter_
        Those of `KANRegressor`.
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Fits the network to rows X [n, features] and classes y [n]. Raises ValueError for other input."""
        rows, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        encoder = LabelEncoder().fit(labels)
        self.classes_ = encoder.classes_
        self.units_ = _units(rows, mean=0.0, std=1.0)
        targets = torch.from_numpy(encoder.transform(labels).astype(np.int64))
        _fit(self, rows, targets, outputs=len(self.classes_), loss=functional.cross_entropy)
        return self

    def predict_proba(self, X: Any) -> Floats:
        """The probabilities [n, classes] of the classes for rows X [n, features]."""
        probabilities: Floats = functional.softmax(_outputs(self, X), dim=-1).numpy()
        return probabilities

    def predict(self, X: Any) -> NDArray[Any]:
        """The likeliest class [n] for rows X [n, features]."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        classes: NDArray[Any] = self.classes_[likeliest]
        return classes


def _units(rows: Floats, *, mean: float, std: float) -> Units:
    """The scale of each feature; one that never varies lies in the middle of its own."""
    low, high = rows.min(axis=0), rows.max(axis=0)
    apart = np.where(high > low, 0.0, 1.0)
    return Units(low=low - apart, high=high + apart, mean=mean, std=std)


def _fit(estimator: _SplineNetwork, rows: Floats, targets: Tensor, *, outputs: int, loss: training.Loss) -> None:
    for name in ("max_iter", "batch_size"):
        if getattr(estimator, name) < 1:
            raise ValueError(f"{name} is {getattr(estimator, name)}: it must be at least 1")
    seed = int(check_random_state(estimator.random_state).randint(_MOST_SEEDS))
    inputs = estimator.units_.inputs(rows)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        widths = (rows.shape[1], *estimator.hidden, outputs)
        network = KAN(widths, grid_size=estimator.grid_size, spline_order=estimator.spline_order)
    step = training.recipe(
        network.to(estimator.device),
        inputs.to(estimator.device),
        targets.to(estimator.device),
        steps=estimator.max_iter,
        seed=seed,
        penalty=_penalty(network, estimator.l1) if estimator.l1 else None,
        batch=estimator.batch_size,
        learning_rate=estimator.learning_rate,
        loss=loss,
    )
    training.fit(step, estimator.max_iter)
    estimator.n_iter_ = estimator.max_iter
    # In float64 a row's answer is the same, to all digits that anybody compares, in whichever batch it comes.
    estimator.module_ = network.cpu().double()
    estimator.feature_importances_ = _importances(estimator.module_, inputs[:_POINTS].double())


def _penalty(network: KAN, weight: float) -> Callable[[Tensor], Tensor]:
    return lambda inputs: weight * network.regularization(inputs)


def _outputs(estimator: _SplineNetwork, X: Any) -> Tensor:
    """What the network says about the rows [n, outputs]."""
    check_is_fitted(estimator)
    rows = validate_data(estimator, X, dtype=np.float64, reset=False)
    with torch.no_grad():
        outputs: Tensor = estimator.module_(estimator.units_.inputs(rows).double().clamp(-1, 1))
    return outputs


@torch.no_grad()
def _importances(network: KAN, inputs: Tensor) -> Floats:
    """A node's importance is shared out among the edges that lead to it, by how much they vary over the inputs."""
    shares = []
    for layer in network.spline_layers():
        importance = layer.edges(inputs).std(dim=0, correction=0)
        shares.append(importance / importance.sum(dim=1, keepdim=True).clamp_min(torch.finfo(inputs.dtype).tiny))
        inputs = layer(inputs)
    scores = torch.ones(len(shares[-1]), dtype=inputs.dtype)
    for share in reversed(shares):
        scores = scores @ share
    importances: Floats = (scores / scores.sum().clamp_min(torch.finfo(inputs.dtype).tiny)).numpy()
    return importances
