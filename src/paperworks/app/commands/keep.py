"""``paperworks report``, ``publish`` and ``new``: what is written down for others."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from paperworks.app import environment, new_paper, publish
from paperworks.app import store as stores
from paperworks.app.report.addresses import EXPORT
from paperworks.app.store import Store
from paperworks.core import UserError, papers
from paperworks.lab import places
from paperworks.lab.disk import sole_writer


def write_report(out: Path | None, *, published_only: bool, open_it: bool, as_json: bool) -> None:
    """Write the report, with this machine's evidence beside the published, and print its path or all it shows."""
    from paperworks.app.report import write_report as write

    home = places.home()
    store = Store(home)
    local = {} if published_only else {slug: store.read_all(slug) for slug in papers()}
    folder = out or home / ("report-published" if published_only else "report")
    try:
        with sole_writer(folder):
            index = write(folder, local=local, published={slug: stores.published(slug) for slug in papers()})
    except OSError as error:
        raise UserError(f"the report cannot be written into {folder}: {error.strerror or error}") from error
    print(index.with_name(EXPORT).read_text(encoding="utf-8").rstrip() if as_json else index)
    if open_it:
        webbrowser.open(index.absolute().as_uri())


def publish_file(file: Path) -> None:
    """Publish a run's evidence, and print where it is now."""
    print(publish.publish(file))


def write_new_paper(slug: str, arxiv: str, *, title: str, authors: tuple[str, ...], field: str, gist: str) -> None:
    """Write a new paper into the source tree, and print what was written and what comes next."""
    about = new_paper.sketched(slug, arxiv, title=title, authors=authors, field=field, gist=gist)
    root = environment.source_tree()
    if root is None:
        raise UserError("new writes into the source tree, and this paperworks is installed without one: use a clone")
    for path in new_paper.create(about, root):
        print(path.relative_to(root))
    new_paper.write_tables(root)
    print(f"\nnext: write its claims into src/paperworks/{about.slug}/paper.py; docs/add-a-paper.md goes step by step")
