"""A page about one model, self-contained: what was trained, how good its rows are, which columns matter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from paperworks import __version__
from paperworks.lab import page

from . import card_figures, tables
from .columns import CategoryColumn, Column
from .density import NRGBoostDensity
from .fitting import Progress

_MOST_MARGINALS = 60
_ENDS = {
    "complete": "all that were asked for",
    "early": "the held-out score no longer rose",
    "interrupted": "interrupted; the trees so far were kept",
    "no split": "no split was admissible any more",
}


def write_card(
    model: NRGBoostDensity,
    path: Path,
    *,
    name: str,
    n_rows: int = 2000,
    seed: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Write the card of a fitted model, whose file is called ``name``, to ``path``; the path.

    ``n_rows`` rows are drawn for the marginals. What `fit_report.fit_and_measure` measured is shown if it is there.
    """
    encoder = model.model_.encoder
    drawn = model.sample(n_rows, random_state=seed, progress=progress)
    rows = encoder.encode(tables.read_checked(model, drawn, encoder.names)[0])
    quality = getattr(model, "notes_", {}).get("quality", {})
    distances = quality.get("marginal_distances", {})
    html = page.render(
        "paperworks.nrgboost",
        "card.html",
        who="nrgboost",
        title=f"Model card: {name}",
        description=f"What the generative model {name} was trained on and how good its rows are.",
        styles=[page.asset("paperworks.nrgboost", "card.css")],
        name=name,
        version=__version__,
        facts=list(_facts(model)),
        settings=list(_settings(model)),
        quality=quality,
        measured=list(_measured(model, quality)),
        n_rows=n_rows,
        columns=[_column_row(column, distances.get(column.name)) for column in encoder.columns],
        marginals=[
            {"name": column.name, "drawing": Markup(_marginal(column, rows.bins[:, place], place))}
            for place, column in enumerate(encoder.columns[:_MOST_MARGINALS])
        ],
        left_out=max(0, len(encoder.columns) - _MOST_MARGINALS),
        importances=Markup(card_figures.importances(model)),
        learning=Markup(card_figures.learning_curve(model)),
        held_out=bool(model.validation_scores_),
    )
    return page.write(path, html)


def _facts(model: NRGBoostDensity) -> Iterator[tuple[str, str]]:
    notes = getattr(model, "notes_", {})
    encoder = model.model_.encoder
    if "source" in notes:
        yield "table", notes["source"]
    total = float(encoder.columns[0].counts.sum())
    yield "rows trained on", f"{notes.get('training_rows', round(total)):,}"
    if notes.get("held_out_rows"):
        yield "rows held out", f"{notes['held_out_rows']:,}"
    yield "columns", str(len(encoder.columns))
    yield "trees", f"{model.n_rounds_:,}{_of_rounds(model)}: {_ENDS.get(model.ended_, model.ended_)}"
    leaves = [tree.n_leaves for tree in model.model_.energies.trees]
    if leaves:
        yield "leaves of a tree", f"{np.mean(leaves):.0f} on average, {max(leaves)} at most"
    if notes.get("target"):
        yield "stopped by", f"the held-out score of {notes['target']!r}"
    kept = [each.kept_fraction for each in model.rounds_ if np.isfinite(each.kept_fraction or np.nan)]
    if kept:
        yield "pool kept a round", f"{100 * np.mean(kept):.0f} % of the model's samples on average"
    seconds = sum(sum(each.seconds.values()) for each in model.rounds_)
    yield "time in rounds", f"{seconds:.1f} s"


def _of_rounds(model: NRGBoostDensity) -> str:
    """How many rounds were run, where the best of them was kept."""
    run = len(model.validation_scores_) - 1
    return f", the best of {run:,} rounds" if run > model.n_rounds_ else ""


def _settings(model: NRGBoostDensity) -> Iterator[tuple[str, str]]:
    defaults = NRGBoostDensity().get_params()
    for name, value in model.get_params().items():
        if name not in {"n_jobs", "verbose", "warm_start"}:
            yield name, f"{value}" + ("" if value != defaults[name] else " (default)")


def _measured(model: NRGBoostDensity, quality: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Name, value and meaning of each number about the samples."""
    if model.validation_scores_:
        over = model.scoring or "a cell of any column"
        best = max(model.validation_scores_)
        yield "held-out log-probability", f"{best:.4f}", f"of {over}, given the rest of its row"
    if quality.get("discriminator_auc") is not None:
        rows = "rows that training did not see" if quality["held_out"] else "the training rows"
        yield (
            "discriminator AUC",
            f"{quality['discriminator_auc']:.3f}",
            f"0.5: gradient boosting cannot tell {quality['rows']:,} samples from {rows}; 1: it always can",
        )
    if quality:
        distances = quality["marginal_distances"]
        worst = max(distances, key=lambda name: distances[name])
        yield (
            "largest marginal distance",
            f"{distances[worst]:.3f}",
            f"between training rows and samples, in {worst!r}: 0 none, 1 all",
        )
        yield (
            "R-hat",
            f"{quality['r_hat']:.3f}",
            "of the energies along chains that start apart; near 1 they have mixed",
        )
        yield (
            "independent draws a sweep",
            f"{quality['ess_per_sweep']:.2f}",
            "effective sample size of a sweep of one chain; at most 1",
        )


def _column_row(column: Column, distance: float | None) -> dict[str, str]:
    missing = column.counts[0] / column.counts.sum() if column.has_missing else 0.0
    return {
        "name": column.name,
        "holds": _holds(column),
        "bins": str(column.cardinality - column.has_missing),
        "missing": f"{100 * missing:.1f} %" if column.has_missing else "–",
        "distance": "–" if distance is None else f"{distance:.3f}",
    }


def _holds(column: Column) -> str:
    if isinstance(column, CategoryColumn):
        kind = "ordered categories" if column.ordered else "categories"
        return f"{kind}, {len(column.rare)} rare ones joined" if column.rare else kind
    if column.kind == "real" and column.decimals is not None:
        return "numbers" if column.decimals == 0 else f"numbers, {column.decimals} decimal{'s'[: column.decimals > 1]}"
    return {
        "real": "numbers",
        "integer": "integers",
        "boolean": "true or false",
        "datetime": "dates",
        "duration": "durations",
        "category": "categories",
    }[column.kind]


def _marginal(column: Column, codes: Any, place: int) -> str:
    counts = np.bincount(codes, minlength=column.cardinality).astype(np.float64)
    return card_figures.marginal(column, counts, f"column-{place}")
