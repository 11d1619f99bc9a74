"""The experiment's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from paperworks.lab import plots

__all__ = [
    "LEARNING_ALT",
    "LENGTHS_ALT",
    "OVERWRITTEN_ALT",
    "PRUNING_ALT",
    "TASK_BUDGETS_ALT",
    "learning",
    "lengths",
    "overwritten",
    "pruning",
    "task_budgets",
]

LENGTHS_ALT = (
    "Accuracy of variable assignment by the number of assignments, 6 to 48, for selective and standard attention, mean "
    "and range over the seeds; sequences of training have at most 12 assignments."
)
TASK_BUDGETS_ALT = (
    "Accuracy of variable assignment by the tokens that each layer stores, for the same models: dropping what the "
    "penalty says, and dropping the oldest."
)
OVERWRITTEN_ALT = (
    "The penalty F in each layer of one model on a sequence with x = 3, y = 5, z = 1, x = 7, y = 2: queries from top "
    "to bottom, keys from left to right."
)
LEARNING_ALT = (
    "Validation loss of small language models by steps and by seconds of training, mean over seeds: standard "
    "attention, selective attention, standard attention with twice the heads, and selective attention with the memory "
    "loss."
)
PRUNING_ALT = (
    "Validation loss by the tokens that each layer stores, a sixteenth to a half of the context: selective models, "
    "with and without the memory loss, pruned by their penalty (solid) and under a sliding window (dashed), and "
    "standard ones under a window; dotted, each model with its whole context."
)

Curves = Mapping[str, np.ndarray[Any, Any]]


def lengths(counts: Sequence[int], accuracies: Curves, trained_to: int) -> Figure:
    """Accuracies [S, C] by attention over the numbers of assignments [C], the longest of training marked."""
    fig, ax = plots.figure(width=6.8, ratio=0.55)
    with plots.style():
        _ranges(ax, counts, accuracies)
        ax.axvline(trained_to, color=plots.MUTED, linewidth=1, linestyle=(0, (4, 3)))
        ax.annotate("longest in training", (trained_to, 0.03), xytext=(5, 0), textcoords="offset points", fontsize=9)
        _by_powers(ax, counts, "assignments in a sequence")
        plots.label_lines(ax)
    return fig


def task_budgets(budgets: Sequence[int], accuracies: Curves) -> Figure:
    """Accuracies [S, K] by what is dropped over the budgets [K]."""
    fig, ax = plots.figure(width=6.8, ratio=0.55)
    with plots.style():
        _ranges(ax, budgets, accuracies)
        _by_powers(ax, budgets, "tokens that a layer stores")
        plots.label_lines(ax)
    return fig


def overwritten(penalty: np.ndarray[Any, Any], tokens: Sequence[str]) -> Figure:
    """F [L, N, N] of a sequence as a heat map a layer; what a query cannot see is left blank."""
    fig, axes = plots.panels(1, len(penalty), width=4.4 * len(penalty), ratio=0.5)
    ahead = np.triu(np.ones(penalty.shape[1:], dtype=bool), 1)
    with plots.style():
        for layer, (ax, values) in enumerate(zip(axes[0], penalty, strict=True)):
            drawn = ax.imshow(np.ma.masked_where(ahead, values), cmap="cividis", vmin=0)
            ax.set_title(f"layer {layer}", fontsize=10, color=plots.INK)
            ax.set_xticks(range(len(tokens)), tokens)
            for label in ax.get_xticklabels():
                label.set_rotation(90 if len(label.get_text()) > 1 else 0)  # or it runs into its neighbour
            ax.set_yticks(range(len(tokens)), tokens)
            ax.set_xlabel("key: what is masked")
            ax.set_ylabel("query: for whom")
            ax.grid(visible=False)
            fig.colorbar(drawn, ax=ax, label="penalty F", shrink=0.85)
    return fig


def _ranges(ax: Any, x: Sequence[int], curves: Curves) -> None:
    """A line at each mean over the seeds [S, X], with a band from the worst seed to the best."""
    for label, values in curves.items():
        low, high = values.min(axis=0), values.max(axis=0)
        plots.line(ax, x, values.mean(axis=0), label=label, low=low, high=high, marker="o")


def _by_powers(ax: Any, x: Sequence[int], label: str) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xticks(x, [str(value) for value in x])
    ax.minorticks_off()
    ax.set_ylim(0, 1.03)
    ax.set_xlabel(label)
    ax.set_ylabel("accuracy")


def learning(curves: Mapping[str, Sequence[Sequence[Mapping[str, float]]]]) -> Figure:
    """Validation loss by steps and by time, the mean over seeds of each kind of model's curves."""
    fig, axes = plots.panels(1, 2, width=9.6, ratio=0.42, sharey=True)
    with plots.style():
        for ax, axis, label in zip(axes[0], ("step", "seconds"), ("steps", "seconds of training"), strict=True):
            for says, seeds in curves.items():
                x, y = (np.mean([[point[what] for point in one] for one in seeds], axis=0) for what in (axis, "nats"))
                plots.line(ax, x, y, label=says, marker="o")
            ax.set_xlabel(label)
        axes[0, 0].set_ylabel("validation loss, nats a token")
        axes[0, 0].legend()
    return fig


def pruning(
    budgets: Sequence[int], curves: Mapping[str, Mapping[str, Sequence[float]]], whole: Mapping[str, float]
) -> Figure:
    """Validation loss over what each layer stores, by model and by what limits it, and with its whole context.

    A colour is a model, a kind of line what limits it: lines that nearly meet can still be told apart.
    """
    fig, ax = plots.figure(width=7.6, ratio=0.6)
    with plots.style():
        for colour, (says, limits) in zip(plots.PALETTE, curves.items(), strict=False):
            for limit, values in limits.items():
                ax.plot(budgets, values, color=colour, marker="o", linestyle=_LINES[limit])
            ax.axhline(whole[says], color=colour, linewidth=1, linestyle=_LINES["whole context"])
            ax.plot([], [], color=colour, linewidth=5, label=says)
        for limit, kind in _LINES.items():
            ax.plot([], [], color=plots.MUTED, linestyle=kind, label=limit)
        ax.set_xscale("log", base=2)
        ax.set_xticks(budgets, [str(budget) for budget in budgets])
        ax.minorticks_off()
        ax.set_xlabel("tokens that a layer stores")
        ax.set_ylabel("validation loss, nats a token")
        ax.legend(ncols=2, loc="upper right")
    return fig


_LINES = {"pruned": "-", "window": (0, (5, 2)), "whole context": (0, (1, 2))}
