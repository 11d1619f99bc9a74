"""Figures as evidence keeps them: SVG that takes its ink from the page it stands in, or a PNG that is small enough."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any, TypeAlias

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from . import plots

if TYPE_CHECKING:
    from PIL import Image

Drawing: TypeAlias = "Figure | Image.Image | np.ndarray[Any, Any]"

MAX_BYTES = 300_000
"""The most that a figure may take up: of SVG source, or of a PNG in base64."""

_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
_DPIS = (200, 160, 130, 100, 80, 64, 50, 40)
_TAG = re.compile(r"<[A-Za-z](?:[^<>\"']|\"[^\"]*\"|'[^']*')*>")
_PLACE = re.compile(r'\b(?:d|x|y|points)="[^"]*"')
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_LETTER = re.compile(r'<tspan x="([\d.-]+)" y="([\d.-]+)" style="([^"]*)">([^<]*)</tspan>')
_THEME = {
    plots.INK: "currentColor",
    "#000000": "currentColor",
    plots.MUTED: f"var(--muted, {plots.MUTED})",
    plots.GRID: f"var(--grid, {plots.GRID})",
    plots.SURFACE: f"var(--surface, {plots.SURFACE})",
}


def event(name: str, drawing: Drawing, alt: str) -> dict[str, str]:
    """The event that carries a figure: ``{"event": "figure", "name", "alt"}`` with ``svg`` or ``png_base64``.

    Raises ValueError for a malformed name, an empty ``alt`` or a drawing that cannot be made small enough, TypeError
    for a drawing of another kind.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            f"a figure is named by lower-case words joined by '-' or '_', like 'error-by-bits'; not {name!r}"
        )
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"figure {name!r} needs an alternative text: say in words what it shows")
    head = {"event": "figure", "name": name, "alt": alt.strip()}
    if isinstance(drawing, Figure):
        source = svg(drawing, name, alt.strip())
        if len(source.encode()) <= MAX_BYTES:
            return head | {"svg": source}
        return head | {"png_base64": _smallest_that_fits(name, _figure_at_falling_dpi(drawing))}
    return head | {"png_base64": _smallest_that_fits(name, _image_at_falling_size(_image(name, drawing)))}


def svg(figure: Figure, name: str, alt: str) -> str:
    """A matplotlib figure as an ``<svg>`` element that can stand alone or in a page beside others.

    A figure that is drawn in the same way gives the same text. Text stays text, in the page's own typeface; ids begin
    with ``name``; black and white and the house's ink, muted and grid colours follow the page (`plots` has fixed ones
    for text on a fill).
    """
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": name, "font.family": "sans-serif", "path.simplify": True}
    buffer = io.StringIO()
    with mpl.rc_context(settings):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    source = buffer.getvalue()
    source = source[source.index("<svg") :]
    source = re.sub(r"\s*<metadata>.*?</metadata>", "", source, count=1, flags=re.DOTALL)
    source = re.sub(r"\s*<defs>\s*<style[^>]*>[^<]*</style>\s*</defs>", "", source, count=1)  # it would style the page
    source = _TAG.sub(lambda tag: _restyled(tag[0], name), source)
    source = re.sub(rf"{_LETTER.pattern}(?:\s*{_LETTER.pattern})+", lambda run: _words(run[0]), source)
    label = escape(alt)
    root = (
        f'<svg role="img" aria-label="{label}" fill="currentColor" font-family="system-ui, sans-serif" '
        'stroke-linejoin="round" stroke-linecap="butt"'
    )
    return re.sub(r"\s*\n\s*", "\n", source.replace("<svg", root, 1)).strip()


def _restyled(tag: str, name: str) -> str:
    """One start tag with ids of its figure's own, the page's colours and its typeface."""
    tag = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", tag)
    tag = _PLACE.sub(lambda place: _LONG_NUMBER.sub(_rounded, place[0]), tag)
    is_text = tag.startswith(("<text", "<tspan"))
    return re.sub(r'\bstyle="([^"]*)"', lambda style: f'style="{_declarations(style[1], is_text)}"', tag)


def _words(run: str) -> str:
    """The letters of a line with a formula, which were placed one by one, in reading order and joined to words again.

    So any typeface spaces them well. Formulas on several levels stay as they are.
    """
    letters = _LETTER.findall(run)
    if len({y for _, y, _, _ in letters}) > 1:
        return run
    spans: list[list[str]] = []
    for x, y, style, letter in sorted(letters, key=lambda span: float(span[0])):
        if spans and style == spans[-1][2] and _is_prose(spans[-1][3]) and _is_prose(letter):
            spans[-1][3] += letter
        else:
            spans.append([x, y, style, letter])
    return "\n".join(f'<tspan x="{x}" y="{y}" style="{style}">{text}</tspan>' for x, y, style, text in spans)


def _is_prose(text: str) -> bool:
    return all(letter.isalnum() or letter.isspace() for letter in text)


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def _declarations(style: str, is_text: bool) -> str:
    kept = []
    for declaration in style.split(";"):
        key, _, value = declaration.partition(":")
        key, value = key.strip(), value.strip()
        if key == "font":
            size = re.match(r".*?\d(?:\.\d+)?px", value)
            value = f"{size[0] if size else '10px'} {_typeface(value)}"
        elif key == "font-family":
            value = _typeface(value)
        elif key in {"fill", "stroke"} and not (is_text and value == plots.SURFACE):
            value = _THEME.get(value, value)
        if key and not (key == "font-family" and value.startswith("system-ui")):  # the root says so already
            kept.append(f"{key}: {value}")
    return "; ".join(kept)


def _typeface(families: str) -> str:
    lower = families.lower()
    if "mono" in lower or "courier" in lower:
        return "ui-monospace, monospace"
    return "serif" if lower.rstrip().endswith(" serif") else "system-ui, sans-serif"


def _figure_at_falling_dpi(figure: Figure) -> Iterator[bytes]:
    for dpi in _DPIS:
        buffer = io.BytesIO()
        figure.savefig(
            buffer, format="png", dpi=dpi, facecolor="white", metadata={"Software": None}, pil_kwargs={"optimize": True}
        )
        yield buffer.getvalue()


def _image_at_falling_size(image: Image.Image) -> Iterator[bytes]:
    from PIL import Image

    scale = 1.0
    while min(image.width, image.height) * scale >= 16:
        size = (round(image.width * scale), round(image.height * scale))
        smaller = image if scale == 1 else image.resize(size, Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        smaller.save(buffer, format="PNG", optimize=True)
        yield buffer.getvalue()
        scale *= 0.8
    if scale == 1:  # smaller than 16 pixels to begin with
        buffer = io.BytesIO()
        image.save(buffer, format="PNG", optimize=True)
        yield buffer.getvalue()


def _smallest_that_fits(name: str, renderings: Iterator[bytes]) -> str:
    for png in renderings:
        encoded = base64.b64encode(png).decode()
        if len(encoded) <= MAX_BYTES:
            return encoded
    raise ValueError(
        f"figure {name!r} exceeds {MAX_BYTES} bytes at every resolution; draw fewer points or a smaller one"
    )


def _image(name: str, drawing: Any) -> Image.Image:
    from PIL import Image

    if isinstance(drawing, Image.Image):
        return drawing if drawing.mode in {"1", "L", "LA", "P", "RGB", "RGBA"} else drawing.convert("RGB")
    right = "give a matplotlib Figure, a PIL image, or an array [H, W] or [H, W, 3 or 4] of uint8 or floats in [0, 1]"
    if not isinstance(drawing, np.ndarray):
        raise TypeError(f"figure {name!r} is a {type(drawing).__qualname__}; {right}")
    if not (drawing.ndim == 2 or (drawing.ndim == 3 and drawing.shape[2] in {3, 4})) or drawing.size == 0:
        raise ValueError(f"figure {name!r} has shape {drawing.shape}; {right}")
    if np.issubdtype(drawing.dtype, np.floating):
        if not (drawing.min() >= 0 and drawing.max() <= 1):  # NaN too fails both
            raise ValueError(f"figure {name!r} has values outside [0, 1]; {right}")
        drawing = np.rint(drawing * 255).astype(np.uint8)
    if drawing.dtype != np.uint8:
        raise TypeError(f"figure {name!r} is of {drawing.dtype}; {right}")
    return Image.fromarray(np.ascontiguousarray(drawing))
