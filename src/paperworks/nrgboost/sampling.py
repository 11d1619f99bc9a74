"""Rows drawn from a fitted model by Gibbs sampling, in blocks, under conditions (section 2.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .fitting import Progress
from .given import Conditions
from .model import EnergyModel
from .table_model import Bytes, TableModel, weighted
from .threads import blocks

BLOCK = 1024
"""Chains that run between two reports of progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingConfig:
    """How rows are drawn: sweeps of each chain, rounds of the model (None: all), temperature, every state or the last.

    Raises ValueError for fewer than one sweep or a temperature that is not above 0.
    """

    n_steps: int = 100
    n_rounds: int | None = None
    temperature: float = 1.0
    return_chain: bool = False
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if self.n_steps < 1:
            raise ValueError(f"n_steps is {self.n_steps}; it must be at least 1")
        if not self.temperature > 0:
            raise ValueError(f"temperature is {self.temperature}; it must be above 0")


def sample_rows(
    model: TableModel,
    asked: Conditions,
    config: SamplingConfig,
    *,
    start: np.ndarray[Any, np.dtype[np.uint8]] | None,
    seed: int,
) -> tuple[pd.DataFrame, np.ndarray[Any, np.dtype[np.uint8]] | None]:
    """n rows, each the end of a chain of its own, as a frame; with ``return_chain`` the bins of all sweeps too,
    [n, sweeps, D], else None.

    Chains start at ``start`` [n, D], or at draws from f_0. Memory is that of the rows, not of their chains, unless
    those are asked for.
    """
    sampler = _Sampler(_under(model.energies, asked), asked, config, model.n_threads)
    n, width = asked.bins.shape
    bins = np.empty((n, width), dtype=np.uint8)
    chain = np.empty((n, config.n_steps, width), dtype=np.uint8) if config.return_chain else None
    for number, part in enumerate(blocks(n, BLOCK)):
        seeds = np.random.SeedSequence([seed, number]).generate_state(2)
        state = sampler.start(part, None if start is None else start[part], int(seeds[0]))
        bins[part] = sampler.advance(state, int(seeds[1]), None if chain is None else chain[part])
        if config.progress is not None:
            config.progress("sampling", part.stop, n)
    frame = model.encoder.decode(bins, np.random.default_rng([seed, 1]), asked.within)
    for place, values in asked.exact.items():
        frame.isetitem(place, values)
    return frame, chain


@dataclass(frozen=True)
class _Sampler:
    """Chains under conditions, a block at a time."""

    energies: EnergyModel
    asked: Conditions
    config: SamplingConfig
    n_threads: int

    def start(self, part: slice, given: Bytes | None, seed: int) -> Bytes:
        """Where the chains of a block start: where ``given`` [n, D] says and conditions allow, else at draws of f_0."""
        drawn = self.energies.sample_initial(part.stop - part.start, seed)
        rows = drawn
        if given is not None:
            possible = self.energies.initial.masses[given + self.energies.domain.offsets[:-1]] > 0
            rows = np.where(possible, given, drawn)
        return np.ascontiguousarray(np.where(self.asked.fixed, self.asked.bins[part], rows), dtype=np.uint8)

    def advance(self, state: Bytes, seed: int, chain: Bytes | None) -> Bytes:
        """The chains after all sweeps, [n, D]; the states of each go into ``chain`` [n, sweeps, D] if there is one."""
        free = ~self.asked.fixed
        sweeps = [self.config.n_steps] if chain is None else [1] * self.config.n_steps
        for number, steps in enumerate(sweeps):
            if free.any():
                state = self.energies.gibbs(
                    state,
                    steps,
                    free=free,
                    temperature=self.config.temperature,
                    n_rounds=self.config.n_rounds,
                    seed=seed + number,
                    n_threads=self.n_threads,
                )
            if chain is not None:
                chain[:, number] = state
        return state


def _under(energies: EnergyModel, asked: Conditions) -> EnergyModel:
    """The model with no mass where a range or a set forbids it."""
    if all(share is None for share in asked.shares):
        return energies
    return weighted(energies, asked.shares)
