"""The experiment's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from paperworks.lab import plots, stats

from .grid import GridSpec

__all__ = ["ACCEPTED_ALT", "SAMPLES_ALT", "WINDOWS_ALT", "accepted", "samples", "windows"]

Numbers = NDArray[np.int64]

SAMPLES_ALT = (
    "Pictures of the shipped model, a column a name and a row a way to draw, all from the same seeds, each with its "
    "number of passes. Gumbel verification draws the plain pictures; Gumbel coupling draws others, by the same law."
)
ACCEPTED_ALT = (
    "Heat maps of the grid of 16 by 16 codes, the paper's scheme beside Gumbel coupling: with how many others a code "
    "was taken in one pass, the mean over pictures."
)
WINDOWS_ALT = "How many times fewer passes than plain decoding, by the window, a line a scheme, with intervals."


def samples(rows: Mapping[str, tuple[NDArray[np.uint8], Numbers]], names: Sequence[str]) -> Figure:
    """``rows``: by label, pictures [P, 64, 64, 3] and their passes [P]; a column for each of ``names``."""
    fig, axes = plots.panels(len(rows), len(names), width=9.6, ratio=0.128 * len(rows))
    with plots.style():
        for line, (label, (pictures, passes)) in zip(axes, rows.items(), strict=True):
            for ax, picture, count in zip(line, pictures, passes, strict=True):
                ax.imshow(picture, interpolation="none")
                ax.set(xticks=[], yticks=[])
                ax.set_xlabel(str(count), fontsize=8, labelpad=1)
                ax.spines[:].set_visible(False)
            line[0].set_ylabel(label, fontsize=9, color=plots.INK)
        for ax, name in zip(axes[0], names, strict=True):
            ax.set_title(name, fontsize=9, color=plots.INK)
    return fig


def accepted(found: Mapping[str, Mapping[str, Numbers]], grid: GridSpec) -> Figure:
    """A map of the grid by label: the mean over pictures of ``taken`` [P, tokens] in what `drawing.drawn` returns."""
    fig, axes = plots.panels(1, len(found), width=7.2, ratio=0.48)
    means = {label: one["taken"].mean(0).reshape(grid.height, grid.width) for label, one in found.items()}
    top = max(float(mean.max()) for mean in means.values())
    with plots.style():
        for ax, (label, mean) in zip(axes[0], means.items(), strict=True):
            image = ax.imshow(mean, vmin=1, vmax=top, cmap="viridis")
            ax.grid(visible=False)
            ax.set_title(label, fontsize=10, color=plots.INK)
            ax.set_xlabel("column")
        axes[0, 0].set_ylabel("line")
        bar = fig.colorbar(image, ax=axes, fraction=0.03)
        bar.set_label("codes taken in one pass")
    return fig


def windows(places: Mapping[str, Sequence[int]], curves: Mapping[str, Sequence[stats.Estimate]]) -> Figure:
    """Step compression with its interval by window; a scheme that was run at one window is a point."""
    fig, ax = plots.figure(width=7.2, ratio=0.55)
    with plots.style():
        for name, curve in curves.items():
            low, high = ([getattr(one, side) for one in curve] for side in ("low", "high"))
            plots.line(ax, places[name], [one.value for one in curve], label=name, low=low, high=high, marker="o")
        ax.set_xscale("log", base=2)
        ticks = sorted({window for row in places.values() for window in row})
        ax.set_xticks(ticks, [str(tick) for tick in ticks])
        ax.minorticks_off()
        ax.set_ylim(bottom=1)
        ax.set_xlabel("window, tokens a pass")
        ax.set_ylabel("times fewer passes than plain")
        plots.label_lines(ax)
    return fig
