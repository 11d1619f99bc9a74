"""One column of a table: the numbers of its bins, and how values come back from them.

Code 0 of a column that had missing values in training stands for "missing"; the bins of its values follow.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from . import cells
from .binning import Bins, Codes, Floats

Mask: TypeAlias = "np.ndarray[Any, np.dtype[np.bool_]]"
UNKNOWN = -1
"""The code of a cell about which nothing is known: missing where training had no missing value, or never seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberColumn:
    """A column of ordered values: numbers, booleans, dates or durations.

    Inside, a value is a float in the column's own steps: whole ``unit`` since ``origin`` for dates,
    ``x * 10**decimals`` for reals that are written with that many decimals, ``x - origin`` for integers.
    """

    name: str
    dtype: str
    kind: cells.Kind
    bins: Bins
    has_missing: bool
    decimals: int | None = None
    origin: int = 0
    unit: str = ""
    counts: Floats = field(default_factory=lambda: np.zeros(0))

    @property
    def categorical(self) -> bool:
        """False: the codes have an order."""
        return False

    @property
    def cardinality(self) -> int:
        """The number of codes, that of "missing" included."""
        return len(self.bins) + self.has_missing

    @property
    def log_widths(self) -> Floats:
        """The logarithm of the width of each code's bin in the column's unit, [cardinality]; 0 for "missing"."""
        widths = np.log(self.bins.widths) - np.log(10.0) * (self.decimals or 0)
        return np.concatenate([np.zeros(int(self.has_missing)), widths])

    def encode(self, values: pd.Series) -> tuple[Codes, Mask]:
        """The codes [N] of the values, `UNKNOWN` where a missing value has none, and which were missing [N].

        Raises ValueError for values of another kind and for infinite ones.
        """
        steps = self.to_steps(values)
        absent = np.isnan(steps)
        if np.isinf(steps).any():
            raise ValueError(f"column {self.name!r} contains infinity or a value too large; numbers must be finite")
        codes = self.bins.locate(steps) + self.has_missing
        return np.where(absent, 0 if self.has_missing else UNKNOWN, codes), absent

    def decode(
        self, codes: Codes, rng: np.random.Generator, within: tuple[float, float] = (-np.inf, np.inf)
    ) -> pd.Series:
        """Values drawn uniformly from the bins of ``codes`` [N], not outside of ``within`` (in steps)."""
        missing = codes == 0 if self.has_missing else np.zeros(len(codes), dtype=bool)
        bins = np.where(missing, 0, codes - self.has_missing)
        return self.series(self.bins.draw(bins, rng.random(len(codes)), *within), missing)

    def series(self, steps: Floats, missing: Mask) -> pd.Series:
        """A pandas column of the original type with the values at ``steps`` [N], missing where ``missing`` [N] is."""
        values = pd.Series(self.from_steps(steps), name=self.name)
        if missing.any():
            if self.kind in ("boolean", "integer"):
                values = values.astype(object)
            values = values.mask(missing)
        return cells.of_type(values, self.dtype)

    def to_steps(self, values: pd.Series) -> Floats:
        """Values [N] as floats in the column's steps, NaN where missing; ValueError for values of another kind.

        Reals that are written with so many decimals are rounded to them.
        """
        steps = self.positions(values)
        return steps if self.kind != "real" or self.decimals is None else np.round(steps)

    def positions(self, values: pd.Series) -> Floats:
        """As `to_steps`, but a real number between two steps stays between them."""
        if self.kind in ("datetime", "duration"):
            times = cells.moments(values, self.kind)
            whole = times.astype(f"{times.dtype.kind}8[{self.unit}]").astype(np.int64)
            return np.where(np.isnat(times), np.nan, (whole - self.origin).astype(np.float64))
        if self.kind == "real":
            return cells.numbers(values) * 10.0 ** (self.decimals or 0)
        return cells.steps_from(values, self.origin)

    def from_steps(self, steps: Floats) -> np.ndarray[Any, Any]:
        """What `to_steps` undoes: steps (any shape) as numbers, booleans, dates or durations."""
        if self.kind == "real":
            return steps / 10.0 ** (self.decimals or 0)
        whole = np.round(steps).astype(np.int64)
        if self.kind == "boolean":
            return whole.astype(bool)
        if self.kind == "integer":
            return whole.astype(np.uint64) + np.uint64(self.origin) if self.origin >= 2**63 else whole + self.origin
        return (whole + self.origin).astype(f"{'M' if self.kind == 'datetime' else 'm'}8[{self.unit}]")

    def averages(self, steps: Floats) -> np.ndarray[Any, Any]:
        """`from_steps` for means, which need not be values of the column: fractions stay, of dates to a microsecond."""
        if self.kind == "real":
            return self.from_steps(steps)
        if self.kind in ("integer", "boolean"):
            return steps + self.origin
        if self.unit == "ns":
            return self.from_steps(steps)
        parts = int(np.timedelta64(1, self.unit) / np.timedelta64(1, "us"))
        whole = self.origin * parts + np.round(steps * parts).astype(np.int64)
        return whole.astype(f"{'M' if self.kind == 'datetime' else 'm'}8[us]")


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryColumn:
    """A column of categories: texts, or whatever was declared categorical.

    Where there were too many, the rarest share the last code; ``rare`` lists them with their shares. Categories that
    pandas calls ordered have an order here too.
    """

    name: str
    dtype: str
    categories: tuple[Hashable, ...]
    has_missing: bool
    ordered: bool = False
    rare: Mapping[Hashable, float] = field(default_factory=dict)
    counts: Floats = field(default_factory=lambda: np.zeros(0))

    @property
    def categorical(self) -> bool:
        """True where the codes have no order."""
        return not self.ordered

    @property
    def values(self) -> tuple[Hashable, ...]:
        """The category of each code but "missing"; the commonest of the rare ones stands for their group."""
        return (*self.categories, max(self.rare, key=lambda each: self.rare[each])) if self.rare else self.categories

    @property
    def cardinality(self) -> int:
        """The number of codes, those of "missing" and of the rare categories included."""
        return len(self.values) + self.has_missing

    @property
    def log_widths(self) -> Floats:
        """Zeros, [cardinality]: a category has a mass."""
        return np.zeros(self.cardinality)

    def encode(self, values: pd.Series) -> tuple[Codes, Mask]:
        """The codes [N] of the values, `UNKNOWN` for categories never seen, and which were missing [N]."""
        table: dict[Hashable, int] = {category: code for code, category in enumerate(self.categories)}
        table |= dict.fromkeys(self.rare, len(self.categories))
        unseen = len(self.categories) if self.rare else UNKNOWN
        found, index = cells.distinct(values)
        code_of = np.array([*(table.get(value, unseen) for value in found), UNKNOWN], dtype=np.int64)
        codes = code_of[index]
        codes = np.where(codes == UNKNOWN, UNKNOWN, codes + self.has_missing)
        absent = index < 0
        return np.where(absent, 0 if self.has_missing else UNKNOWN, codes), absent

    def decode(
        self, codes: Codes, rng: np.random.Generator, within: tuple[float, float] = (-np.inf, np.inf)
    ) -> pd.Series:
        """The categories of ``codes`` [N]; a rare one is drawn by its share. ``within`` means nothing here."""
        labels = np.empty(self.cardinality, dtype=object)
        labels[int(self.has_missing) :] = self.values
        drawn = labels[codes]
        if self.rare:
            group = np.flatnonzero(codes == self.cardinality - 1)
            members = np.empty(len(self.rare), dtype=object)
            members[:] = [*self.rare]
            drawn[group] = members[rng.choice(len(members), size=len(group), p=[*self.rare.values()])]
        return self.series(drawn)

    def series(self, values: np.ndarray[Any, Any]) -> pd.Series:
        """A pandas column of the original type with these categories [N]; None is missing."""
        if self.dtype == "category":
            dtype = pd.CategoricalDtype([*self.categories, *self.rare], ordered=self.ordered)
            return pd.Series(pd.Categorical(values, dtype=dtype), name=self.name)
        return cells.of_type(pd.Series(values, name=self.name, dtype=object), self.dtype)


Column: TypeAlias = NumberColumn | CategoryColumn
