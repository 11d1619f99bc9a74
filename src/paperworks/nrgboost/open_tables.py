"""The paper's seven tables, from OpenML: downloaded once, through scikit-learn, into paperworks' cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from paperworks.core import UserError
from paperworks.lab import places

__all__ = ["OPEN", "load"]

_SIDE = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    """A table's number on OpenML, and the name that it has there, lest the number led elsewhere."""

    number: int
    name: str
    is_classification: bool
    prepare: Callable[[pd.DataFrame], pd.DataFrame]


def load(name: str) -> tuple[pd.DataFrame, pd.Series]:
    """The features [N, D], all numbers, and the target [N] of a table in `OPEN`, a category or a number.

    Whole numbers are integers. A category among the features is told by its code, with -1 for one that is missing, to
    every model alike. Raises UserError where the table cannot be had.
    """
    from sklearn.datasets import fetch_openml

    asked = OPEN[name]
    folder = places.cache() / "openml"
    try:
        bunch = fetch_openml(data_id=asked.number, data_home=folder, as_frame=True, parser="liac-arff")
    except OSError as error:
        raise UserError(
            f"the table {name!r} could not be fetched from OpenML (data set {asked.number}): {error}; this needs a "
            f"network once, and the table is then kept in {folder}"
        ) from error
    if bunch.details["name"].lower() != asked.name.lower():
        raise UserError(
            f"OpenML's data set {asked.number} is {bunch.details['name']!r}, not {asked.name!r}: remove {folder}, or "
            "report it"
        )
    target = bunch.target.astype("category" if asked.is_classification else np.float64)
    return asked.prepare(bunch.data), target


def _numbers(features: pd.DataFrame) -> pd.DataFrame:
    return features.apply(_codes_or_numbers)


def _codes_or_numbers(cells: pd.Series) -> pd.Series:
    if isinstance(cells.dtype, pd.CategoricalDtype):
        return cells.cat.codes.astype(np.int64)
    return cells.astype(np.int64) if (cells == cells.round()).all() else cells


def _halved(features: pd.DataFrame) -> pd.DataFrame:
    """Pictures of 28 x 28 pixels as 14 x 14, each the mean of four, rounded."""
    pictures = features.to_numpy(np.float64).reshape(-1, _SIDE // 2, 2, _SIDE // 2, 2)
    means = np.rint(pictures.mean(axis=(2, 4))).astype(np.int64)
    return pd.DataFrame(means.reshape(len(features), -1)).rename(columns="pixel {}".format)


_number_of = partial(_Open, is_classification=False, prepare=_numbers)
_class_of = partial(_Open, is_classification=True, prepare=_numbers)

OPEN: Mapping[str, _Open] = {
    "abalone": _number_of(number=44956, name="abalone"),
    "california": _number_of(number=44977, name="california_housing"),
    "protein": _number_of(number=44963, name="physiochemical_protein"),
    "adult": _class_of(number=1590, name="adult"),
    "miniboone": _class_of(number=41150, name="MiniBooNE"),
    "mnist": _Open(number=554, name="mnist_784", is_classification=True, prepare=_halved),
    "covertype": _class_of(number=1596, name="covertype"),
}
"""The tables by name."""
