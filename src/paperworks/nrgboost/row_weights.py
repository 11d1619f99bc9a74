"""The weights of a training table's rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import _check_sample_weight

from .binning import Floats


def row_weights(sample_weight: Any, frame: pd.DataFrame) -> Floats | None:
    """``sample_weight`` as floats [N], None where every row counts once.

    Raises ValueError for a wrong number of weights, negative ones, or none above 0.
    """
    if sample_weight is None:
        return None
    weights = np.asarray(_check_sample_weight(sample_weight, frame, dtype=np.float64, ensure_non_negative=True))
    if not weights.any():
        raise ValueError("every sample_weight is zero; give at least one row a positive weight")
    return weights
