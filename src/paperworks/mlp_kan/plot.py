"""A network of spline layers as a picture: its nodes in rows, and on every edge the function that was learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from paperworks.lab import plots

from .layers import KANLinear

if TYPE_CHECKING:
    from .network import KAN

__all__ = ["MOST_EDGES", "draw"]

MOST_EDGES = 40
"""Edges drawn of one layer: of more, those whose functions vary most."""

_CURVE_POINTS = 80
_FAINTEST = 0.35


def draw(network: KAN, x: Tensor, *, names: Sequence[str] = (), outputs: Sequence[str] = ()) -> Figure:
    """What `KAN.plot` documents: inputs at the bottom, outputs at the top, stronger edges darker."""
    layers = network.spline_layers()
    names = _labels("inputs", layers[0].in_features, names, "x")
    outputs = _labels("outputs", layers[-1].out_features, outputs, "y")
    widest = max(min(layer.in_features * layer.out_features, MOST_EDGES) for layer in layers)
    fig, ax = plots.figure(width=max(6.4, 0.42 * widest), ratio=1.0)
    fig.set_size_inches(fig.get_figwidth(), 0.6 + 1.7 * len(layers))
    ax.set_axis_off()
    ax.set_xlim(0, 1)
    ax.set_ylim(-0.15, len(layers) + 0.15)
    for height, layer in enumerate(layers):
        with torch.no_grad():
            _draw_layer(ax, layer, x, height)
            x = layer(x)
    _draw_nodes(ax, [layers[0].in_features, *(layer.out_features for layer in layers)])
    for place, name in zip(_places(len(names)), names, strict=True):
        ax.annotate(name, (place, 0), xytext=(0, -8), textcoords="offset points", ha="center", va="top", fontsize=9)
    for place, name in zip(_places(len(outputs)), outputs, strict=True):
        ax.annotate(name, (place, len(layers)), xytext=(0, 7), textcoords="offset points", ha="center", fontsize=9)
    return fig


def _labels(what: str, count: int, given: Sequence[str], letter: str) -> Sequence[str]:
    if not given:
        return [letter] if count == 1 else [f"{letter}{place}" for place in range(1, count + 1)]
    if len(given) != count:
        raise ValueError(f"the network has {count} {what}: give as many names, not {len(given)}")
    return [name.replace("$", r"\$") for name in given]  # matplotlib takes what stands between two $ for mathematics


def _places(count: int) -> list[float]:
    return [(at + 0.5) / count for at in range(count)]


def _draw_nodes(ax: Axes, widths: Sequence[int]) -> None:
    for height, width in enumerate(widths):
        ax.plot(_places(width), [height] * width, "o", color=plots.INK, markersize=5, zorder=4)


def _draw_layer(ax: Axes, layer: KANLinear, x: Tensor, height: int) -> None:
    low, high = x.amin(dim=0), x.amax(dim=0)
    share = torch.linspace(0, 1, _CURVE_POINTS, dtype=x.dtype, device=x.device)[:, None]
    along = low + share * (high - low)
    curves, spread = layer.edges(along).cpu().numpy(), layer.edges(x).std(dim=0, correction=0).cpu().numpy()
    strength = spread / max(float(spread.max()), np.finfo(np.float32).tiny)
    strongest = np.argsort(-strength, axis=None, kind="stable")[:MOST_EDGES]
    edges = sorted((int(at) % layer.in_features, int(at) // layer.in_features) for at in strongest)
    sources, targets = _places(layer.in_features), _places(layer.out_features)
    for middle, (source, target) in zip(_places(len(edges)), edges, strict=True):
        alpha = float(max(_FAINTEST, strength[target, source]))
        line: dict[str, Any] = {"color": plots.MUTED, "alpha": alpha, "linewidth": 1.0, "zorder": 1}
        ax.plot([sources[source], middle], [height, height + 0.36], **line)
        ax.plot([middle, targets[target]], [height + 0.64, height + 1], **line)
        _draw_curve(ax, (middle, height + 0.5), len(edges), along[:, source], curves[:, target, source], alpha)


def _draw_curve(
    ax: Axes, centre: tuple[float, float], count: int, x: Tensor, values: NDArray[np.float32], alpha: float
) -> None:
    width = min(0.86 / count, 0.16)
    inset = ax.inset_axes((centre[0] - width / 2, centre[1] - 0.14, width, 0.28), transform=ax.transData)
    inset.set_facecolor("none")
    inset.grid(visible=False)
    inset.set_xticks([])
    inset.set_yticks([])
    for spine in inset.spines.values():
        spine.set(visible=True, color=plots.GRID, linewidth=0.8)
    inset.plot(x.cpu().numpy(), values, color=plots.PALETTE[0], alpha=alpha, linewidth=1.6)
    inset.margins(0.08, 0.12)
