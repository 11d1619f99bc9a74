"""The tables on which the claims are measured, bundled, generated or fetched, and how each seed splits them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

from . import open_tables
from .open_tables import OPEN

__all__ = ["BUNDLED", "TARGET", "Split", "Table", "as_table", "load", "split"]

TARGET = "target"
"""The name of the column that is predicted."""

_FOLDS = 5
_VALIDATION = 0.15
_FRIEDMAN_NOISE = 1.0
_FRIEDMAN_COLUMNS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of numbers [N, D] and, as its last column, the `TARGET`: a category, or a number."""

    name: str
    frame: pd.DataFrame

    @property
    def is_classification(self) -> bool:
        """Whether the target is a category."""
        return isinstance(self.frame[TARGET].dtype, pd.CategoricalDtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A table's rows: to learn from, to stop early by, and to be scored on."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame


def load(name: str, rows: int) -> Table:
    """The table ``name`` of `BUNDLED` or of `OPEN`; ``rows`` is the size of the one that is generated.

    Raises ValueError for a name that is not there, and UserError for a table that cannot be fetched.
    """
    if name in OPEN:
        return as_table(name, *open_tables.load(name))
    if name not in BUNDLED:
        raise ValueError(f"there is no table {name!r}; there are {', '.join((*BUNDLED, *OPEN))}")
    return BUNDLED[name](rows)


def split(table: Table, seed: int) -> Split:
    """The split of ``seed``: five-fold cross-validation, shuffled anew after every five seeds.

    A fifth of the rows is for testing, so that no row is tested twice within five seeds; of the rest, 15 % are for
    early stopping. Classes keep their shares.
    """
    repetition, fold = divmod(seed, _FOLDS)
    labels = table.frame[TARGET] if table.is_classification else None
    folds = (StratifiedKFold if table.is_classification else KFold)(_FOLDS, shuffle=True, random_state=repetition)
    others, test = list(folds.split(table.frame, labels))[fold]
    train, validation = train_test_split(
        others,
        test_size=_VALIDATION,
        random_state=seed,
        stratify=None if labels is None else labels.iloc[others],
    )
    parts = (table.frame.iloc[np.sort(rows)].reset_index(drop=True) for rows in (train, validation, test))
    return Split(**dict(zip(("train", "validation", "test"), parts, strict=True)))


def as_table(name: str, features: pd.DataFrame, target: pd.Series) -> Table:
    """``features`` [N, D] with ``target`` [N] beside them; columns are called by texts."""
    frame = features.reset_index(drop=True).rename(columns=str)
    return Table(name=name, frame=frame.assign(**{TARGET: target.reset_index(drop=True)}))


def _digits(_: int) -> Table:
    """1,797 handwritten digits: 64 pixels from 0 to 16, and the digit."""
    bunch = datasets.load_digits(as_frame=True)
    return as_table("digits", bunch.data.astype(np.int64), bunch.target.astype("category"))


def _breast_cancer(_: int) -> Table:
    """569 tumours: 30 measurements, and whether each was malignant."""
    bunch = datasets.load_breast_cancer(as_frame=True)
    return as_table("breast_cancer", bunch.data, bunch.target.astype("category"))


def _wine(_: int) -> Table:
    """178 wines: 13 measurements, and the grower."""
    bunch = datasets.load_wine(as_frame=True)
    return as_table("wine", bunch.data, bunch.target.astype("category"))


def _diabetes(_: int) -> Table:
    """442 patients: 10 measurements, and the progression of the disease a year later."""
    bunch = datasets.load_diabetes(as_frame=True, scaled=False)
    return as_table("diabetes", bunch.data, bunch.target)


def _friedman1(rows: int) -> Table:
    """Friedman's first function of five of eight uniform features, with normal noise of variance 1."""
    features, target = datasets.make_friedman1(
        rows, n_features=_FRIEDMAN_COLUMNS, noise=_FRIEDMAN_NOISE, random_state=0
    )
    return as_table("friedman1", pd.DataFrame(features).rename(columns="x{}".format), pd.Series(target))


BUNDLED: Mapping[str, Callable[[int], Table]] = {
    "digits": _digits,
    "breast_cancer": _breast_cancer,
    "wine": _wine,
    "diabetes": _diabetes,
    "friedman1": _friedman1,
}
"""The tables that every machine has, by name."""
