"""The energy model f = f_0 + sum of trees: energies, conditionals, samples, log Z (sections 2.1 and 2.5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from .conditionals import add_energies
from .domain import Domain
from .gibbs import run_chains
from .initial import Initial
from .leaf_masks import LeafMasks
from .streams import stream_key
from .threads import Workers, blocks
from .tree import Tree, add_values, trees_from_arrays, trees_to_arrays

__all__ = ["MAX_ENUMERATED", "EnergyModel"]

MAX_ENUMERATED = 4096
"""Combinations of missing cells that are summed over exactly."""

_ROWS_AT_ONCE = 1024
_CHAINS_AT_ONCE = 16


class EnergyModel:
    """A fitted model of rows in ``domain``: log q(x) = f_0(x) + the trees' values - log Z, by bin.

    Immutable. Rows are uint8 [N, D]; ``n_rounds`` asks for the model after that many trees (None: all), and its
    methods raise ValueError for rows outside the domain or rounds that there are not.
    """

    def __init__(self, initial: Initial, trees: Sequence[Tree] = (), masks: LeafMasks | None = None) -> None:
        self.initial = initial
        self.trees = tuple(trees)
        self._masks = masks

    @property
    def domain(self) -> Domain:
        """The columns and their bins."""
        return self.initial.domain

    @property
    def n_rounds(self) -> int:
        """How many trees there are."""
        return len(self.trees)

    def energy(self, rows: NDArray[np.uint8], n_rounds: int | None = None) -> NDArray[np.float64]:
        """f(x) of each row, [N]: log mass per bin, up to log Z."""
        rows = self.domain.rows(rows)
        out = self.initial.energy(rows)
        for tree in self.trees[: self._rounds(n_rounds)]:
            add_values(tree, rows, out)
        return out

    def conditional_logits(
        self, rows: NDArray[np.uint8], column: int, n_rounds: int | None = None, n_threads: int = 1
    ) -> NDArray[np.float64]:
        """Log mass of each bin of ``column`` given the row's other cells, up to a constant a row, [N, card]."""
        rows, n_trees = self.domain.rows(rows), self._rounds(n_rounds)
        start, stop = self.domain.offsets[column : column + 2]
        out = np.tile(self.initial.log_masses[start:stop], (len(rows), 1))
        tables = self.masks.tables

        def fill(block: slice) -> None:
            add_energies(rows[block], column, 0, n_trees, tables, out[block])

        with Workers(n_threads) as workers:
            workers.map(fill, blocks(len(rows), _ROWS_AT_ONCE))
        return out

    def staged_conditional_logits(self, rows: NDArray[np.uint8], column: int) -> Iterator[NDArray[np.float64]]:
        """`conditional_logits` after 1, 2, ... rounds, in one pass; each a new array."""
        out = self.conditional_logits(rows, column, 0)
        for number in range(self.n_rounds):
            self.add_round_logits(rows, column, number, out)
            yield out.copy()

    def add_round_logits(
        self, rows: NDArray[np.uint8], column: int, round_index: int, logits: NDArray[np.float64]
    ) -> None:
        """Add to ``logits`` [N, card] what tree ``round_index`` contributes to `conditional_logits`."""
        add_energies(self.domain.rows(rows), column, round_index, round_index + 1, self.masks.tables, logits)

    def marginal_conditional_logits(
        self,
        rows: NDArray[np.uint8],
        column: int,
        missing: NDArray[np.bool_],
        n_rounds: int | None = None,
        n_threads: int = 1,
    ) -> NDArray[np.float64]:
        """`conditional_logits` summed over every value of the cells that are ``missing`` [N, D], [N, card], exactly.

        What rows hold in missing cells, and in ``column``, does not matter. Raises ValueError where a row's missing
        cells (without ``column``) have more than `MAX_ENUMERATED` combinations.
        """
        rows = self.domain.rows(rows)
        missing = np.array(missing, bool)
        missing[:, column] = False
        out = np.empty((len(rows), self.domain.cards[column]))
        patterns, which = np.unique(missing, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            members = np.flatnonzero(which.ravel() == number)
            out[members] = self._summed_over(rows[members], column, np.flatnonzero(pattern), n_rounds, n_threads)
        return out

    def gibbs(
        self,
        rows: NDArray[np.uint8],
        n_steps: int,
        *,
        free: NDArray[np.bool_] | None = None,
        temperature: float = 1.0,
        n_rounds: int | None = None,
        seed: int,
        n_threads: int = 1,
        average_column: int | None = None,
    ) -> Any:
        """The states of chains that start at ``rows`` after ``n_steps`` sweeps, [N, D]; ``rows`` stay as they are.

        Only ``free`` cells, [D] or [N, D], change. At ``temperature`` T the whole energy is divided by T. With
        ``average_column`` returns (rows, mean): the mean over the sweeps of that column's conditional probabilities,
        [N, card] (Rao-Blackwell), for which it must be free. The result does not depend on ``n_threads``.

        Raises ValueError for fewer than one sweep or a temperature that is not positive.
        """
        if n_steps < 1:
            raise ValueError(f"n_steps={n_steps} draws nothing; give at least 1")
        if not temperature > 0:
            raise ValueError(f"temperature={temperature} must be above 0")
        state = self.domain.rows(rows).copy()
        cells = self._free_cells(free, len(state))
        column = -1 if average_column is None else average_column
        mean = np.zeros((len(state), 0 if average_column is None else self.domain.cards[average_column]))
        arguments = (n_steps, np.float32(1 / temperature), self._rounds(n_rounds), self.masks.tables, stream_key(seed))
        no_states = np.empty((len(state), 0, 0), np.uint8)

        def run(block: slice) -> None:
            some = cells[block] if len(cells) > 1 else cells
            run_chains(state[block], some, *arguments, block.start, no_states[block], column, mean[block])

        with Workers(n_threads) as workers:
            workers.map(run, blocks(len(state), _CHAINS_AT_ONCE))
        return state if average_column is None else (state, mean / n_steps)

    def sample_initial(self, n: int, seed: int) -> NDArray[np.uint8]:
        """``n`` exact draws from the product distribution f_0, [n, D]."""
        return self.initial.sample(n, stream_key(seed))

    def log_partition(
        self, n_particles: int = 256, seed: int = 0, *, n_steps: int = 1, n_threads: int = 1
    ) -> tuple[float, float]:
        """(log Z, its standard error) by annealed importance sampling along the rounds; see `annealing`."""
        from .annealing import log_partition

        return log_partition(self, n_particles, seed, n_steps, n_threads)

    def feature_gains(self) -> NDArray[np.float64]:
        """[D]: the sum of the gains of the splits on each column."""
        out = np.zeros(self.domain.n_columns)
        for tree in self.trees:
            np.add.at(out, tree.column, tree.gain)
        return out

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The model as plain arrays, for `from_arrays`."""
        return {
            "cards": np.array(self.domain.cards, np.int16),
            "categorical": np.array(self.domain.categorical),
            "masses": self.initial.masses,
            **trees_to_arrays(self.trees),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> EnergyModel:
        """The model that `to_arrays` described. Raises KeyError for an absent array, ValueError for a wrong one."""
        domain = Domain(tuple(arrays["cards"].tolist()), tuple(arrays["categorical"].tolist()))
        return cls(Initial(domain, np.asarray(arrays["masses"], np.float64)), trees_from_arrays(arrays))

    @property
    def masks(self) -> LeafMasks:
        """The leaf masks of all trees, made when they are first needed."""
        if self._masks is None:
            most = max((tree.n_leaves for tree in self.trees), default=1)
            masks = LeafMasks(self.domain, self.initial.log_masses, max(self.n_rounds, 1), most)
            masks.add(self.trees)
            self._masks = masks
        return self._masks

    def _rounds(self, n_rounds: int | None) -> int:
        if n_rounds is None:
            return self.n_rounds
        if not 0 <= n_rounds <= self.n_rounds:
            raise ValueError(f"n_rounds={n_rounds}, but the model has {self.n_rounds} rounds")
        return n_rounds

    def _free_cells(self, free: NDArray[np.bool_] | None, count: int) -> NDArray[np.bool_]:
        cells = np.atleast_2d(np.ones(self.domain.n_columns, bool) if free is None else np.asarray(free, bool))
        if cells.shape[1] != self.domain.n_columns or cells.shape[0] not in {1, count}:
            raise ValueError(f"free has the shape {cells.shape}; give [D] or [N, D]")
        return np.ascontiguousarray(cells)

    def _summed_over(
        self, rows: NDArray[np.uint8], column: int, absent: NDArray[np.int64], n_rounds: int | None, n_threads: int
    ) -> NDArray[np.float64]:
        cards = [self.domain.cards[other] for other in absent]
        count = int(np.prod(cards)) if cards else 1
        if count > MAX_ENUMERATED:
            raise ValueError(f"{count} combinations of missing cells are more than {MAX_ENUMERATED}")
        values = np.stack(np.unravel_index(np.arange(count), cards), -1) if cards else np.empty((1, 0))
        parts = []
        for block in blocks(len(rows), max(1, MAX_ENUMERATED * 4 // count)):
            every = np.repeat(rows[block], count, 0)
            every[:, absent] = np.tile(values, (len(rows[block]), 1))
            logits = self._with_own_mass(every, column, absent, n_rounds, n_threads)
            parts.append(logsumexp(logits.reshape(-1, count, logits.shape[1]), 1))
        return np.concatenate(parts)

    def _with_own_mass(
        self, rows: NDArray[np.uint8], column: int, absent: NDArray[np.int64], n_rounds: int | None, n_threads: int
    ) -> NDArray[np.float64]:
        """`conditional_logits` with the part of f_0 that the ``absent`` cells have, which differs between the rows."""
        own = self.initial.log_masses[rows[:, absent] + self.domain.offsets[absent]].sum(1)
        return np.asarray(self.conditional_logits(rows, column, n_rounds, n_threads) + own[:, None])
