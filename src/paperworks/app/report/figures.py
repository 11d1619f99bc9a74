"""A figure of an evidence file as an image that is safe to show, whoever wrote the file.

An evidence file may come from a stranger, and a filter that makes strange SVG harmless inside a page is easily wrong.
So a figure is always an ``<img>`` with a data URL: there the browser itself runs no script, follows no link and loads
nothing. What inlining would have given, the page's colours, is put into the image: the house's colours for light and
dark as a style sheet at the head of the SVG.
"""

from __future__ import annotations

import base64
import re

from paperworks.app.evidence import Figure
from paperworks.lab import page

_SVG_TAG = re.compile(r"""<svg\b(?:[^>"']|"[^"]*"|'[^']*')*(?<!/)>""")
_ALONE = '<svg xmlns="http://www.w3.org/2000/svg"'  # a page lets an inline <svg> do without, an image does not


def data_url(figure: Figure) -> str:
    """The figure as the ``src`` of an image."""
    if figure.png_base64:
        return f"data:image/png;base64,{re.sub(r'[^A-Za-z0-9+/=]', '', figure.png_base64)}"
    return f"data:image/svg+xml;base64,{base64.b64encode(_with_colours(figure.svg).encode()).decode()}"


def _with_colours(svg: str) -> str:
    """``svg`` with the house's colours, so that ``currentColor`` and ``var(--grid)`` are the page's."""

    def dressed(tag: re.Match[str]) -> str:
        start = tag[0] if "xmlns=" in tag[0] else tag[0].replace("<svg", _ALONE, 1)
        return f"{start}<style>{page.colours()}</style>"

    return _SVG_TAG.sub(dressed, svg, count=1)
