"""Writes the site: the day at a glance, two pages a paper, and everything that is shown as JSON beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import paperworks
from paperworks.core import Paper, papers
from paperworks.lab import page

from . import words
from .addresses import EXPORT, INDEX
from .export import Held, export
from .views import ORIGINS, PaperView, paper_view, tally


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
        page.write(folder / view.file, _paper(view, live))
        page.write(folder / view.comparison.file, _comparison(view, live))
    everything = export(shown, published=published, local=local)
    page.write(folder / EXPORT, json.dumps(everything, indent=1, ensure_ascii=False) + "\n")
    return page.write(folder / INDEX, _index(views, live))


def _paper(view: PaperView, live: bool) -> str:
    return _render("paper.html", title=view.paper.title, description=view.paper.gist, live=live, view=view)


def _comparison(view: PaperView, live: bool) -> str:
    title = f"Yours against published: {view.paper.title}"
    about = view.comparison.summary
    return _render("compare.html", title=title, description=about, live=live, styles=("compare.css",), view=view)


def _index(views: Sequence[PaperView], live: bool) -> str:
    tallies = {origin: tally(views, origin) for origin in ORIGINS}
    first = tallies["published"] if tallies["published"].measured else tallies["yours"]
    return _render(
        "index.html",
        title="paperworks: claims and evidence",
        description=words.headline(first.counts),
        live=live,
        styles=("search.css",),
        scripts=("search.js",),
        views=views,
        fields=sorted({view.paper.field for view in views}, key=str.casefold),
        tallies=tallies,
        headline=words.headline(first.counts),
        headline_of=first.origin if first.measured else "",
    )


def _render(
    template: str,
    *,
    title: str,
    description: str,
    live: bool,
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    **context: Any,
) -> str:
    running = ("live.js",) if live else ()
    return page.render(
        __package__,
        template,
        who="the report",
        title=title,
        description=description,
        styles=[page.asset(__package__, name) for name in ("report.css", *styles)],
        scripts=[page.asset(__package__, name) for name in (*scripts, *running)],
        live=live,
        meanings=words.MEANINGS,
        version=paperworks.__version__,
        export=EXPORT,
        **context,
    )
