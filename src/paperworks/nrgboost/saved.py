"""What every estimator of this package that can be put into a file has in common."""

from __future__ import annotations

from pathlib import Path
from typing import Self


class SavedEstimator:
    """An estimator with `save` and `load`; which ones there are stands in `model_file`."""

    def save(self, path: str | Path) -> Path:
        """Write the fitted model to one ``.npz`` file, whole or not at all; `load` and `load_model` read it.

        It holds arrays and a JSON header, nothing that is run on loading, and no row of the training table.
        """
        from .model_file import save_estimator

        return save_estimator(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The model that `save` wrote. Raises ValueError for a file of another kind, of a newer version, or damaged."""
        from .model_file import load_estimator

        return load_estimator(Path(path), cls)
