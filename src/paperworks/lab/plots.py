"""The house's one way to draw: matplotlib figures without global state, colours everybody can tell apart, labels where
the data are.

>>> fig, ax = figure()
>>> line(ax, [1, 2, 3], [0.5, 0.3, 0.2], label="ours")
>>> label_lines(ax)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

INK = "#1b1d21"
MUTED = "#5b6067"
GRID = "#d4d1c9"
SURFACE = "#ffffff"
"""Ink, secondary ink, grid and ground: `Lab.figure` lets them follow the page, dark or light."""

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's colours. The first four stand out from white and from near-black (3:1); give the others a marker."""

DARK_TEXT, LIGHT_TEXT = "#101114", "#fafafa"
"""Text on a coloured fill, the same on a dark page and on a light one; `on_fill` chooses."""

_STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": cycler(color=PALETTE),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "font.size": 10,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "text.color": INK,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 9,
}


@contextmanager
def style() -> Iterator[None]:
    """The house's settings for everything that is drawn inside the block, and for nothing after it."""
    with mpl.rc_context(_STYLE):
        yield


def figure(*, width: float = 6.4, ratio: float = 0.6) -> tuple[Figure, Axes]:
    """A figure ``width`` inches wide and ``ratio`` times as high, with one axes."""
    fig, axes = panels(1, 1, width=width, ratio=ratio)
    return fig, axes[0, 0]


def panels(
    rows: int, columns: int, *, width: float = 6.4, ratio: float = 0.6, **subplots: Any
) -> tuple[Figure, np.ndarray[Any, Any]]:
    """A figure with axes [rows, columns]; ``subplots`` goes to `Figure.subplots`, ``sharex=True`` for instance."""
    if width <= 0 or ratio <= 0:
        raise ValueError(f"a figure's width and ratio are above 0, not {width} and {ratio}")
    with style():
        fig = Figure(figsize=(width, width * ratio), layout="constrained")
        axes = fig.subplots(rows, columns, squeeze=False, **subplots)
    return fig, axes


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One row of an interval chart: a value, its interval, and, where one is known, the number it is held against.

    ``hollow`` marks a stand-in. ``group`` chooses the colour, rows of one group have the same.
    """

    label: str
    value: float
    low: float
    high: float
    published: float | None = None
    hollow: bool = False
    group: int = 0


def intervals(ax: Axes, dots: Sequence[Dot], *, null: float | None = None, null_label: str = "") -> None:
    """A dot with its interval for each row, from top to bottom; a diamond where a published number is.

    ``null`` draws the line of no effect, named by ``null_label`` above the rows. Raises ValueError without rows.
    """
    if not dots:
        raise ValueError("an interval chart needs at least one row")
    for row, dot in enumerate(dots):
        colour = PALETTE[dot.group % len(PALETTE)]
        ax.plot([dot.low, dot.high], [row, row], color=colour, linewidth=2.4, solid_capstyle="round", zorder=3)
        face = SURFACE if dot.hollow else colour
        ax.plot(dot.value, row, "o", markersize=7, color=colour, markerfacecolor=face, markeredgewidth=1.8, zorder=4)
        if dot.published is not None:
            ax.plot(dot.published, row, "D", markersize=6, color=INK, markerfacecolor="none", zorder=5)
    ax.set_yticks(range(len(dots)), [dot.label for dot in dots])
    ax.set_ylim(len(dots) - 0.5, -0.5)
    ax.grid(visible=False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    if null is not None:
        ax.axvline(null, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        if null_label:
            ax.annotate(
                null_label,
                (null, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=9,
                color=MUTED,
            )


def line(
    ax: Axes,
    x: ArrayLike,
    y: ArrayLike,
    *,
    label: str,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    marker: str = "",
    dashed: bool = False,
) -> None:
    """A line in the next colour, with a band from ``low`` to ``high`` [points] where they are given.

    Raises ValueError where only one of the two is, or lengths differ.
    """
    if (low is None) != (high is None):
        raise ValueError(f"line {label!r}: a band needs both low and high")
    lengths = {np.asarray(part).shape for part in (x, y, low, high) if part is not None}
    if len(lengths) != 1 or len(next(iter(lengths))) != 1:
        raise ValueError(f"line {label!r}: x, y, low and high are lists of one length, not of shapes {sorted(lengths)}")
    colour = PALETTE[len(_labelled(ax)) % len(PALETTE)]
    ax.plot(x, y, color=colour, label=label, marker=marker, linestyle=(0, (5, 2)) if dashed else "-", zorder=3)
    if low is not None and high is not None:
        ax.fill_between(
            np.asarray(x), np.asarray(low), np.asarray(high), color=colour, alpha=0.18, linewidth=0, zorder=2
        )


def label_lines(ax: Axes, *, gap: float = 11) -> None:
    """Write each line's label beside its right end, tied to it, at least ``gap`` points apart: no legend to look up.

    Call it last, when the limits and the scale are final.
    """
    ax.figure.canvas.figure.draw_without_rendering()  # settles the layout, on which the lines' heights depend
    lines = [(drawn, _end(drawn)) for drawn in _labelled(ax)]
    points = 72 / ax.figure.dpi
    heights = [float(ax.transData.transform(end)[1]) * points for _, end in lines]
    for (drawn, end), height, place in zip(lines, heights, _spread(heights, gap), strict=True):
        ax.annotate(
            str(drawn.get_label()),
            end,
            xytext=(18, place - height),
            textcoords="offset points",
            va="center",
            color=INK,
            fontsize=9,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": drawn.get_color(), "shrinkA": 1, "shrinkB": 1, "relpos": (0, 0.5)},
        )


def on_fill(colour: str) -> str:
    """The text colour, dark or light, that reads better on a fill of ``colour``."""
    return max((DARK_TEXT, LIGHT_TEXT), key=lambda text: contrast(text, colour))


def contrast(first: str, second: str) -> float:
    """The contrast ratio of two colours, from 1 to 21 (WCAG 2.2, "contrast ratio")."""
    darker, lighter = sorted((_luminance(first), _luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def _labelled(ax: Axes) -> list[Line2D]:
    return [drawn for drawn in ax.lines if not str(drawn.get_label()).startswith("_")]


def _end(drawn: Line2D) -> tuple[float, float]:
    x, y = np.asarray(drawn.get_xdata()), np.asarray(drawn.get_ydata())
    return float(x[-1]), float(y[-1])


def _spread(heights: Sequence[float], gap: float) -> list[float]:
    """``heights`` moved as little as needs be for any two to be ``gap`` apart; their order stays.

    Neighbours that are too close form a block around their mean, and blocks that meet become one.
    """
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    blocks: list[tuple[float, int]] = []  # centre, members
    for index in order:
        centre, members = heights[index], 1
        while blocks and blocks[-1][0] + blocks[-1][1] * gap / 2 > centre - members * gap / 2:
            before, count = blocks.pop()
            centre, members = (before * count + centre * members) / (count + members), count + members
        blocks.append((centre, members))
    placed = [centre + (i - (members - 1) / 2) * gap for centre, members in blocks for i in range(members)]
    moved = [0.0] * len(heights)
    for index, height in zip(order, placed, strict=True):
        moved[index] = height
    return moved
