"""The window of drafts, and the first drafts of positions that no pass has predicted yet."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .grid import GridSpec
from .randomness import Source
from .scheme import Init

__all__ = ["Initial", "Recent", "Window", "empty_window", "fill"]


@dataclass(frozen=True, slots=True)
class Window:
    """Drafts of B rows: ``tokens`` [B, K], the law that each was drawn from, and how many count [B].

    Row b's drafts are its first ``counts[b]`` places; the others hold anything. The laws of places that a pass has
    predicted are in ``predicted`` [B, K', V], those of the places behind, drafted for the first time, in ``first``
    [B, K - K', V], or nowhere if there are none. So nothing that large is copied only to stand side by side.
    """

    tokens: Tensor
    predicted: Tensor
    counts: Tensor
    first: Tensor | None = None

    @property
    def laws(self) -> Tensor:
        """The laws of all drafts [B, K, V]."""
        return self.predicted if self.first is None else torch.cat([self.predicted, self.first], dim=1)

    def laws_at(self, place: Tensor) -> Tensor:
        """Copies of the laws at ``place`` [B, R]: [B, R, V]."""
        row = torch.arange(len(place), device=place.device)[:, None]
        known = self.predicted.shape[1]
        if self.first is None:
            return self.predicted[row, place]
        if not known:
            return self.first[row, place]
        laws = self.predicted[row, place.clamp_max(known - 1)]
        b, i = (place >= known).nonzero(as_tuple=True)
        laws[b, i] = self.first[b, place[b, i] - known]
        return laws

    def chances(self) -> Tensor:
        """The probability of each draft under the law that it was drawn from [B, K]."""
        known = self.predicted.shape[1]
        of_known = self.predicted.gather(-1, self.tokens[:, :known, None])[..., 0]
        if self.first is None:
            return of_known
        return torch.cat([of_known, self.first.gather(-1, self.tokens[:, known:, None])[..., 0]], dim=1)


@dataclass(frozen=True, slots=True)
class Recent:
    """The newest S tokens that rows have taken, ``tokens`` [B, S], and the laws they were drawn from [B, S, V].

    Position t is in slot t modulo S.
    """

    tokens: Tensor
    laws: Tensor

    @classmethod
    def of(cls, law: Tensor, span: int) -> Recent:
        """Nothing yet, with room for ``span`` tokens of laws like ``law`` [B, V]."""
        tokens = torch.zeros(len(law), span, dtype=torch.long, device=law.device)
        return cls(tokens, law.new_zeros(len(law), span, law.shape[-1]))

    def note(self, accepted: Tensor, tokens: Tensor, laws: Tensor, counts: Tensor) -> None:
        """Overwrite the oldest with the first ``counts`` [B] of ``tokens`` [B, R] after ``accepted`` [B], and laws."""
        place = torch.arange(tokens.shape[1], device=tokens.device)
        newest = (place < counts[:, None]) & (place >= counts[:, None] - self.tokens.shape[1])
        row, i = newest.nonzero(as_tuple=True)
        slot = (accepted[row] + i) % self.tokens.shape[1]
        self.tokens[row, slot], self.laws[row, slot] = tokens[row, i], laws[row, i]


@dataclass(frozen=True, slots=True)
class Initial:
    """How first drafts are made: ``init``, the ids [M] of ``image`` tokens to take them from, and the grid, if any."""

    init: Init
    image: Tensor
    grid: GridSpec | None = None

    @property
    def vertical(self) -> bool:
        """Whether they come from the line above; without a grid there is none, and they are random."""
        return self.init in ("repeat_v", "sample_v")

    @property
    def span(self) -> int:
        """How many of the newest tokens first drafts may be made from."""
        return self.grid.pitch if self.vertical and self.grid is not None else 1


def empty_window(law: Tensor) -> Window:
    """A window without drafts for laws like ``law`` [B, V]."""
    rows, vocabulary = law.shape
    tokens = torch.zeros(rows, 0, dtype=torch.long, device=law.device)
    return Window(tokens, law.new_zeros(rows, 0, vocabulary), tokens.new_zeros(rows))


def fill(window: Window, wanted: Tensor, accepted: Tensor, recent: Recent, initial: Initial, source: Source) -> Window:
    """``window`` cut or filled up with first drafts, so that row b has ``wanted[b]`` drafts (section 2, step 1).

    ``accepted`` [B] counts the tokens taken before, of which ``recent`` has as many as ``initial`` asks for.
    """
    width = int(wanted.max())
    whole = int(torch.minimum(window.counts, wanted.max()).min())  # so many places are drafts in every row already
    place = torch.arange(whole, width, device=wanted.device)
    old = place < window.counts[:, None]
    missing = (place < wanted[:, None]) & ~old
    if not missing.any():
        return Window(window.tokens[:, :width], window.laws[:, :width], wanted)
    tokens, laws = _first(window, accepted[:, None] + place, accepted, recent, initial, source, missing)
    held = min(width, window.tokens.shape[1])
    if whole < held:  # some rows have drafts here already, others do not
        old, here = old[:, : held - whole], slice(whole, held)
        mixed = torch.where(old, window.tokens[:, here], tokens[:, : held - whole])
        mixed_laws = torch.where(old[..., None], window.laws[:, here], laws[:, : held - whole])
        tokens = torch.cat([mixed, tokens[:, held - whole :]], dim=1)
        laws = torch.cat([mixed_laws, laws[:, held - whole :]], dim=1)
    return Window(torch.cat([window.tokens[:, :whole], tokens], dim=1), window.laws[:, :whole], wanted, laws)


def _first(
    window: Window,
    positions: Tensor,
    accepted: Tensor,
    recent: Recent,
    initial: Initial,
    source: Source,
    where: Tensor,
) -> tuple[Tensor, Tensor]:
    """First drafts [B, K] of ``positions`` and their laws [B, K, V].

    A position's neighbour may be a first draft too, and so may that one's. So everything goes back either to a token or
    draft that a pass knows, or to a place that has no neighbour in the grid and starts at random.
    """
    flat = torch.zeros_like(recent.laws[:, 0]).index_fill_(-1, initial.image, 1 / len(initial.image))
    flat = flat[:, None].expand(*positions.shape, -1)
    known, start = _neighbours(positions, accepted + window.counts, where, initial)
    if initial.init in ("sample_h", "sample_v"):
        laws = torch.where((start < 0)[..., None], _of(known, accepted, recent.laws, window.laws), flat)
        tokens = source.categorical(laws, positions, where)
    else:
        tokens, laws = source.categorical(flat, positions, where), flat
    if initial.init in ("repeat_h", "argmax_h", "repeat_v"):
        near = _of(known, accepted, recent.tokens, window.tokens)
        if initial.init == "argmax_h":
            near = _of(known, accepted, recent.laws, window.laws).argmax(-1)
        tokens = torch.where(start < 0, near, tokens.gather(1, start.clamp_min(0)))
    if initial.init not in ("uniform", "sample_h", "sample_v"):
        laws = _point(tokens, laws)
    return _forced(tokens, laws, positions, initial.grid)


def _neighbours(positions: Tensor, unknown: Tensor, where: Tensor, initial: Initial) -> tuple[Tensor, Tensor]:
    """For each place [B, K] the known position that its draft goes back to, and the place that it starts from instead.

    The position is [B, 1] where it is the same for all, and the place is -1 where there is such a position. ``unknown``
    [B] is the first position without token or draft.
    """
    place = torch.arange(positions.shape[1], device=positions.device).expand_as(positions)
    if not initial.vertical:
        return unknown[:, None] - 1, _line_starts(positions, where, initial.grid)
    if initial.grid is None:
        return torch.zeros_like(positions), place
    pitch, column = initial.grid.pitch, initial.grid.columns(positions)
    lines_up = (positions - unknown[:, None]).clamp_min(0) // pitch + 1
    known = positions - lines_up * pitch
    top = place - (positions - initial.grid.header - column)
    start = torch.where(known >= initial.grid.header, -1, top)
    return known.clamp_min(0), torch.where(column < 0, place, start)


def _of(position: Tensor, accepted: Tensor, recent: Tensor, drafts: Tensor) -> Tensor:
    """What stands at ``position`` [B, 1 or K] in ``recent`` [B, S, ...], or behind what is accepted in ``drafts``."""
    row = torch.arange(len(accepted), device=accepted.device)[:, None]
    taken = recent[row, position % recent.shape[1]]
    if not drafts.shape[1]:
        return taken
    ahead = position - accepted[:, None]
    drafted = drafts[row, ahead.clamp(0, drafts.shape[1] - 1)]
    return torch.where((ahead >= 0).reshape(ahead.shape + (1,) * (taken.ndim - 2)), drafted, taken)


def _line_starts(positions: Tensor, where: Tensor, grid: GridSpec | None) -> Tensor:
    """For each place [B, K] the place of its line's first column, if that is filled too; -1 otherwise."""
    if grid is None:
        return torch.full_like(positions, -1)
    place = torch.arange(positions.shape[1], device=positions.device).expand_as(positions)
    return torch.where(where & grid.starts_line(positions), place, -1).cummax(1).values


def _forced(tokens: Tensor, laws: Tensor, positions: Tensor, grid: GridSpec | None) -> tuple[Tensor, Tensor]:
    if grid is None:
        return tokens, laws
    forced = grid.forced(positions)
    tokens = torch.where(forced < 0, tokens, forced)
    return tokens, torch.where((forced < 0)[..., None], laws, _point(tokens, laws))


def _point(tokens: Tensor, laws: Tensor) -> Tensor:
    """The laws [..., V] that give each of ``tokens`` for certain."""
    return torch.zeros_like(laws).scatter_(-1, tokens[..., None], 1)
