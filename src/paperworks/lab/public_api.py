"""The public names of a package, imported when they are first used.

A paper's ``__init__.py`` holds its docstring and::

    from paperworks.lab.public_api import attach

    __getattr__, __dir__, __all__ = attach(__name__, __file__)

What is public stands in the ``__init__.pyi`` beside it, which type checkers read too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import lazy_loader

from paperworks.core.errors import MissingExtra

_HOUSE = "paperworks"


def attach(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """``__getattr__``, ``__dir__`` and ``__all__`` for the package whose ``__init__.py`` is ``file``.

    The names are those that ``__init__.pyi`` imports with ``from .module import name``. Using one imports its module;
    where that needs a package that is not installed, the error is `MissingExtra` and names the extra that brings it.
    Any other error of that import, a mistake of our own among them, is raised as it is.

    Raises ValueError where the stub is absent or imports from outside the package.
    """
    load, listing, names = lazy_loader.attach_stub(package, file)
    who = package.rpartition(".")[2]

    def __getattr__(name: str) -> Any:  # noqa: N807  (the module's own hook)
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=sys.modules[package])
        try:
            return load(name)
        except ModuleNotFoundError as error:
            if (absent := absent_package(error)) is None:
                raise
            raise MissingExtra(who, absent) from error
        except MissingExtra as error:
            if error.who != "lab":
                raise
            raise MissingExtra(who, error.package) from error  # the paper's extra brings what lab needs

    return __getattr__, listing, names


def absent_package(error: ModuleNotFoundError) -> str | None:
    """The third-party package that an import missed; None where the mistake is ours, Python's or that package's own."""
    top = (error.name or "").partition(".")[0]
    if not top or top == _HOUSE or top in sys.stdlib_module_names or _is_installed(top):
        return None
    return top


def _is_installed(top: str) -> bool:
    try:
        return find_spec(top) is not None
    except ValueError:  # sys.modules has it without a spec, or as None where an import was forbidden
        return sys.modules.get(top) is not None
