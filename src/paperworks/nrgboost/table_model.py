"""A table's encoder and the energies of its rows together: what every estimator of this package asks.

A cell that is missing, or that no bin stands for, is marginalised: summed over the bins of its column's values. Up to
`MAX_ENUMERATED` combinations that is exact, beyond them an average over Gibbs sweeps of the missing cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from scipy.special import logsumexp

from .binning import Floats
from .column_distribution import ColumnDistribution
from .columns import Mask
from .encoding import EncodedRows, TableEncoder
from .initial import Initial
from .model import MAX_ENUMERATED, EnergyModel

Bytes: TypeAlias = "np.ndarray[Any, np.dtype[np.uint8]]"

BURN_IN, SWEEPS = 20, 60
"""Gibbs sweeps over the missing cells of a row: those dropped, and those averaged over."""


@dataclass(frozen=True)
class TableModel:
    """A fitted joint model of a table's rows. ``seed`` decides the sweeps by which missing cells are averaged over."""

    encoder: TableEncoder
    energies: EnergyModel
    seed: int = 0
    n_threads: int = 1

    @cached_property
    def complete(self) -> EnergyModel:
        """The same model of rows that have a value in every cell: "missing" has no mass."""
        columns = self.encoder.columns
        if not any(column.has_missing for column in columns):
            return self.energies
        return weighted(
            self.energies,
            [np.arange(column.cardinality) >= column.has_missing if column.has_missing else None for column in columns],
        )

    def log_density(self, rows: EncodedRows, n_rounds: int | None = None) -> Floats:
        """log q of each row up to log Z, [N], per unit of its numbers; unknown cells are summed out.

        A missing cell of a column that had missing values in training is scored as what it is. Raises ValueError
        where a row's unknown cells have over `MAX_ENUMERATED` combinations.
        """
        widths = np.zeros(len(rows))
        for place, column in enumerate(self.encoder.columns):
            widths += np.where(rows.unknown[:, place], 0, column.log_widths[rows.bins[:, place]])
        return self.energy(rows, n_rounds) - widths

    def energy(self, rows: EncodedRows, n_rounds: int | None = None) -> Floats:
        """f of each row, [N]: the log mass of its bins up to log Z, unknown cells summed out as in `log_density`."""
        out = self.energies.energy(rows.bins, n_rounds)
        first_unknown = np.where(rows.unknown.any(axis=1), rows.unknown.argmax(axis=1), -1)
        for column in np.unique(first_unknown[first_unknown >= 0]):
            members = np.flatnonzero(first_unknown == column)
            out[members] = self._log_mass_of_known(rows[members], int(column), n_rounds)
        return out

    def conditional(
        self, rows: EncodedRows, column: int, n_rounds: int | None = None, *, most_combinations: int | None = None
    ) -> ColumnDistribution:
        """The distribution of ``column`` given each row's other cells, missing and unknown ones averaged over.

        That is exact up to ``most_combinations`` of their bins (`MAX_ENUMERATED`, which is the most there can be).
        """
        most = MAX_ENUMERATED if most_combinations is None else min(most_combinations, MAX_ENUMERATED)
        logits = self._settled(self.complete, rows.bins, column, self._unsettled(rows, column), n_rounds, most)
        return ColumnDistribution(self.encoder.columns[column], logits)

    def staged_conditional(self, rows: EncodedRows, column: int) -> Iterator[ColumnDistribution]:
        """`conditional` after 1, 2, ... rounds; in one pass where no cell is missing."""
        if self._unsettled(rows, column).any():
            for n_rounds in range(1, self.energies.n_rounds + 1):
                yield self.conditional(rows, column, n_rounds)
            return
        for logits in self.complete.staged_conditional_logits(rows.bins, column):
            yield ColumnDistribution(self.encoder.columns[column], logits)

    def recorded_logits(self, rows: EncodedRows, column: int) -> Floats:
        """Log mass of each code of ``column``, "missing" among them, given the row as recorded, [N, cardinality].

        A missing cell beside it counts as the value "missing"; unknown cells are averaged over.
        """
        unsettled = rows.unknown.copy()
        unsettled[:, column] = False
        return self._settled(self.energies, rows.bins, column, unsettled, None, MAX_ENUMERATED)

    def _unsettled(self, rows: EncodedRows, column: int) -> Mask:
        """The cells beside ``column`` that a conditional has to average over, [N, D]."""
        unsettled = rows.absent | rows.unknown
        unsettled[:, column] = False
        return unsettled

    def _settled(
        self, energies: EnergyModel, bins: Bytes, column: int, unsettled: Mask, n_rounds: int | None, most: int
    ) -> Floats:
        """The logits of ``column`` under ``energies``, the ``unsettled`` cells averaged over, [N, cardinality]."""
        log_combinations = unsettled @ np.log(np.array(self.encoder.domain.cards, dtype=np.float64))
        is_exact = log_combinations <= np.log(most) + 1e-9
        out = np.empty((len(bins), self.encoder.domain.cards[column]))
        if is_exact.any():
            out[is_exact] = energies.marginal_conditional_logits(
                bins[is_exact], column, unsettled[is_exact], n_rounds, self.n_threads
            )
        if not is_exact.all():
            out[~is_exact] = self._averaged_logits(energies, bins[~is_exact], column, unsettled[~is_exact], n_rounds)
        return out

    def _averaged_logits(
        self, energies: EnergyModel, bins: Bytes, column: int, unsettled: Mask, n_rounds: int | None
    ) -> Floats:
        """Rao-Blackwell: the mean of the column's conditional over sweeps of the unsettled cells and the column."""
        free = unsettled.copy()
        free[:, column] = True
        start = np.where(free, energies.sample_initial(len(bins), self.seed), bins)
        settings = {"free": free, "n_rounds": n_rounds, "n_threads": self.n_threads}
        state = energies.gibbs(start, BURN_IN, seed=self.seed + 1, **settings)
        _, mean = energies.gibbs(state, SWEEPS, seed=self.seed + 2, average_column=column, **settings)
        with np.errstate(divide="ignore"):
            return np.log(mean)

    def _log_mass_of_known(self, rows: EncodedRows, column: int, n_rounds: int | None) -> Floats:
        """The log mass of the known cells of rows in which ``column``, and perhaps others, are unknown, [N]."""
        try:
            logits = self.complete.marginal_conditional_logits(
                rows.bins, column, rows.unknown, n_rounds, self.n_threads
            )
        except ValueError as error:
            raise ValueError(
                f"a row has so many unknown cells that they cannot be summed over (at most {MAX_ENUMERATED} "
                "combinations); impute the table first"
            ) from error
        initial = self.complete.initial
        own = initial.log_masses[rows.bins + initial.domain.offsets[:-1]]
        return logsumexp(logits, axis=1) + np.where(rows.unknown, 0, own).sum(axis=1)


def weighted(model: EnergyModel, weights: Sequence[np.ndarray | None]) -> EnergyModel:
    """``model`` with every bin's mass times its weight: ``weights`` has an array [card] for a column, or None.

    Weights of 0 and 1 restrict the model to a box: rows outside of it have no mass.
    """
    masses, offsets = model.initial.masses.copy(), model.domain.offsets
    for column, weight in enumerate(weights):
        if weight is not None:
            masses[offsets[column] : offsets[column + 1]] *= weight
    return EnergyModel(Initial(model.domain, masses), model.trees)


def truncated(model: EnergyModel, n_rounds: int) -> EnergyModel:
    """The model after its first ``n_rounds`` rounds."""
    return EnergyModel(model.initial, model.trees[:n_rounds])
