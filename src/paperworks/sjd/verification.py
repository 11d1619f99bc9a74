"""One step of decoding after the model's pass: which drafts are taken, what replaces the first that is not, new drafts.

All of it for a whole batch at once, each row with its own number of drafts, and a function of nothing but its
arguments and the random source.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .drafts import Window
from .randomness import Source
from .scheme import Scheme

__all__ = ["Taken", "residual", "step"]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a step decided: row b takes the first ``counts[b]`` of ``tokens`` [B, K + 1]."""

    tokens: Tensor
    counts: Tensor


def residual(p: Tensor, q: Tensor) -> Tensor:
    """What a rejected draft is replaced from: max(p - q, 0) [..., V], not normalised; p where nothing is left.

    Nothing is left only where p equals q up to rounding, and there every law between them is right.
    """
    left = (p - q).clamp_min_(0)
    nothing = left.sum(-1) <= 0
    if nothing.any():
        left[nothing] = p[nothing]
    return left


def step(window: Window, laws: Tensor, accepted: Tensor, scheme: Scheme, source: Source) -> tuple[Taken, Window]:
    """Verify ``window``'s drafts against the fresh ``laws`` [B, K + 1, V], and draft anew what was not reached.

    ``accepted`` [B] counts the tokens taken before, so draft i of row b stands at position accepted[b] + i, where
    laws[b, i] applies. Each row takes at least one token (section 2, steps 3 to 5).
    """
    board = _Board.lay(window, laws, accepted)
    answers, run, kept = _by_noise(board, source) if scheme.verify == "gumbel" else _by_rejection(board, source)
    first = int(run.min()) + 1
    later = (board.inside & (board.place > run[:, None]))[:, first:]
    if scheme.coupling == "gumbel" and scheme.verify == "gumbel":
        renewed = answers[:, first:]  # the same noise drew them from the same laws
    else:
        renewed = _renewed(board, first, scheme, kept, later, source)
    return Taken(answers, run + 1), _behind(board, first, renewed, run)


def _behind(board: _Board, first: int, renewed: Tensor, run: Tensor) -> Window:
    """The window behind what was taken, whose drafts from place ``first`` on are ``renewed`` [B, K + 1 - first].

    Laws are copied only where rows took different numbers of tokens.
    """
    counts = board.window.counts - run
    if (run == run[0]).all():
        return Window(renewed, board.laws[:, first:], counts)
    following = (run[:, None] + 1 + board.place[: len(board.place) - first]).clamp_max(len(board.place) - 1)
    row = torch.arange(len(run), device=run.device)
    return Window(renewed.gather(1, following - first), board.laws[row[:, None], following], counts)


@dataclass(frozen=True, slots=True)
class _Board:
    """A window beside its fresh laws. ``tokens``, ``positions``, ``drafted`` and ``inside`` are [B, K + 1].

    A place is ``drafted`` where the window has a draft, and ``inside`` there and at the one place behind.
    """

    window: Window
    laws: Tensor
    tokens: Tensor
    place: Tensor
    positions: Tensor
    drafted: Tensor
    inside: Tensor

    @classmethod
    def lay(cls, window: Window, laws: Tensor, accepted: Tensor) -> _Board:
        place = torch.arange(laws.shape[1], device=laws.device)
        counts = window.counts[:, None]
        tokens = torch.cat([window.tokens, torch.zeros_like(counts)], dim=1)
        return cls(window, laws, tokens, place, accepted[:, None] + place, place < counts, place <= counts)

    def kept(self, source: Source) -> Tensor:
        """The test of modified rejection sampling, draft by draft [B, K + 1]; False where there is no draft."""
        above = self.laws[:, :-1].gather(-1, self.window.tokens[..., None])[..., 0]
        drafted = self.drafted[:, :-1]
        passed = source.bernoulli(above, self.window.chances(), self.positions[:, :-1], drafted) & drafted
        return torch.cat([passed, torch.zeros_like(self.drafted[:, :1])], dim=1)

    def left(self, place: Tensor) -> Tensor:
        """What replaces a draft at each ``place`` [B, R]; the fresh law itself where there is none [B, R, V]."""
        row = torch.arange(len(place), device=place.device)[:, None]
        fresh = self.laws[row, place]
        if not self.window.tokens.shape[1]:
            return fresh
        old = self.window.laws_at(place.clamp_max(self.window.tokens.shape[1] - 1))
        old[~self.drafted.gather(1, place)] = 0
        return residual(fresh, old)


def _by_noise(board: _Board, source: Source) -> tuple[Tensor, Tensor, None]:
    """Take drafts as long as they are what the noise draws anyway."""
    answers = source.shared(board.laws, board.positions, board.inside)
    return answers, _leading(board.drafted & (answers == board.tokens)), None


def _by_rejection(board: _Board, source: Source) -> tuple[Tensor, Tensor, Tensor]:
    """Take drafts as long as they pass their test; the one that does not is replaced from the residual."""
    kept = board.kept(source)
    run = _leading(kept)
    law = board.left(run[:, None])
    everywhere = torch.ones_like(run[:, None], dtype=torch.bool)
    token = source.categorical(law, board.positions.gather(1, run[:, None]), everywhere)
    return torch.where(board.place == run[:, None], token, board.tokens), run, kept


def _renewed(board: _Board, first: int, scheme: Scheme, kept: Tensor | None, later: Tensor, source: Source) -> Tensor:
    """New drafts [B, K + 1 - first] where ``later``, each drawn from its fresh law; coupled ones stay close to the old.

    ``first`` is the first place that some row needs one for.
    """
    laws, positions = board.laws[:, first:], board.positions[:, first:]
    if scheme.coupling == "gumbel":
        return source.shared(laws, positions, later)
    if scheme.coupling == "independent":
        return source.categorical(laws, positions, later)
    kept = board.kept(source) if kept is None else kept
    return _replaced(board, first, later & ~kept[:, first:], source)


def _replaced(board: _Board, first: int, where: Tensor, source: Source) -> Tensor:
    """The old drafts from place ``first`` on, but ``where`` [B, K + 1 - first] drawn from what their law lacks.

    Laws are read for those places only: each row's stand side by side, as many as the row that has most.
    """
    tokens = board.tokens[:, first:].clone()
    counts = where.sum(1)
    most = int(counts.max()) if where.numel() else 0
    if not most:
        return tokens
    place = where.long().argsort(dim=1, descending=True, stable=True)[:, :most]
    wanted = torch.arange(most, device=place.device) < counts[:, None]
    drawn = source.categorical(board.left(first + place), board.positions[:, first:].gather(1, place), wanted)
    return tokens.scatter(1, place, torch.where(wanted, drawn, tokens.gather(1, place)))


def _leading(flags: Tensor) -> Tensor:
    """How many of each row's flags [B, R] are true before the first that is not."""
    return flags.long().cumprod(1).sum(1)
