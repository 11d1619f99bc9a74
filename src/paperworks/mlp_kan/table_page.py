"""A page about one fitted table: how well it went, the formula, and the function on every edge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from matplotlib.figure import Figure
from sympy import Symbol
from sympy.printing.mathml import mathml

from paperworks import __version__
from paperworks.lab import figures, page, plots

from .plot import MOST_EDGES
from .table_fit import KAN_NAME, TableFit

__all__ = ["facts", "scores", "write_page"]

_MOST_POINTS = 800


def scores(found: TableFit) -> list[dict[str, Any]]:
    """A row a model: its name, and on the test rows the root mean squared error and the share of variance explained."""
    return [{"model": name, "rmse": found.rmse(name), "r2": found.r2(name)} for name in found.predictions]


def facts(found: TableFit) -> dict[str, Any]:
    """What was fitted to what, and the formula, as plain values."""
    return {
        "table": found.table.source,
        "target": found.table.target,
        "rows": len(found.table.y),
        "rows_left_out": found.table.left_out,
        "test_rows": len(found.actual),
        "hidden_nodes": sum(layer.out_features for layer in found.network.spline_layers()[:-1]),
        "formula": str(found.formula),
        "formula_r2": found.formula.r2,
        "rmse_over_boosting": found.relative.value,
        "rmse_over_boosting_from": found.relative.low,
        "rmse_over_boosting_to": found.relative.high,
    }


def write_page(found: TableFit, path: Path) -> Path:
    """Writes the page to ``path``, self-contained; the path. Raises OSError where it cannot be written."""
    names = [variable.name for variable in found.formula.variables]
    edges = [
        (f"{layer + 1}", f"{source + 1} to {target + 1}", fit.name, f"{fit.r2:.4f}")
        for layer, nodes in enumerate(found.formula.edges)
        for target, node in enumerate(nodes)
        for source, fit in enumerate(node)
    ]
    html = page.render(
        "paperworks.mlp_kan",
        "table.html",
        who="mlp-kan",
        title=f"{found.table.target} of {found.table.source}",
        description=f"A formula for {found.table.target}, found by a network of splines.",
        styles=[page.asset("paperworks.mlp_kan", "table.css")],
        version=__version__,
        facts=facts(found),
        scores=scores(found),
        mathematics=_mathematics(found),
        network=Markup(_drawn(found.network.plot(found.inputs, names=names, outputs=[found.table.target]), "network")),
        agreement=Markup(_drawn(_agreement(found), "agreement")),
        most_edges=MOST_EDGES,
        edges=edges,
    )
    return page.write(path, html)


def _mathematics(found: TableFit) -> Markup:
    # sympy puts names into its markup as they are.
    safe = {variable: Symbol(str(escape(variable.name)), real=True) for variable in found.formula.variables}
    inner = mathml(found.formula.expression.xreplace(safe), printer="presentation", mul_symbol="dot")
    return Markup(f'<math display="block">{inner}</math>')


def _drawn(figure: Figure, name: str) -> str:
    alts = {
        "network": "The network: on every edge the function that it learned.",
        "agreement": "Predicted against actual values of the unseen rows, around the diagonal.",
    }
    return figures.svg(figure, name, alts[name])


def _agreement(found: TableFit) -> Figure:
    chosen = np.linspace(0, len(found.actual) - 1, min(_MOST_POINTS, len(found.actual))).astype(int)
    actual, predicted = found.actual[chosen], found.predictions[KAN_NAME][chosen]
    fig, ax = plots.figure(width=4.6, ratio=0.85)
    ends = [min(actual.min(), predicted.min()), max(actual.max(), predicted.max())]
    ax.plot(ends, ends, color=plots.MUTED, linewidth=1, zorder=1)
    ax.plot(actual, predicted, "o", color=plots.PALETTE[0], markersize=3.5, alpha=0.6, markeredgewidth=0)
    ax.set_xlabel(f"actual {found.table.target}".replace("$", r"\$"))
    ax.set_ylabel("predicted by the network")
    return fig
