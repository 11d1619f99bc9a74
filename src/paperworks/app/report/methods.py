"""The public names of a paper's package, read without importing the package."""

from __future__ import annotations

import ast
from importlib import resources


def methods(slug: str) -> tuple[str, ...]:
    """The names that ``paperworks.<slug>`` offers, in the order of its stub; none where it has no stub.

    The stub is parsed, never run, so that a report needs none of the paper's packages.
    """
    stub = resources.files("paperworks").joinpath(slug, "__init__.pyi")
    return public_names(stub.read_text(encoding="utf-8")) if stub.is_file() else ()


def public_names(stub: str) -> tuple[str, ...]:
    """The names that the text of a stub imports for others.

    >>> public_names("from .multiply import mul as mul\\nfrom .multiply import _low as _low")
    ('mul',)
    """
    imports = [node for node in ast.parse(stub).body if isinstance(node, ast.ImportFrom)]
    names = (alias.asname or alias.name for node in imports for alias in node.names)
    return tuple(name for name in names if not name.startswith("_"))
