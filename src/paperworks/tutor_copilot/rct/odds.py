"""Which strategies one arm uses more: log-odds with a Dirichlet prior (Monroe, Colaresi and Quinn 2008)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

__all__ = ["log_odds"]


def log_odds(
    treatment: Mapping[str, float], control: Mapping[str, float], *, prior_total: float | None = None
) -> pd.DataFrame:
    """The log-odds ratio ``delta`` of each label, treatment over control, its standard error ``se`` and ``z`` (2.2).

    The prior is the pooled counts. The paper takes them as they are (``prior_total=None``), a prior as large as the
    data: with equal groups delta shrinks to a third and z to 0.58 of what they are without one, and further where the
    groups differ in size. ``prior_total`` scales the prior to that many pseudo-counts.

    Raises ValueError for negative counts, fewer than two labels that occur, an empty group, and a prior total that is
    not above 0.
    """
    labels = sorted(set(treatment) | set(control))
    first, second = (np.array([float(group.get(label, 0)) for label in labels]) for group in (treatment, control))
    if (first < 0).any() or (second < 0).any():
        raise ValueError("counts of labels cannot be negative")
    if first.sum() == 0 or second.sum() == 0:
        raise ValueError("one of the two groups has no labelled turn")
    pooled = first + second
    seen = pooled > 0
    if seen.sum() < 2:
        raise ValueError("odds need at least two labels that occur")
    if prior_total is not None and prior_total <= 0:
        raise ValueError(f"prior_total={prior_total} must be above 0")
    first, second, pooled = first[seen], second[seen], pooled[seen]
    prior = pooled if prior_total is None else prior_total * pooled / pooled.sum()
    delta = _log_odds(first, prior) - _log_odds(second, prior)
    se = np.sqrt(1 / (first + prior) + 1 / (second + prior))
    index = pd.Index([label for label, there in zip(labels, seen, strict=True) if there], name="label")
    return pd.DataFrame({"delta": delta, "se": se, "z": delta / se}, index=index)


def _log_odds(counts: np.ndarray, prior: np.ndarray) -> np.ndarray:
    with_prior = counts + prior
    return np.log(with_prior / (with_prior.sum() - with_prior))
