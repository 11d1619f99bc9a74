"""The loop of speculative Jacobi decoding: fill, pass, verify, refine, roll back, until every row has ended."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from .adaptive import FixedWindow, MeasuredWindow
from .drafts import Initial, Recent, Window, empty_window, fill
from .laws import Laws
from .passes import Passes
from .randomness import CounterSource
from .scheme import Scheme
from .stats import RowStats, SJDStats
from .stopping import Stops
from .streaming import Listener
from .verification import Taken, step

__all__ = ["Plan", "Prompts", "decode"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What decoding needs to know: ``length`` tokens at most, the first ``plain`` of them one by one.

    ``windows`` says how wide the next window is, and hears what each pass brought.
    """

    scheme: Scheme
    initial: Initial
    windows: FixedWindow | MeasuredWindow
    length: int
    plain: int
    source: CounterSource


@dataclass(frozen=True, slots=True)
class Prompts:
    """What processors and the output see, ``ids`` [B, P], and what the model reads [B or 2 B, P'] with its ``mask``.

    Where guided, the model reads negative prompts below the prompts.
    """

    ids: Tensor
    read: Tensor
    mask: Tensor


@dataclass(slots=True)
class _Rows:
    """The rows of a batch: ``ids`` [B, P + N] with what is ``accepted`` [B] so far, and which have ``ended``."""

    ids: Tensor
    prompt: int
    accepted: Tensor
    ended: Tensor

    @classmethod
    def after(cls, prompts: Tensor, length: int) -> _Rows:
        ids = torch.cat([prompts, prompts.new_zeros(len(prompts), length)], dim=1)
        nothing = torch.zeros(len(prompts), dtype=torch.long, device=prompts.device)
        return cls(ids, prompts.shape[1], nothing, nothing > 0)

    @property
    def lengths(self) -> Tensor:
        return self.prompt + self.accepted

    @property
    def generated(self) -> Tensor:
        return self.ids[:, self.prompt :]

    @property
    def newest(self) -> Tensor:
        return self.ids.gather(1, self.lengths[:, None] - 1)[:, 0]

    def write(self, tokens: Tensor, counts: Tensor) -> None:
        """Put the first ``counts`` [B] of ``tokens`` [B, R] behind what is accepted."""
        place = torch.arange(tokens.shape[1], device=tokens.device)
        row, i = (place < counts[:, None]).nonzero(as_tuple=True)
        self.ids[row, self.lengths[row] + i] = tokens[row, i]

    def take(self, taken: Taken, stops: Stops) -> Tensor:
        """Write what a step took, as far as no row ends inside; the number of tokens for each row [B]."""
        counts = torch.where(self.ended, 0, taken.counts)
        self.write(taken.tokens, counts)
        counts, ends = stops.cut(self.ids, self.lengths, counts)
        self.accepted = self.accepted + counts
        self.ended = self.ended | ends
        return counts


def decode(
    passes: Passes,
    prompts: Prompts,
    laws: Laws,
    stops: Stops,
    plan: Plan,
    listener: Listener,
) -> tuple[Tensor, Tensor, SJDStats]:
    """Ids [B, P + N] after prompts, how many tokens of each row count [B], and what it took.

    ``listener`` hears of tokens as they are taken.
    """
    begun = time.perf_counter()
    rows = _Rows.after(prompts.ids, plan.length)
    logits = passes.prompts(prompts.read, prompts.mask)
    law = logits[:, 0].to(torch.promote_types(logits.dtype, torch.float32))
    window, recent = empty_window(law), Recent.of(law, plan.initial.span)
    steps: list[Tensor] = []
    while True:
        source = plan.source.at(2 * len(steps))
        fresh = laws(logits, rows.ids, rows.lengths)
        drafts = window.counts
        taken, window = step(window, fresh, rows.accepted, plan.scheme, source)
        before = rows.accepted
        counts = rows.take(taken, stops)
        listener(rows.generated, before, rows.accepted)
        if steps:
            passes.keep(torch.where(rows.ended, 0, counts))
        steps.append(counts)
        if rows.ended.all():
            break
        plan.windows.note(logits.shape[1], counts, drafts)
        recent.note(before, taken.tokens, fresh, counts)
        window = _filled(window, rows, recent, plan, passes, plan.source.at(2 * len(steps) - 1))
        rows.write(window.tokens, window.counts)
        logits = passes.window(torch.cat([rows.newest[:, None], window.tokens], dim=1), window.counts)
    return rows.ids, rows.accepted, SJDStats(_row_stats(steps), time.perf_counter() - begun)


def _filled(window: Window, rows: _Rows, recent: Recent, plan: Plan, passes: Passes, source: CounterSource) -> Window:
    """The window of the next pass: as many drafts as it may have, none where a row has ended or begins plainly."""
    wanted = (plan.length - rows.accepted - 1).clamp_max(plan.windows.now - 1)
    if (room := passes.room) is not None:
        wanted = wanted.clamp_max(room - 1)
    wanted = torch.where(rows.ended | (rows.accepted < plan.plain), 0, wanted)
    return fill(window, wanted, rows.accepted, recent, plan.initial, source)


def _row_stats(steps: list[Tensor]) -> tuple[RowStats, ...]:
    columns = torch.stack(steps, dim=1).tolist()
    return tuple(RowStats(tuple(count for count in column if count)) for column in columns)
