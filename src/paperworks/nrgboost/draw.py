"""The experiment's figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paperworks.lab import plots, stats

from .binning import Floats
from .forecasts import LEVELS
from .plane import SHOWN_ROUNDS

__all__ = [
    "CALIBRATION_ALT",
    "DIVERGENCE_ALT",
    "KEPT_ALT",
    "PLANES_ALT",
    "calibration",
    "divergence",
    "hidden_cells",
    "kept",
    "pictures",
    "planes",
    "scores",
]

CALIBRATION_ALT = (
    "How often central prediction intervals held, by their nominal probability from 10 to 95 %, one panel a table of "
    "numbers to predict and one line a model, NRGBoost's both as they are and calibrated by held-out rows. On the "
    "diagonal an interval holds as often as it says."
)
PLANES_ALT = (
    "Two densities on a plane of 64 by 64 cells, two moons and a spiral: the model after 1, 3, 10 and 100 trees of 16 "
    "leaves, and the truth. Blocks become the curve."
)
DIVERGENCE_ALT = (
    "Exact Kullback-Leibler divergence of the model from the true cell masses and from the rows it learnt from, in "
    "nats, by the number of trees, for two moons and a spiral."
)
KEPT_ALT = "The share of the pool of model samples that rejection keeps, by round, a line for each table."

_MAP = "viridis"


def scores(estimates: Mapping[str, Mapping[str, stats.Estimate]]) -> Figure:
    """Test score by table and model, with intervals over seeds: a panel a table."""
    tables, names = list(estimates), list(next(iter(estimates.values())))
    fig, axes = plots.panels(1, len(tables), width=9.6, ratio=0.26, sharey=True)
    with plots.style():
        for ax, table in zip(axes[0], tables, strict=True):
            dots = [
                plots.Dot(label=name, value=found.value, low=found.low, high=found.high, group=group)
                for group, (name, found) in enumerate(estimates[table].items())
            ]
            plots.intervals(ax, dots)
            ax.set_title(table, fontsize=10, color=plots.INK)
            ax.locator_params(axis="x", nbins=4)
        axes[0, 0].set_yticks(range(len(names)), names)
    return fig


def calibration(coverage: Mapping[str, Mapping[str, Floats]]) -> Figure:
    """Measured over nominal coverage, by table and model; each value holds [len(LEVELS)] shares."""
    fig, axes = plots.panels(1, len(coverage), width=8.4, ratio=0.46, sharex=True, sharey=True)
    levels = 100 * np.array(LEVELS)
    with plots.style():
        for ax, (table, models) in zip(axes[0], coverage.items(), strict=True):
            ax.plot([0, 100], [0, 100], color=plots.MUTED, linewidth=1, linestyle=(0, (4, 3)))
            for name, measured in models.items():
                plots.line(ax, levels, 100 * measured, label=name, marker="o")
            ax.set_title(table, fontsize=10, color=plots.INK)
            ax.set_xlabel("intervals say, %")
            ax.set_xlim(0, 100)
            ax.set_ylim(0, 100)
        axes[0, 0].set_ylabel("intervals hold, %")
        axes[0, -1].legend(loc="lower right", fontsize=8)
    return fig


def hidden_cells(estimates: Mapping[str, Mapping[str, stats.Estimate]]) -> Figure:
    """Error of hidden cells by table and method, with intervals over seeds."""
    dots = [
        plots.Dot(label=f"{table}: {method}", value=found.value, low=found.low, high=found.high, group=group)
        for table, methods in estimates.items()
        for group, (method, found) in enumerate(methods.items())
    ]
    fig, ax = plots.figure(width=7.2, ratio=max(0.35, 0.042 * len(dots)))
    with plots.style():
        plots.intervals(ax, dots, null=1, null_label="one standard deviation")
        ax.set_xlabel("root-mean-square error of hidden cells, standard deviations")
    return fig


def pictures(images: Mapping[str, Floats]) -> Figure:
    """Square pictures [rows, columns, pixels] of digits by where they come from, one band each."""
    fig, axes = plots.panels(len(images), 1, width=5.6, ratio=0.42 * len(images))
    darkest = max(float(band.max()) for band in images.values())
    with plots.style():
        for ax, (name, band) in zip(axes[:, 0], images.items(), strict=True):
            _show_band(ax, band, darkest)
            ax.set_title(name, fontsize=9, color=plots.INK, loc="left", pad=3)
    return fig


def pictures_alt(agreement: Mapping[str, float]) -> str:
    """What `pictures` shows, in words."""
    told = ", ".join(f"{name} {share:.0%}" for name, share in agreement.items())
    return (
        "Digits, a column for each class given: real ones, and those that each model drew. Share that "
        f"a classifier assigns to the class given: {told}."
    )


def planes(found: Mapping[str, Mapping[str, Any]]) -> Figure:
    """The model's masses after each of `SHOWN_ROUNDS`, and the truth, a row for each plane."""
    fig, axes = plots.panels(len(found), len(SHOWN_ROUNDS) + 1, width=8.4, ratio=0.21 * len(found))
    with plots.style():
        for row, (plane, one) in zip(axes, found.items(), strict=True):
            shown = [*one["masses"], one["truth"]]
            titles = [f"{number} tree{'s' if number > 1 else ''}" for number in SHOWN_ROUNDS] + ["truth"]
            for ax, masses, title in zip(row, shown, titles, strict=True):
                ax.imshow(np.sqrt(masses.T), origin="lower", cmap=_MAP, vmin=0, vmax=np.sqrt(one["truth"].max()))
                _without_axes(ax)
                if ax in axes[0]:
                    ax.set_title(title, fontsize=9, color=plots.INK)
            row[0].set_ylabel(plane, color=plots.INK)
    return fig


def divergence(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Divergence from the truth and from the rows by round, the mean over seeds, a panel a plane."""
    fig, axes = plots.panels(1, len(found), width=8.4, ratio=0.42, sharey=True)
    with plots.style():
        for ax, (plane, seeds) in zip(axes[0], found.items(), strict=True):
            for label, what in (("from the truth", "divergence"), ("from the rows", "from_rows")):
                curve = np.mean([one[what] for one in seeds], axis=0)
                plots.line(ax, np.arange(1, len(curve)), curve[1:], label=label)
            ax.set_xscale("log")
            ax.set_yscale("log")
            ax.set_xlabel("trees")
            ax.set_title(plane, fontsize=10, color=plots.INK)
        axes[0, 0].set_ylabel("KL divergence, nats")
        axes[0, -1].legend(loc="upper right", fontsize=9)
    return fig


def kept(shares: Mapping[str, Floats]) -> Figure:
    """The share of the pool kept by round, one line a table, [rounds] each."""
    fig, ax = plots.figure(width=7.2, ratio=0.5)
    with plots.style():
        for table, values in shares.items():
            if not len(values):  # stopped before the third round
                continue
            plots.line(ax, np.arange(len(values)) + 3, 100 * values, label=table)
        ax.set_ylim(0, 100)
        ax.set_xlabel("round")
        ax.set_ylabel("share of the pool kept, %")
        plots.label_lines(ax)
    return fig


def _show_band(ax: Axes, band: Floats, darkest: float) -> None:
    """Rows and columns of square pictures as one image, dark ink on white in either theme."""
    rows, columns, pixels = band.shape
    side = math.isqrt(pixels)
    cells = np.pad(band.reshape(rows, columns, side, side), ((0, 0), (0, 0), (1, 1), (1, 1)))
    sheet = cells.transpose(0, 2, 1, 3).reshape(rows * (side + 2), columns * (side + 2))
    ax.imshow(sheet, cmap="gray_r", vmin=0, vmax=darkest, interpolation="nearest")
    _without_axes(ax)


def _without_axes(ax: Axes) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
