"""What a classifier and a regressor share: the target is one more column of the joint model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length

from . import tables
from .binning import Floats
from .column_distribution import ColumnDistribution
from .estimator import JointEstimator
from .fitting import Progress
from .sampling import SamplingConfig


class TargetEstimator(JointEstimator):
    """The base of the classifier and the regressor: a joint model of the features and, as the last column, the target.

    Not for use by itself.
    """

    @property
    def target_name_(self) -> str:
        """The target's column: the name of the series that ``y`` was, or "target"."""
        return self._fitted().encoder.names[-1]

    def predict_distribution(self, X: Any, n_rounds: int | None = None) -> ColumnDistribution:
        """The distribution of the target for each row of ``X``; missing features are averaged over."""
        return self._fitted().conditional(self._rows(X), self._last(), n_rounds)

    def score_samples(self, X: Any, y: Any = None, n_rounds: int | None = None) -> Floats:
        """The log density of each row together with its ``y``, [N], up to log Z; without ``y`` it is summed out."""
        rows = self._rows(X)
        if y is not None:
            frame = self._read(X)[0]
            check_consistent_length(frame, y)
            rows = self._encoded(frame.assign(**{self.target_name_: np.asarray(y)}))
        return self._fitted().log_density(rows, n_rounds)

    def sample(
        self,
        n_samples: int = 1,
        given: Mapping[Any, Any] | None = None,
        n_steps: int = 100,
        n_rounds: int | None = None,
        temperature: float = 1.0,
        random_state: Any = None,
        progress: Progress | None = None,
    ) -> tuple[Any, np.ndarray[Any, Any]]:
        """``n_samples`` rows of features, a table like that of training, and their targets [n_samples].

        ``given`` is that of `NRGBoostDensity.sample`; the target's column is called `target_name_`.
        """
        config = SamplingConfig(n_steps=n_steps, n_rounds=n_rounds, temperature=temperature, progress=progress)
        frame, _ = self._sampled(n_samples, given, config, random_state, "marginals")
        features = frame.drop(columns=self.target_name_)
        return self.form_.build(features), self._targets(frame[self.target_name_])

    def _targets(self, values: pd.Series) -> np.ndarray[Any, Any]:
        return values.to_numpy()

    def _target(self) -> int | None:
        return self._last()

    def _last(self) -> int:
        return len(self._fitted().encoder.columns) - 1

    def _fit_with_target(
        self,
        X: Any,
        target: pd.Series,
        sample_weight: Any,
        validation: tuple[Any, pd.Series] | None,
        progress: Progress | None,
    ) -> None:
        frame, self.form_ = self._read_training(X)
        check_consistent_length(frame, target)
        name = str(target.name) if target.name is not None else "target"
        if name in frame.columns:
            raise ValueError(f"the target's name {name!r} is that of a feature too; rename one of them")
        held_out = None
        if validation is not None:
            held_out = _with_target(
                tables.read_checked(self, validation[0], list(frame.columns))[0], name, validation[1]
            )
        self._fit_frame(
            _with_target(frame, name, target),
            target=name,
            sample_weight=sample_weight,
            held_out=held_out,
            progress=progress,
        )


def _with_target(frame: pd.DataFrame, name: str, target: pd.Series) -> pd.DataFrame:
    check_consistent_length(frame, target)
    return frame.reset_index(drop=True).assign(**{name: target.reset_index(drop=True)})
