"""Mathematics in messages: what stands between dollar signs becomes MathML, as trees that a page builds itself from.

No markup travels: a tree is ``[tag, attributes, children]`` with tags and attributes from a list, and its texts are
texts. So nothing that a person writes can become an element of a page other than these.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree as ET

from markupsafe import Markup, escape

LONGEST = 200
"""Characters of a formula; a longer one stays text."""

_FORMULA = re.compile(rf"\$(?! )([^$\n]{{1,{LONGEST}}})(?<! )\$(?!\d)|\\\((.{{1,{LONGEST}}}?)\\\)")
"""As in pandoc, so that "from $5 to $6" stays what it is: no space inside the dollar signs, no digit behind them."""

_TAGS = frozenset(
    {"math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup"}
    | {"munder", "mover", "munderover", "mtable", "mtr", "mtd", "mstyle", "mpadded", "menclose"}
)
_ATTRIBUTES = frozenset(
    ["display", "mathvariant", "stretchy", "fence", "form", "separator", "linethickness", "accent", "notation"]
)
_VALUE = re.compile(r"[A-Za-z0-9 .%-]{0,40}")
_DEEPEST = 40

Tree = list[Any]
Part = str | dict[str, Any]


@lru_cache(maxsize=4096)
def _parts(text: str) -> tuple[Part, ...]:
    """Rendered once for all who read it; tuples, because they are shared."""
    return tuple(_split(text))


def parts(text: str) -> list[Part]:
    """Texts, and for each formula its tree and its source: ``{"math": tree, "tex": source}``."""
    return list(_parts(text))


def to_html(text: str) -> Markup:
    """The same as markup, for pages that no script completes."""
    return Markup("").join(escape(part) if isinstance(part, str) else _markup(part["math"]) for part in _parts(text))


def _split(text: str) -> Iterator[Part]:
    end = 0
    for found in _FORMULA.finditer(text):
        source = found[1] or found[2]
        if (tree := _tree(source)) is None:
            continue
        if found.start() > end:
            yield text[end : found.start()]
        yield {"math": tree, "tex": source}
        end = found.end()
    if end < len(text):
        yield text[end:]


def _tree(source: str) -> Tree | None:
    """The tree of a formula; None for what is none, such as the text between two prices."""
    from latex2mathml.converter import convert_to_element

    try:
        return _cleaned(convert_to_element(source), 0)
    except (Exception, RecursionError):  # the converter's errors on arbitrary text are of every kind
        return None


def _cleaned(element: ET.Element, depth: int) -> Tree:
    tag = element.tag.rpartition("}")[2]
    if tag not in _TAGS or depth > _DEEPEST:
        raise ValueError(f"no element of a message: {tag}")
    attributes = {
        name: value for name, value in element.attrib.items() if name in _ATTRIBUTES and _VALUE.fullmatch(value)
    }
    children: list[Any] = [html.unescape(element.text)] if element.text else []
    children += [_cleaned(child, depth + 1) for child in element]
    return [tag, attributes, children]


def _markup(tree: Tree) -> Markup:
    tag, attributes, children = tree
    named = Markup("").join(Markup(' {}="{}"').format(name, value) for name, value in attributes.items())
    inside = Markup("").join(escape(child) if isinstance(child, str) else _markup(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(tag, named, inside)
