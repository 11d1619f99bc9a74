"""Writes the site: the day at a glance, a page a paper, and everything that is shown as JSON beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import paperworks
from paperworks.app.evidence import Evidence
from paperworks.core import Paper, Untested, papers, to_record
from paperworks.lab import page

from . import words
from .views import ORIGINS, PaperView, ResultView, paper_view, tally

Held = Mapping[str, Mapping[str, Evidence]]


def write_report(
    folder: Path,
    *,
    local: Held,
    published: Held,
    live: bool = False,
    of: Mapping[str, Paper] | None = None,
) -> Path:
    """Write the site into ``folder`` and return its ``index.html``.

    ``local`` and ``published`` map slug -> preset -> evidence. ``live`` is for while a run is under way: the pages say
    so and reload themselves. ``of`` are the papers, all that exist unless given. Each file is replaced in one step,
    and only if it changes. Raises MissingExtra without jinja2, OSError where the folder cannot be written.
    """
    shown = papers() if of is None else of
    views = [paper_view(paper, published.get(slug, {}), local.get(slug, {})) for slug, paper in shown.items()]
    for view in views:
        page.write(
            folder / view.file,
            _render("paper.html", title=view.paper.title, description=view.paper.gist, live=live, view=view),
        )
    page.write(folder / "data.json", json.dumps(_data(views), indent=1, ensure_ascii=False) + "\n")
    return page.write(folder / "index.html", _index(views, live))


def _index(views: Sequence[PaperView], live: bool) -> str:
    tallies = {origin: tally(views, origin) for origin in ORIGINS}
    first = tallies["published"] if tallies["published"].measured else tallies["yours"]
    return _render(
        "index.html",
        title="paperworks: claims and evidence",
        description=words.headline(first.counts),
        live=live,
        views=views,
        tallies=tallies,
        headline=words.headline(first.counts),
        headline_of=first.origin if first.measured else "",
    )


def _render(template: str, *, title: str, description: str, live: bool, **context: Any) -> str:
    scripts: Sequence[str] = (page.asset(__package__, "live.js"),) if live else ()
    return page.render(
        __package__,
        template,
        who="the report",
        title=title,
        description=description,
        styles=(page.asset(__package__, "report.css"),),
        scripts=scripts,
        live=live,
        meanings=words.MEANINGS,
        version=paperworks.__version__,
        **context,
    )


def _data(views: Sequence[PaperView]) -> dict[str, Any]:
    return {
        "version": paperworks.__version__,
        "papers": [
            {
                "slug": view.paper.slug,
                "arxiv": view.paper.arxiv,
                "title": view.paper.title,
                "claims": [
                    {
                        "id": claim.claim.id,
                        "says": claim.claim.says,
                        "metric": claim.claim.metric,
                        "judged_by": claim.judged_by,
                        **{result.origin: _result_data(result) for result in claim.results},
                    }
                    for claim in view.claims
                ],
            }
            for view in views
        ],
    }


def _result_data(view: ResultView) -> dict[str, Any]:
    chosen = view.chosen
    data: dict[str, Any] = {"verdict": str(chosen.verdict), "preset": chosen.preset, "stale": chosen.stale}
    if chosen.result is None or isinstance(chosen.result, Untested):
        return data | {"reason": chosen.reason}
    return data | ({"reason": chosen.reason} if chosen.reason else {}) | {"result": to_record(chosen.result)}
