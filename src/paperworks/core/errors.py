"""The two errors that a person can mend: wrong input, and a package that is not installed."""

from __future__ import annotations


class UserError(ValueError):
    """Input that a person gave is wrong; the message says in one sentence what is wrong and what would be right."""


class MissingExtra(ImportError):
    """A paper, or a part of the house, needs a package that is not installed.

    ``who`` is what was asked for (``"lmul"``, ``"the report"``), ``package`` the module that is absent, and ``extra``
    the extra that brings it; without ``extra`` it is the one named like ``who``.
    """

    def __init__(self, who: str, package: str, extra: str | None = None) -> None:
        self.who = who
        self.package = package
        self.extra = extra or who.replace("_", "-")
        super().__init__(f"{who} needs {package}: pip install 'paperworks[{self.extra}]'", name=package)

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[str, str, str]]:
        return type(self), (self.who, self.package, self.extra)
