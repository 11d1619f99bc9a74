"""What is measured of a model once it is fitted, and kept in its file for its card."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from .density import NRGBoostDensity
from .diagnostics import chain_diagnostics, discriminator_auc, marginal_distances
from .fitting import Progress

MOST_ROWS = 2000
FOLDS = 5


def measure(
    model: NRGBoostDensity, real: Any, *, held_out: bool, seed: int = 0, progress: Progress | None = None
) -> dict[str, Any]:
    """Marginals and mixing of 2000 samples, and a discriminator between them and as many ``real`` rows.

    ``held_out`` says whether the rows are ones that training did not see; it is kept with the numbers. Fewer than ten
    rows are not enough for a discriminator, and give None.
    """
    count = min(len(real), MOST_ROWS)
    chosen = np.sort(np.random.default_rng(seed).choice(len(real), count, replace=False))
    rows = real.take(pa.array(chosen)) if isinstance(real, pa.Table) else real.iloc[chosen]
    synthetic = model.sample(MOST_ROWS, random_state=seed, progress=progress)
    mixing = chain_diagnostics(model, random_state=seed)
    return {
        "rows": count,
        "held_out": held_out,
        "discriminator_auc": discriminator_auc(rows, synthetic, folds=FOLDS, seed=seed) if count >= 2 * FOLDS else None,
        "marginal_distances": marginal_distances(model, synthetic),
        "r_hat": mixing.r_hat,
        "ess_per_sweep": mixing.ess_per_sweep,
    }
