"""The lines that a paper's package shows for its use, read without importing the package."""

from __future__ import annotations

import ast
import textwrap
from importlib import resources
from itertools import dropwhile, takewhile

_INDENTED = ("    ", "\t")
_PROMPT, _GOES_ON = ">>> ", "... "


def snippet(slug: str) -> str:
    """The first code block of ``paperworks.<slug>.__doc__``; "" where the package has none.

    The file is parsed, never run, so that a report needs none of the paper's packages.
    """
    file = resources.files("paperworks").joinpath(slug, "__init__.py")
    if not file.is_file():
        return ""
    return code_block(ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "")


def code_block(docstring: str) -> str:
    r"""The first code block of a docstring: an indented one, or ``>>>`` lines with what they print as comments.

    >>> code_block("Adds.\n\n>>> 1 + 1\n2\n\nMore.")
    '1 + 1\n# 2'
    """
    lines = list(dropwhile(lambda line: not line.startswith((*_INDENTED, _PROMPT)), docstring.splitlines()))
    if lines and lines[0].startswith(_PROMPT):
        return "\n".join(_without_prompt(line) for line in takewhile(str.strip, lines))
    block = takewhile(lambda line: not line.strip() or line.startswith(_INDENTED), lines)
    return textwrap.dedent("\n".join(block)).rstrip()


def _without_prompt(line: str) -> str:
    return line[4:] if line.startswith((_PROMPT, _GOES_ON)) else f"# {line}"
