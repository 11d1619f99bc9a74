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
from torch import Tensor, nn
from torch.nn import functional

from . import symbolic, training
from .function_nets import DirectMixture, residual_network
from .network import KAN
from .symbolic import Formula
from .units import Units

__all__ = ["KANClassifier", "KANRegressor", "MLPKANRegressor"]

Floats = NDArray[np.float64]
_MOST_SEEDS = 2**31 - 1
_POINTS = 2048  # are enough to tell how much an edge does
_SOLVERS = ("adam", "lbfgs")
_LOOKS = {"adam": 25, "lbfgs": 1}
"""Steps between two looks at the rows held out for early stopping."""


class _Network(BaseEstimator):
    """What all estimators share: how a network is trained, and how it is asked."""

    units_: Units
    module_: nn.Module
    solver: str = "adam"

    max_iter: int
    batch_size: int
    learning_rate: float
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    random_state: Any
    device: str


class _SplineNetwork(_Network):
    """The settings of both estimators: scikit-learn reads them from the constructor. See `KANRegressor`."""

    module_: KAN

    def __init__(
        self,
        hidden: Sequence[int] = (8,),
        *,
        grid_size: int = 5,
        spline_order: int = 3,
        solver: str = "adam",
        max_iter: int = 600,
        batch_size: int = 256,
        learning_rate: float = 1e-2,
        l1: float = 0.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        random_state: Any = None,
        device: str = "cpu",
    ) -> None:
        self.hidden = hidden
        self.grid_size = grid_size
        self.spline_order = spline_order
        self.solver = solver
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.l1 = l1
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state
        self.device = device

    def _made(self, inputs: int, outputs: int) -> KAN:
        widths = (inputs, *self.hidden, outputs)
        return KAN(widths, grid_size=self.grid_size, spline_order=self.spline_order)

    def _penalty(self, network: KAN) -> Callable[[Tensor], Tensor] | None:
        return (lambda inputs: self.l1 * network.regularization(inputs)) if self.l1 else None


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
    solver : {"adam", "lbfgs"}
        AdamW on batches, or L-BFGS on all rows, which is best on smooth functions of few rows.
    max_iter : int
        Steps. With AdamW the learning rate rises to ``learning_rate`` over them and falls again.
    batch_size : int
        Rows a step of AdamW, or all where there are fewer.
    learning_rate : float
        The largest that a step of AdamW has.
    l1 : float
        Weight of the penalty on the edges' mean absolute values, and on the entropy of their shares.
    early_stopping : bool
        Holds out ``validation_fraction`` of the rows, looks at them every 25 steps (every one with L-BFGS), stops after
        ``n_iter_no_change`` looks without a new best, and keeps the weights of the best.
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
    loss_curve_ : list of float
        The loss before each step.
    n_iter_ : int
        The steps that were taken.
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Fits the network to rows X [n, features] and numbers y [n]. Raises ValueError for other input."""
        rows, numbers = _rows_and_numbers(self, X, y)
        _fit(self, rows, self.units_.targets(numbers), self._made, self._penalty, 1, training.squared_error)
        self.feature_importances_ = _importances(self, rows)
        return self

    def predict(self, X: Any) -> Floats:
        """Numbers [n] for rows X [n, features]."""
        outputs = _outputs(self, X)
        return self.units_.answers(outputs[:, 0])

    def formula(self, X: Any = None, *, tolerance: float = 5e-3) -> Formula:
        """The network as a formula of the features, in their own units; see `KAN.symbolic`.

        The fits are over rows X [n, features], without which inputs are spread over the training rows' range. The
        variables have the features' names, where ``fit`` was given a frame.
        """
        check_is_fitted(self)
        inputs = self.module_.spread() if X is None else _clamped_inputs(self, X)
        names = [str(name) for name in getattr(self, "feature_names_in_", ())]
        return symbolic.read(self.module_, inputs, names=names, tolerance=tolerance, units=self.units_)


class KANClassifier(ClassifierMixin, _SplineNetwork):
    """Classification by a network of B-splines with an output a class. Parameters are those of `KANRegressor`.

    Attributes
    ----------
    classes_ : array
        The classes, sorted.
    module_, units_, feature_importances_, loss_curve_, n_iter_
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
        _fit(self, rows, targets, self._made, self._penalty, len(self.classes_), functional.cross_entropy)
        self.feature_importances_ = _importances(self, rows)
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


class MLPKANRegressor(RegressorMixin, _Network):
    """Regression by a mixture of MLPs and spline networks: MLP-KAN for functions.

    Inputs and targets are scaled as in `KANRegressor`, where all parameters but these are explained.

    Parameters
    ----------
    mode : {"direct", "residual"}
        Experts that map the inputs to the output themselves, weighed by a softmax; or the paper's block on one token,
        whose experts map its state and of which each row sees ``top_k``.
    hidden : int
        Width of the MLPs. Spline networks have a quarter of it ("direct"), or half ("residual").
    num_experts, top_k : int
        Experts, half MLPs, half spline networks, and how many see a row in "residual".
    width, blocks : int
        Width of the state, and how many blocks there are, in "residual".

    Attributes
    ----------
    module_ : DirectMixture or Sequential
        The network, in float64, of scaled inputs.
    units_, loss_curve_, n_iter_
        Those of `KANRegressor`.
    """

    def __init__(
        self,
        mode: str = "direct",
        *,
        hidden: int = 24,
        num_experts: int = 8,
        top_k: int = 2,
        width: int = 16,
        blocks: int = 2,
        max_iter: int = 600,
        batch_size: int = 256,
        learning_rate: float = 1e-2,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        random_state: Any = None,
        device: str = "cpu",
    ) -> None:
        self.mode = mode
        self.hidden = hidden
        self.num_experts = num_experts
        self.top_k = top_k
        self.width = width
        self.blocks = blocks
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state
        self.device = device

    def fit(self, X: Any, y: Any) -> Self:
        """Fits the network to rows X [n, features] and numbers y [n]. Raises ValueError for other input."""
        rows, numbers = _rows_and_numbers(self, X, y)
        _fit(self, rows, self.units_.targets(numbers), self._made, lambda _: None, 1, training.squared_error)
        return self

    def predict(self, X: Any) -> Floats:
        """Numbers [n] for rows X [n, features]."""
        outputs = _outputs(self, X)
        return self.units_.answers(outputs[:, 0])

    def _made(self, inputs: int, outputs: int) -> nn.Module:
        assert outputs == 1
        if self.mode == "direct":
            return DirectMixture(
                inputs, hidden=self.hidden, kan_hidden=max(1, self.hidden // 4), num_experts=self.num_experts
            )
        if self.mode == "residual":
            return residual_network(
                inputs,
                width=self.width,
                hidden=self.hidden,
                blocks=self.blocks,
                num_experts=self.num_experts,
                top_k=self.top_k,
            )
        raise ValueError(f"mode is {self.mode!r}: it must be 'direct' or 'residual'")


def _rows_and_numbers(estimator: _Network, X: Any, y: Any) -> tuple[Floats, Floats]:
    """Checked rows and targets, whose scales the estimator takes over."""
    rows, numbers = validate_data(estimator, X, y, dtype=np.float64, y_numeric=True)
    estimator.units_ = _units(rows, mean=float(numbers.mean()), std=float(numbers.std()) or 1.0)
    return rows, numbers


def _units(rows: Floats, *, mean: float, std: float) -> Units:
    """The scale of each feature; one that never varies lies in the middle of its own."""
    low, high = rows.min(axis=0), rows.max(axis=0)
    apart = np.where(high > low, 0.0, 1.0)
    return Units(low=low - apart, high=high + apart, mean=mean, std=std)


def _fit(
    estimator: _Network,
    rows: Floats,
    targets: Tensor,
    make: Callable[[int, int], Any],
    penalty: Callable[[Any], Callable[[Tensor], Tensor] | None],
    outputs: int,
    loss: training.Loss,
) -> None:
    _check(estimator)
    seed = int(check_random_state(estimator.random_state).randint(_MOST_SEEDS))
    inputs, targets = estimator.units_.inputs(rows).to(estimator.device), targets.to(estimator.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = make(rows.shape[1], outputs).to(estimator.device)
    watch = None
    if estimator.early_stopping:
        (inputs, targets), held = _parted(inputs, targets, estimator.validation_fraction, seed)
        every, patience = _LOOKS[estimator.solver], estimator.n_iter_no_change
        watch = training.Watch(network, *held, loss=loss, every=every, patience=patience)
    step = _step(estimator, network, inputs, targets, seed, penalty(network), loss)
    estimator.loss_curve_ = training.fit(step, estimator.max_iter, watch=watch)
    estimator.n_iter_ = len(estimator.loss_curve_)
    # In float64 a row's answer is the same, to all digits that anybody compares, in whichever batch it comes.
    estimator.module_ = network.cpu().double()


def _step(
    estimator: _Network,
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    seed: int,
    penalty: Callable[[Tensor], Tensor] | None,
    loss: training.Loss,
) -> training.Step:
    if estimator.solver == "lbfgs":
        return training.lbfgs(network, inputs, targets, penalty=penalty, loss=loss)
    return training.recipe(
        network,
        inputs,
        targets,
        steps=estimator.max_iter,
        seed=seed,
        penalty=penalty,
        batch=estimator.batch_size,
        learning_rate=estimator.learning_rate,
        loss=loss,
    )


def _check(estimator: _Network) -> None:
    for name in ("max_iter", "batch_size", "n_iter_no_change"):
        if getattr(estimator, name) < 1:
            raise ValueError(f"{name} is {getattr(estimator, name)}: it must be at least 1")
    if estimator.solver not in _SOLVERS:
        raise ValueError(f"solver is {estimator.solver!r}: it must be one of {', '.join(_SOLVERS)}")
    if not 0 < estimator.validation_fraction < 1:
        raise ValueError(f"validation_fraction is {estimator.validation_fraction}: it must lie between 0 and 1")


def _parted(
    inputs: Tensor, targets: Tensor, share: float, seed: int
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Rows to train on, and a ``share`` of them held out, at least one of each."""
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(seed)).to(inputs.device)
    held = min(max(1, round(share * len(inputs))), len(inputs) - 1)
    if held < 1:
        raise ValueError("early_stopping holds rows out: it takes at least 2 rows, not 1 sample")
    rest, away = order[held:], order[:held]
    return (inputs[rest], targets[rest]), (inputs[away], targets[away])


def _clamped_inputs(estimator: _Network, X: Any) -> Tensor:
    """What the network is given for rows X: [n, features] in [-1, 1]."""
    check_is_fitted(estimator)
    rows = validate_data(estimator, X, dtype=np.float64, reset=False)
    return estimator.units_.inputs(rows).double().clamp(-1, 1)


def _outputs(estimator: _Network, X: Any) -> Tensor:
    """What the network says about the rows [n, outputs]."""
    inputs = _clamped_inputs(estimator, X)
    with torch.no_grad():
        outputs: Tensor = estimator.module_(inputs)
    return outputs


@torch.no_grad()
def _importances(estimator: _SplineNetwork, rows: Floats) -> Floats:
    """A node's importance is shared out among the edges that lead to it, by how much they vary over the rows."""
    inputs, shares = estimator.units_.inputs(rows)[:_POINTS].double(), []
    for layer in estimator.module_.spline_layers():
        importance = layer.edges(inputs).std(dim=0, correction=0)
        shares.append(importance / importance.sum(dim=1, keepdim=True).clamp_min(torch.finfo(inputs.dtype).tiny))
        inputs = layer(inputs)
    scores = torch.ones(len(shares[-1]), dtype=inputs.dtype)
    for share in reversed(shares):
        scores = scores @ share
    importances: Floats = (scores / scores.sum().clamp_min(torch.finfo(inputs.dtype).tiny)).numpy()
    return importances
