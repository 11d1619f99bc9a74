"""Who hears of tokens while they are decoded: a streamer of transformers, and whoever waits for lines of a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

from torch import Tensor

from .grid import GridSpec

__all__ = ["Listener", "OnLine", "listening"]

Listener: TypeAlias = Callable[[Tensor, Tensor, Tensor], None]
"""Hears generated ids [B, N], how many of them a row had before a pass [B], and how many it has now [B]."""
OnLine: TypeAlias = Callable[[int, int, Tensor], None]
"""Hears row of the batch, line of the picture, and the line's tokens [width], without what ends it."""


@contextmanager
def listening(prompts: Tensor, streamer: Any, on_line: OnLine | None, grid: GridSpec | None) -> Iterator[Listener]:
    """One listener for both; a ``streamer`` gets the prompt first, and its end whatever happens."""
    listeners: list[Listener] = []
    if on_line is not None and grid is not None:
        listeners.append(partial(_lines, on_line, grid))
    if streamer is not None:
        streamer.put(prompts.cpu())
        listeners.append(partial(_first_row, streamer))
    try:
        yield partial(_all, listeners)
    finally:
        if streamer is not None:
            streamer.end()


def _all(listeners: list[Listener], generated: Tensor, before: Tensor, after: Tensor) -> None:
    for listener in listeners:
        listener(generated, before, after)


def _first_row(streamer: Any, generated: Tensor, before: Tensor, after: Tensor) -> None:
    streamer.put(generated[0, int(before[0]) : int(after[0])].cpu())


def _lines(on_line: OnLine, grid: GridSpec, generated: Tensor, before: Tensor, after: Tensor) -> None:
    for b, (old, new) in enumerate(zip(before.tolist(), after.tolist(), strict=True)):
        for line in range(grid.finished_lines(old), grid.finished_lines(new)):
            start = grid.header + line * grid.pitch
            on_line(b, line, generated[b, start : start + grid.width].cpu())
