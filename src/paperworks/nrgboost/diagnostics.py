"""How good a fitted model's rows are: a discriminator, marginals, and whether its chains have mixed (section 8.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from . import tables
from .binning import Floats
from .column_fit import BinningConfig
from .columns import CategoryColumn
from .density import NRGBoostDensity
from .encoding import TableEncoder, fit_encoder

_MOST_CATEGORIES = 255  # of a column that the discriminator takes as unordered


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainDiagnostics:
    """Of the energies along chains of a sampler that started apart: ``r_hat`` near 1 says that they have mixed.

    ``ess_per_sweep`` is the number of independent draws that a sweep of one chain is worth.
    """

    r_hat: float
    ess_per_sweep: float


def discriminator_auc(real: Any, synthetic: Any, *, folds: int = 5, seed: int = 0) -> float:
    """How well gradient boosting tells ``synthetic`` rows from ``real`` ones, out of fold: 0.5 cannot, 1 always does.

    Both are tables with the same columns. The larger one is cut to the size of the other. Raises ValueError for tables
    of different columns or with fewer than ``folds`` rows.
    """
    frames = [tables.read(table)[0] for table in (real, synthetic)]
    if list(frames[0].columns) != list(frames[1].columns):
        raise ValueError(f"the tables have different columns: {list(frames[0].columns)} and {list(frames[1].columns)}")
    rng, size = np.random.default_rng(seed), min(map(len, frames))
    if size < folds:
        raise ValueError(f"a discriminator of {folds} folds needs at least {folds} rows of each kind, not {size}")
    same_size = [frame.iloc[np.sort(rng.choice(len(frame), size, replace=False))] for frame in frames]
    encoder = fit_encoder(frames[0], BinningConfig(categorical_overflow="group"))
    matrix = np.concatenate([_numbers(encoder, frame) for frame in same_size])
    is_category = [column.categorical and column.cardinality <= _MOST_CATEGORIES for column in encoder.columns]
    label = np.repeat([0, 1], size)
    judge = HistGradientBoostingClassifier(categorical_features=is_category, random_state=seed)
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    guess = cross_val_predict(judge, matrix, label, cv=split, method="predict_proba")
    return float(roc_auc_score(label, guess[:, 1]))


def marginal_distances(model: NRGBoostDensity, table: Any) -> dict[str, float]:
    """How far each column of ``table`` is from that of the training table, by name: 0 is the same, 1 disjoint.

    Of ordered columns the Kolmogorov-Smirnov distance, the largest difference of cumulative shares; of categories the
    total variation. Draws of n rows from the very same distribution are about 1 / sqrt(n) apart.
    """
    encoder = model.model_.encoder
    rows = encoder.encode(tables.read_checked(model, table, encoder.names)[0])
    distances = {}
    for place, column in enumerate(encoder.columns):
        known = rows.bins[~rows.unknown[:, place], place]
        shares = np.bincount(known, minlength=column.cardinality) / max(1, len(known))
        apart = shares - column.counts / column.counts.sum()
        distances[column.name] = float(np.abs(apart).sum() / 2 if column.categorical else np.abs(apart.cumsum()).max())
    return distances


def chain_diagnostics(
    model: NRGBoostDensity, *, n_chains: int = 32, n_steps: int = 100, random_state: Any = 0
) -> ChainDiagnostics:
    """R-hat and effective sample size of the energies along ``n_chains`` chains from draws of the marginals.

    The first half of each chain is dropped.
    """
    _, chain = model.sample(n_chains, n_steps=n_steps, return_chain=True, random_state=random_state)
    kept = chain[:, n_steps // 2 :]
    energies = model.model_.energies.energy(np.ascontiguousarray(kept.reshape(-1, kept.shape[2])))
    trace = energies.reshape(kept.shape[:2])
    return ChainDiagnostics(r_hat=split_r_hat(trace), ess_per_sweep=effective_sample_size(trace) / trace.size)


def split_r_hat(trace: Floats) -> float:
    """R-hat of chains [M, N], each cut into halves: the spread of all draws over that within chains (BDA3, 11.4).

    Raises ValueError for fewer than four draws of a chain.
    """
    half = trace.shape[1] // 2
    if half < 2:
        raise ValueError(f"R-hat needs chains of at least 4 draws, not {trace.shape[1]}")
    halves = np.concatenate([trace[:, :half], trace[:, half : 2 * half]])
    within, between = halves.var(axis=1, ddof=1).mean(), halves.mean(axis=1).var(ddof=1)
    if within == 0:
        return 1.0 if between == 0 else np.inf
    return float(np.sqrt((half - 1) / half + between / within))


def effective_sample_size(trace: Floats) -> float:
    """How many independent draws chains [M, N] are worth: M N over the sum of their autocorrelations (BDA3, 11.5).

    The sum ends before the first pair of lags that is negative together (Geyer 1992).
    """
    chains, length = trace.shape
    centred = trace - trace.mean(axis=1, keepdims=True)
    padded = np.fft.rfft(centred, n=2 * length, axis=1)
    covariance = np.fft.irfft(np.abs(padded) ** 2, axis=1)[:, :length].mean(axis=0) / length
    within = covariance[0] * length / max(1, length - 1)
    total = within * (length - 1) / length + (trace.mean(axis=1).var(ddof=1) if chains > 1 else 0)
    if total == 0:
        return float(trace.size)
    correlation = 1 - (within - covariance) / total
    correlation[0] = 1
    pairs = correlation[: length // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs < 0)
    kept = pairs[: negative[0]] if len(negative) else pairs
    return float(min(trace.size / max(2 * kept.sum() - 1, 1 / np.log10(trace.size + 10)), trace.size))


def _numbers(encoder: TableEncoder, frame: pd.DataFrame) -> Floats:
    """The frame as floats [N, D]: numbers as they are, categories by their codes, NaN where nothing is known."""
    parts = []
    for place, column in enumerate(encoder.columns):
        cells = frame.iloc[:, place]
        if isinstance(column, CategoryColumn):
            codes, absent = column.encode(cells)
            parts.append(np.where(absent | (codes < 0), np.nan, codes))
        else:
            parts.append(column.positions(cells))
    return np.stack(parts, axis=1)
