"""The window of drafts, and the first drafts of positions that no pass has predicted yet."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .grid import GridSpec
from .randomness import Source
from .scheme import Init

__all__ = ["Initial", "Window", "empty_window", "fill"]


@dataclass(frozen=True, slots=True)
class Window:
    """Drafts of B rows: ``tokens`` [B, K], the law that each was drawn from [B, K, V], and how many count [B].

    Row b's drafts are its first ``counts[b]`` places; the others hold anything.
    """

    tokens: Tensor
    laws: Tensor
    counts: Tensor


@dataclass(frozen=True, slots=True)
class Initial:
    """How first drafts are made: ``init``, the ids [M] of ``image`` tokens to take them from, and the grid, if any."""

    init: Init
    image: Tensor
    grid: GridSpec | None = None


def empty_window(law: Tensor) -> Window:
    """A window without drafts for laws like ``law`` [B, V]."""
    rows, vocabulary = law.shape
    tokens = torch.zeros(rows, 0, dtype=torch.long, device=law.device)
    return Window(tokens, law.new_zeros(rows, 0, vocabulary), tokens.new_zeros(rows))


def fill(
    window: Window, wanted: Tensor, accepted: Tensor, last: tuple[Tensor, Tensor], initial: Initial, source: Source
) -> Window:
    """``window`` cut or filled up with first drafts, so that row b has ``wanted[b]`` drafts (section 2, step 1).

    ``accepted`` [B] counts the tokens taken before, ``last`` has the newest of them [B] and the law that it was drawn
    from [B, V].
    """
    width = int(wanted.max())
    place = torch.arange(width, device=wanted.device)
    old = place < window.counts[:, None]
    positions = accepted[:, None] + place
    tokens, laws = _first(window, positions, last, initial, source, (place < wanted[:, None]) & ~old)
    shared = min(width, window.tokens.shape[1])
    tokens[:, :shared] = torch.where(old[:, :shared], window.tokens[:, :shared], tokens[:, :shared])
    laws[:, :shared] = torch.where(old[:, :shared, None], window.laws[:, :shared], laws[:, :shared])
    return Window(tokens, laws, wanted)


def _first(
    window: Window,
    positions: Tensor,
    last: tuple[Tensor, Tensor],
    initial: Initial,
    source: Source,
    where: Tensor,
) -> tuple[Tensor, Tensor]:
    """First drafts [B, K] of ``positions`` and their laws [B, K, V].

    In a chain of them a position's left neighbour is a first draft too, so everything goes back either to the newest
    draft or token that a pass knows (the base), or to the first column of the line, which has no left neighbour.
    """
    base_token, base_law = _base(window, last)
    flat = torch.zeros_like(base_law).index_fill_(-1, initial.image, 1 / len(initial.image))
    flat = flat[:, None].expand(*positions.shape, -1)
    start = _line_starts(positions, where, initial.grid)
    if initial.init == "sample_h":
        laws = torch.where((start < 0)[..., None], base_law[:, None], flat)
        tokens = source.categorical(laws, positions, where)
    else:
        tokens, laws = source.categorical(flat, positions, where), flat
    if initial.init in ("repeat_h", "argmax_h"):
        left = base_law.argmax(-1) if initial.init == "argmax_h" else base_token
        tokens = torch.where(start < 0, left[:, None], tokens.gather(1, start.clamp_min(0)))
    if initial.init in ("onehot", "repeat_h", "argmax_h"):
        laws = _point(tokens, laws)
    return _forced(tokens, laws, positions, initial.grid)


def _base(window: Window, last: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Token [B] and law [B, V] of the place before the first one that is filled."""
    if not window.tokens.shape[1]:
        return last
    row, newest = torch.arange(len(window.counts), device=window.counts.device), (window.counts - 1).clamp_min(0)
    has = window.counts > 0
    token = torch.where(has, window.tokens[row, newest], last[0])
    return token, torch.where(has[:, None], window.laws[row, newest], last[1])


def _line_starts(positions: Tensor, where: Tensor, grid: GridSpec | None) -> Tensor:
    """For each place [B, K] the place of its line's first column, if that is filled too; -1 otherwise."""
    if grid is None:
        return torch.full_like(positions, -1)
    place = torch.arange(positions.shape[1], device=positions.device).expand_as(positions)
    return torch.where(where & grid.starts_line(positions), place, -1).cummax(1).values


def _forced(tokens: Tensor, laws: Tensor, positions: Tensor, grid: GridSpec | None) -> tuple[Tensor, Tensor]:
    if grid is None:
        return tokens, laws.clone()
    forced = grid.forced(positions)
    tokens = torch.where(forced < 0, tokens, forced)
    return tokens, torch.where((forced < 0)[..., None], laws, _point(tokens, laws))


def _point(tokens: Tensor, laws: Tensor) -> Tensor:
    """The laws [..., V] that give each of ``tokens`` for certain."""
    return torch.zeros_like(laws).scatter_(-1, tokens[..., None], 1)
