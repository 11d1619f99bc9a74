"""The drawings of a model's card, as SVG that takes its colours from the page."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, MaxNLocator

from paperworks.lab import plots
from paperworks.lab.figures import svg

from .binning import Floats
from .columns import CategoryColumn, Column, NumberColumn
from .density import NRGBoostDensity

_INTERVALS = 24
_MOST_CATEGORIES = 8
_REAL, _SYNTHETIC = plots.PALETTE[0], plots.PALETTE[1]


def marginal(column: Column, synthetic: Floats, name: str) -> str:
    """Training rows and samples side by side: bars of shares; ``synthetic`` has the counts of the codes."""
    fig, ax = plots.figure(width=3.4, ratio=0.62)
    shares = [counts / max(1.0, counts.sum()) for counts in (column.counts, synthetic)]
    if isinstance(column, CategoryColumn):
        _draw_categories(ax, column, shares)
    elif column.kind == "boolean" or len(column.bins) <= 2:
        _draw_bars(ax, [str(value) for value in column.from_steps(column.bins.low)], _values(column, shares))
    else:
        _draw_histogram(ax, column, _values(column, shares))
    ax.tick_params(axis="x", labelsize=8)
    ax.grid(visible=False, axis="y" if isinstance(column, CategoryColumn) else "x")
    return svg(fig, name, f"{column.name}: shares in the training table and among samples")


def importances(model: NRGBoostDensity) -> str:
    """The share of each column in the gains of all splits, largest first; at most twenty."""
    names, shares = model.model_.encoder.names, model.feature_importances_
    order = np.argsort(-shares, kind="stable")[:20]
    fig, ax = plots.figure(width=4.8, ratio=max(0.16, 0.055 * len(order) + 0.09))
    ax.barh(range(len(order)), 100 * shares[order], height=0.62, color=_REAL)
    ax.set_yticks(range(len(order)), [_short(names[place], 28) for place in order])
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.grid(visible=False, axis="y")
    ax.set_xlabel("share of the splits' gain, %")
    return svg(fig, "importances", "Columns by their share of the gain of all splits")


def learning_curve(model: NRGBoostDensity) -> str:
    """The held-out score after each round; without one, the training likelihood gained up to each round."""
    fig, ax = plots.figure(width=4.8, ratio=0.5)
    scores = model.validation_scores_
    if scores:
        ax.plot(range(len(scores)), scores, color=_REAL)
        best = int(np.argmax(scores))
        ax.plot(best, scores[best], "o", color=_REAL)
        ax.set_ylabel("held-out log-probability")
        alt = f"Held-out score by round; the best is {scores[best]:.4g} after {best} rounds"
    else:
        gained = np.cumsum([0.0, *(each.gain for each in model.rounds_)])
        ax.plot(range(len(gained)), gained, color=_REAL)
        ax.set_ylabel("log-likelihood gained")
        alt = "Estimated gain of log-likelihood by round"
    ax.set_xlabel("rounds")
    return svg(fig, "learning", alt)


def _values(column: NumberColumn, shares: list[Floats]) -> list[Floats]:
    """Shares of the bins among rows that have a value."""
    kept = [each[int(column.has_missing) :] for each in shares]
    return [each / max(each.sum(), np.finfo(float).tiny) for each in kept]


def _draw_histogram(ax: Axes, column: NumberColumn, shares: list[Floats]) -> None:
    """Both as histograms over equal intervals between the 0.5 % and 99.5 % quantiles of training."""
    bins = column.bins
    cumulative = shares[0].cumsum()
    low = bins.low[int(np.searchsorted(cumulative, 0.005))]
    high = bins.high[min(int(np.searchsorted(cumulative, 0.995)), len(bins) - 1)]
    count = int(min(_INTERVALS, high - low + 1)) if bins.grid else _INTERVALS
    half = 0.5 if bins.grid else 0.0
    edges = np.linspace(low - half, high + half, max(1, count) + 1)
    if bins.grid:
        edges = np.unique(np.floor(edges)) + half
    parts = np.stack([bins.share_within(a, np.nextafter(b, a)) for a, b in pairwise(edges)])
    real, synthetic = (100 * parts @ each for each in shares)
    places = _places(column, edges)
    ax.stairs(real, places, fill=True, color=_REAL, alpha=0.55)
    ax.stairs(synthetic, places, color=_SYNTHETIC, linewidth=1.8)
    ax.set_ylim(bottom=0)
    if column.kind == "datetime":
        _label_dates(ax, places)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=bins.grid and not column.decimals))
        if max(abs(places[0]), abs(places[-1])) >= 10_000:
            ax.xaxis.set_major_formatter(EngFormatter(sep=""))
    ax.set_ylabel("%", rotation=0, labelpad=8)


def _label_dates(ax: Axes, places: Any) -> None:
    """Three dates along the axis, to the day where the whole spans less than three months."""
    ends = places[[0, len(places) // 2, -1]]
    unit = "D" if ends[-1] - ends[0] < np.timedelta64(90, "D") else "M"
    ax.set_xticks(ends, [str(end.astype(f"datetime64[{unit}]")) for end in ends])


def _places(column: NumberColumn, steps: Floats) -> Any:
    """Edges in the column's own unit, dates as dates."""
    return column.averages(steps) if column.kind in ("real", "integer", "datetime") else steps + column.origin


def _draw_categories(ax: Axes, column: CategoryColumn, shares: list[Floats]) -> None:
    labels = [*(["missing"] if column.has_missing else []), *map(str, column.categories)]
    labels += ["rare ones"] if column.rare else []
    order = list(range(len(labels))) if column.ordered else np.argsort(-shares[0], kind="stable").tolist()
    kept, rest = order[:_MOST_CATEGORIES], order[_MOST_CATEGORIES:]
    names = [labels[place] for place in kept]
    values = [each[kept] for each in shares]
    if rest:
        names.append(f"{len(rest)} others")
        values = [np.append(each[kept], each[rest].sum()) for each in shares]
    _draw_bars(ax, names, values)


def _draw_bars(ax: Axes, names: list[str], shares: list[Floats]) -> None:
    places = np.arange(len(names))
    for offset, each, colour in ((-0.2, shares[0], _REAL), (0.2, shares[1], _SYNTHETIC)):
        alpha = 0.6 if colour == _REAL else 1.0
        ax.barh(places + offset, 100 * each, height=0.36, color=colour, alpha=alpha)
    ax.set_yticks(places, [_short(name, 16) for name in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlabel("%")


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
