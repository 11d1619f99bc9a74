"""Which files of the package a module stands on: what it imports, read from the source without running any of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

_ROOT = "paperworks"


def closure(package: Path, roots: tuple[str, ...]) -> set[Path]:
    """The source files of ``package`` that importing the modules ``roots`` may run, the roots' own among them.

    ``roots`` are dotted names below the package (``"lmul.experiment"``); one without a file is passed over. Imports
    inside functions count, as does what a lazy package's ``__init__.pyi`` promises. An import by a computed name cannot
    be seen; a test keeps such out of ``lab`` and the papers.
    """
    found: set[Path] = set()
    waiting = [f"{_ROOT}.{root}" for root in roots]
    seen: set[str] = set()
    while waiting:
        if (name := waiting.pop()) in seen:
            continue
        seen.add(name)
        waiting += _parents(name)
        for file in _files(package, name):
            found.add(file)
            waiting += _imports(file, name if file.stem == "__init__" else name.rpartition(".")[0])
    return found


def _parents(name: str) -> list[str]:
    """The packages that are imported before the module ``name``."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]


def _files(package: Path, name: str) -> Iterator[Path]:
    """The files of the module ``name``; none where the name is that of something inside a module."""
    place = package.joinpath(*name.split(".")[1:])
    for file in (place.with_suffix(".py"), place / "__init__.py", place / "__init__.pyi"):
        if file.is_file():
            yield file


@cache
def _imports(file: Path, package: str) -> tuple[str, ...]:
    """The dotted names below our package that ``file``, a module of ``package``, imports or imports from."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # it cannot be run either, and whoever tries is told so
        return ()
    names = [name for node in ast.walk(tree) for name in _imported_by(node, package)]
    return tuple(name for name in names if name == _ROOT or name.startswith(f"{_ROOT}."))


def _imported_by(node: ast.AST, package: str) -> Iterator[str]:
    match node:
        case ast.Import(names=aliases):
            yield from (alias.name for alias in aliases)
        case ast.ImportFrom(module=module, names=aliases, level=level):
            base = resolve_name("." * level + (module or ""), package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in aliases)
        case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(name)), *_]):
            yield resolve_name(name, package)
