"""Rows drawn from a fitted model by Gibbs sampling, in blocks, under conditions (section 2.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .fitting import Progress
from .given import Conditions
from .model import EnergyModel
from .table_model import TableModel, weighted

_BLOCK = 1024


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
    energies = _under(model.energies, asked)
    n, width = asked.bins.shape
    bins = np.empty((n, width), dtype=np.uint8)
    chain = np.empty((n, config.n_steps, width), dtype=np.uint8) if config.return_chain else None
    for block, begin in enumerate(range(0, n, _BLOCK)):
        part = slice(begin, min(begin + _BLOCK, n))
        seeds = np.random.SeedSequence([seed, block]).generate_state(2)
        initial = energies.sample_initial(part.stop - begin, int(seeds[0])) if start is None else start[part]
        state = np.where(asked.fixed, asked.bins[part], _allowed(initial, energies, int(seeds[0])))
        bins[part] = _advance(
            energies, state, asked, config, int(seeds[1]), model, None if chain is None else chain[part]
        )
        if config.progress is not None:
            config.progress("sampling", part.stop, n)
    frame = model.encoder.decode(bins, np.random.default_rng([seed, 1]), asked.within)
    for place, values in asked.exact.items():
        frame.isetitem(place, values)
    return frame, chain


def _under(energies: EnergyModel, asked: Conditions) -> EnergyModel:
    """The model with no mass where a range or a set forbids it."""
    if all(share is None for share in asked.shares):
        return energies
    return weighted(energies, asked.shares)


def _allowed(rows: Any, energies: EnergyModel, seed: int) -> Any:
    """``rows`` with every cell that has no mass replaced by a draw from f_0: chains cannot start there."""
    offsets = energies.domain.offsets[:-1]
    impossible = energies.initial.masses[rows + offsets] == 0
    return np.where(impossible, energies.sample_initial(len(rows), seed), rows) if impossible.any() else rows


def _advance(
    energies: EnergyModel,
    state: Any,
    asked: Conditions,
    config: SamplingConfig,
    seed: int,
    model: TableModel,
    chain: Any,
) -> Any:
    free = ~asked.fixed
    state = np.ascontiguousarray(state, dtype=np.uint8)
    if not free.any():
        if chain is not None:
            chain[:] = state[:, None]
        return state
    settings: dict[str, Any] = {
        "free": free,
        "temperature": config.temperature,
        "n_rounds": config.n_rounds,
        "n_threads": model.n_threads,
    }
    if chain is None:
        return energies.gibbs(state, config.n_steps, seed=seed, **settings)
    for sweep in range(config.n_steps):
        state = energies.gibbs(state, 1, seed=seed + sweep, **settings)
        chain[:, sweep] = state
    return state
