"""How plausible rows and cells are, on a scale that does not depend on the table: shares of what is no more likely."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from .binning import Floats
from .columns import Column
from .encoding import EncodedRows
from .fitting import Progress
from .given import conditions
from .sampling import SamplingConfig, sample_rows
from .table_model import TableModel
from .threads import blocks

_TIES = 1e-9
_BLOCK = 4096


def reference_scores(
    model: TableModel, n: int, seed: int, *, n_steps: int = 100, progress: Progress | None = None
) -> Floats:
    """The log densities of ``n`` rows that the model draws, ascending, [n]."""
    if n < 1:
        raise ValueError(f"{n} reference rows give no share; draw at least 1")
    config = SamplingConfig(n_steps=n_steps, progress=progress)
    rows, _ = sample_rows(model, conditions(model.encoder, None, n), config, start=None, seed=seed)
    return np.sort(model.log_density(model.encoder.encode(rows)))


def of_rows(scores: Floats, reference: Floats) -> Floats:
    """The share of ``reference`` [n], ascending, that is at most each of ``scores`` [N]; the row itself counts in."""
    return (np.searchsorted(reference, scores + _TIES, side="right") + 1) / (len(reference) + 1)


def of_cells(model: TableModel, rows: EncodedRows, *, progress: Progress | None = None) -> Floats:
    """The probability of a value no more likely than each cell's, given the rest of its row, [N, D]; NaN if unknown."""
    out = np.empty(rows.bins.shape)
    for part in blocks(len(rows), _BLOCK):  # a table of a million rows has more logits than memory
        out[part] = _of_cells(model, rows[part])
        if progress is not None:
            progress("scoring cells", part.stop, len(rows))
    return out


def _of_cells(model: TableModel, rows: EncodedRows) -> Floats:
    out = np.empty(rows.bins.shape)
    for place, column in enumerate(model.encoder.columns):
        shares = _no_more_likely(model.recorded_logits(rows, place), rows.bins[:, place].astype(np.int64), column)
        out[:, place] = np.where(rows.unknown[:, place], np.nan, shares)
    return out


def _no_more_likely(logits: Floats, codes: np.ndarray, column: Column) -> Floats:
    """Values are compared by their density, "missing" by its mass with the bins' masses."""
    proba = softmax(logits, axis=1)
    density = np.log(np.maximum(proba, np.finfo(float).tiny)) - column.log_widths
    own = np.take_along_axis(density, codes[:, None], axis=1)
    shares = np.where(density <= own + _TIES, proba, 0)
    if not column.has_missing:
        return shares.sum(axis=1)
    values = shares[:, 1:].sum(axis=1) / np.maximum(1 - proba[:, 0], np.finfo(float).tiny)
    missing = np.where(proba <= proba[:, :1] + _TIES, proba, 0).sum(axis=1)
    return np.minimum(np.where(codes == 0, missing, values), 1)
