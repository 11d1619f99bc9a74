"""Where the middle is taken out: at characters, lines or nodes of the syntax tree."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Mapping
from itertools import accumulate

import numpy as np

__all__ = ["SPLITS", "Cut", "cut_char", "cut_line", "cut_syntax", "syntax_nodes", "syntax_spans"]

Cut = tuple[int, int]


def cut_char(text: str, rng: np.random.Generator) -> Cut:
    """Two places among the characters, uniformly and never the same: the middle is not empty."""
    low, high = sorted(rng.choice(len(text) + 1, 2, replace=False).tolist())
    return low, high


def cut_line(text: str, rng: np.random.Generator) -> Cut:
    """Whole lines, from one line's beginning to another's; characters where there is one line only."""
    beginnings = [0, *accumulate(map(len, text.splitlines(keepends=True)))]
    if len(beginnings) < 3:
        return cut_char(text, rng)
    low, high = sorted(rng.choice(len(beginnings), 2, replace=False).tolist())
    return beginnings[low], beginnings[high]


def cut_syntax(text: str, rng: np.random.Generator) -> Cut:
    """One node of the Python syntax tree, each as likely; lines where the text is no Python."""
    spans = syntax_spans(text)
    if not spans:
        return cut_line(text, rng)
    return spans[int(rng.integers(len(spans)))]


def syntax_spans(text: str) -> list[Cut]:
    """Begin and end (characters) of every statement and expression; empty where the text does not parse."""
    return [span for _, span in syntax_nodes(text)]


def syntax_nodes(text: str) -> list[tuple[ast.stmt | ast.expr, Cut]]:
    """Every statement and expression with its begin and end (characters); empty where the text does not parse.

    ``ast`` counts columns in bytes of UTF-8, and its lines end at line feeds and carriage returns only.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return []
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)
    beginnings = [0, *accumulate(map(len, lines))]

    def place(line: int, column: int) -> int:
        return beginnings[line - 1] + len(lines[line - 1].encode()[:column].decode())

    nodes = (node for node in ast.walk(tree) if isinstance(node, (ast.stmt, ast.expr)))
    return [
        (
            node,
            (place(node.lineno, node.col_offset), place(node.end_lineno or node.lineno, node.end_col_offset or 0)),
        )
        for node in nodes
    ]


SPLITS: Mapping[str, Callable[[str, np.random.Generator], Cut]] = {
    "char": cut_char,
    "line": cut_line,
    "syntax": cut_syntax,
}
