"""``paperworks report`` and ``paperworks publish``: what becomes of evidence."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from paperworks.app import publish
from paperworks.app import store as stores
from paperworks.app.store import Store
from paperworks.core import UserError, papers
from paperworks.lab import places
from paperworks.lab.disk import sole_writer


def write_report(out: Path | None, *, published_only: bool, open_it: bool) -> None:
    """Write the report, with this machine's evidence beside the published, and print its path."""
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
    print(index)
    if open_it:
        webbrowser.open(index.absolute().as_uri())


def publish_file(file: Path) -> None:
    """Publish a run's evidence, and print where it is now."""
    print(publish.publish(file))
