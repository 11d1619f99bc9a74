"""The lines that a paper's package shows for its use, read without importing the package."""

from __future__ import annotations

import ast
import textwrap
from importlib import resources
from itertools import dropwhile, takewhile

_CODE = ("    ", "\t", ">>>", "...")


def snippet(slug: str) -> str:
    """The first code block of ``paperworks.<slug>.__doc__``; "" where the package has none.

    The file is parsed, never run, so that a report needs none of the paper's packages.
    """
    file = resources.files("paperworks").joinpath(slug, "__init__.py")
    if not file.is_file():
        return ""
    return code_block(ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "")


def code_block(docstring: str) -> str:
    """The first indented (or ``>>>``) block of a docstring, dedented; "" where it has none."""
    lines = dropwhile(lambda line: not line.startswith(_CODE), docstring.splitlines())
    block = takewhile(lambda line: not line.strip() or line.startswith(_CODE), lines)
    return textwrap.dedent("\n".join(block)).strip("\n").rstrip()
