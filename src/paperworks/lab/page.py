"""Self-contained HTML pages in the house's style: one file, no script from elsewhere, no request to anywhere.

A page carries its style sheet and a content security policy that forbids everything that is not in the file itself,
so that text from a stranger's evidence could do nothing even if an escape were forgotten. It follows the reader's
choice of dark or light, prints in black on white, and has a skip link and landmarks.

>>> from markupsafe import Markup
>>> html = page("Two numbers", Markup("<h1>Two numbers</h1>"))
>>> html.startswith("<!doctype html>")
True

A plain string as ``body`` is text and is escaped; HTML has to say so by being ``Markup``. A template of a package's
own ``templates`` folder begins with ``{% extends "page.html" %}`` and fills the blocks ``header``, ``main`` and
``footer``; `render` renders it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paperworks.core import MissingExtra
from paperworks.lab.disk import write_atomically

if TYPE_CHECKING:
    from jinja2 import Environment

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; font-src data:; "
    "base-uri 'none'; form-action 'none'; script-src {scripts}"
)


def page(
    title: str, body: str, *, description: str = "", styles: Sequence[str] = (), scripts: Sequence[str] = ()
) -> str:
    """A whole page with ``body`` as its main part: escaped text, or HTML if it is ``markupsafe.Markup``.

    ``styles`` and ``scripts`` are source texts that are put into the page. Raises MissingExtra without jinja2.
    """
    return render(
        "paperworks.lab", "plain.html", title=title, description=description, styles=styles, scripts=scripts, body=body
    )


def render(
    package: str,
    template: str,
    *,
    title: str,
    description: str = "",
    who: str = "an HTML page",
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    **context: Any,
) -> str:
    """``template`` of ``package``'s folder ``templates`` as HTML; everything in ``context`` is escaped.

    The template extends ``page.html``. Each of ``scripts`` runs because the page's policy names
    its hash. Raises MissingExtra, in the name of ``who``, without jinja2.
    """
    return (
        environment(package, who=who)
        .get_template(template)
        .render(
            title=title,
            description=description,
            house_styles=[stylesheet(), *styles],
            house_scripts=scripts,
            house_policy=_policy(scripts),
            **context,
        )
    )


@cache
def environment(package: str, *, who: str = "an HTML page") -> Environment:
    """The jinja2 environment of `render`: ``package``'s templates first, then the house's; autoescape is on."""
    try:
        from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
    except ModuleNotFoundError as error:
        raise MissingExtra(who, "jinja2", "lab") from error
    return Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("paperworks.lab")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def stylesheet() -> str:
    """The house's style sheet: the colours, then type, tables, landmarks and print."""
    return colours() + asset("paperworks.lab", "page.css")


def colours() -> str:
    """The colours alone, as CSS custom properties for light and dark; an SVG of its own can carry them too."""
    return asset("paperworks.lab", "colours.css")


@cache
def asset(package: str, name: str) -> str:
    """The text of a file in ``package``'s folder ``templates``: a style sheet or a script."""
    return resources.files(package).joinpath("templates", name).read_text(encoding="utf-8")


def write(path: Path, text: str) -> Path:
    """Put ``text`` at ``path`` in one step, so that a reader never sees half a page; returns ``path``.

    A file that already says the same is left alone. Everybody may read the file, as a web server has to.
    """
    data = text.encode()
    if not path.is_file() or path.read_bytes() != data:
        write_atomically(path, data)
        path.chmod(0o644)
    return path


def _policy(scripts: Sequence[str]) -> str:
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    return _POLICY.format(scripts=" ".join(f"'sha256-{digest}'" for digest in hashes) or "'none'")
