"""The simplest generators of tables, for comparison: independent columns, and a Gaussian copula."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from .binning import Floats

__all__ = ["SIMPLE", "sample_copula", "sample_marginals"]


def sample_marginals(table: pd.DataFrame, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """``n`` rows whose cells are drawn from the columns of ``table``, each column by itself."""
    return pd.DataFrame(
        {name: cells.take(rng.integers(len(cells), size=n)).reset_index(drop=True) for name, cells in table.items()}
    )


def sample_copula(table: pd.DataFrame, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """``n`` rows with the columns' own values, which depend on each other as normal variables of the same ranks do.

    Categories take part in the order of their codes; ties are broken at random.
    """
    scores = np.stack([_normal_scores(cells, rng) for _, cells in table.items()], axis=1)
    correlation = np.atleast_2d(np.corrcoef(scores, rowvar=False))
    drawn = rng.multivariate_normal(np.zeros(len(correlation)), correlation, size=n, method="eigh")
    ranks = np.minimum((ndtr(drawn) * len(table)).astype(np.int64), len(table) - 1)
    return pd.DataFrame(
        {
            name: cells.sort_values(ignore_index=True).take(ranks[:, place]).reset_index(drop=True)
            for place, (name, cells) in enumerate(table.items())
        }
    )


def _normal_scores(cells: pd.Series, rng: np.random.Generator) -> Floats:
    """The normal quantiles of the cells' ranks, [N]."""
    values = cells.cat.codes if isinstance(cells.dtype, pd.CategoricalDtype) else cells
    order = np.lexsort((rng.random(len(values)), values.to_numpy()))
    ranks = np.empty(len(order))
    ranks[order] = (np.arange(len(order)) + 0.5) / len(order)
    return np.asarray(ndtri(ranks))


SIMPLE: Mapping[str, Callable[[pd.DataFrame, int, np.random.Generator], pd.DataFrame]] = {
    "independent columns": sample_marginals,
    "Gaussian copula": sample_copula,
}
"""The simple generators by name."""
