"""The figures of the experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paperworks.lab import plots, stats

__all__ = ["accuracies", "convergence", "errors_by_equation"]

_MARKERS = ("o", "s", "D")


def errors_by_equation(equations: Sequence[str], panels: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Errors over the target's standard deviation: a row an equation, a mark a network, a panel a source."""
    fig, axes = plots.panels(1, len(panels), ratio=0.16 + 0.035 * len(equations), sharex=True, sharey=True)
    for ax, (title, networks) in zip(axes[0], panels.items(), strict=True):
        for place, (marker, (name, values)) in enumerate(zip(_MARKERS, networks.items(), strict=False)):
            ax.plot(values, range(len(equations)), marker, color=plots.PALETTE[place], label=name, alpha=0.85)
        ax.axvline(1, color=plots.MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        ax.set_xscale("log")
        ax.set_title(title, loc="left", fontsize=10, color=plots.INK)
    axes[0, 0].set_yticks(range(len(equations)), equations)
    axes[0, 0].set_ylim(len(equations) - 0.5, -0.5)
    fig.supxlabel("RMSE over the target's standard deviation (dashed: predicting the mean)", fontsize=10)
    handles = [
        Line2D([], [], linestyle="", marker=marker, color=plots.PALETTE[place], label=name)
        for place, (marker, name) in enumerate(zip(_MARKERS, next(iter(panels.values())), strict=False))
    ]
    fig.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    return fig


def convergence(cells: Sequence[int], errors: Sequence[float], slope: float) -> Figure:
    """The error of a spline against its number of cells, both logarithmic, beside a line of slope -4."""
    fig, ax = plots.figure(ratio=0.5)
    plots.line(ax, cells, errors, label=f"measured, slope {slope:.2f}", marker="o")
    fourth = errors[0] * (np.array(cells) / cells[0]) ** -4.0
    plots.line(ax, cells, fourth, label="slope -4", dashed=True)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(cells, [str(count) for count in cells])
    ax.minorticks_off()
    ax.set_xlabel("cells of the grid")
    ax.set_ylabel("RMSE")
    plots.label_lines(ax)
    return fig


def accuracies(estimates: Mapping[str, tuple[stats.Estimate, int]]) -> Figure:
    """A row a network: its share of images read right, in percent, with the interval; the group gives the colour."""
    fig, ax = plots.figure(ratio=0.1 + 0.07 * len(estimates))
    plots.intervals(
        ax,
        [
            plots.Dot(label=name, value=100 * found.value, low=100 * found.low, high=100 * found.high, group=group)
            for name, (found, group) in estimates.items()
        ],
    )
    ax.set_xlabel("held-out digits read right, %")
    return fig
