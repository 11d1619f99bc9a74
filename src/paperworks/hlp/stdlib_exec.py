"""Holes in modules of Python's standard library whose doctests tell whether a filling is right."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from paperworks.core import UserError
from paperworks.lab.corpus import SourceFile

from .cuts import Cut, syntax_nodes
from .execution import Doctests, doctest_script, passed, run_all
from .holes import Hole, Kind, cut_out, library_by_shipped_splits, spans

__all__ = ["StdlibExec"]

_KINDS: tuple[Kind, ...] = ("block", "control", "call")
_NOTHING = {"block": "pass", "control": "False", "call": "None"}
_TRIED_FOR_ONE = 4
"""Candidates a hole: of many the doctests do not notice that they are gone."""
_MARK = ">>> "


@dataclass(frozen=True, kw_only=True)
class StdlibExec:
    """Nodes taken out of functions that have doctests.

    A hole belongs to it if the module's doctests pass as it stands, and fail with ``pass``, ``False`` or ``None`` in
    the node's place. Modules that packages are made of are left out, as they cannot be loaded alone.
    ``held_out``: only files that the models of the package were not trained on.
    """

    n: int = 40
    seed: int = 0
    held_out: bool = True

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"n is how many holes, at least 1, not {self.n}")

    @property
    def name(self) -> str:
        """What tables call it."""
        return "stdlib-exec"

    def holes(self, progress: Callable[[str, int, int], None] | None = None) -> list[Hole]:
        """At most ``n`` of them. Raises UserError where no module's doctests pass on this Python."""
        library = library_by_shipped_splits()
        texts = {file.path: library.text(file) for file in library.files if self._may_be_asked(file)}
        texts = {path: text for path, text in texts.items() if text.count(_MARK) > 1}
        found = run_all([doctest_script(_module(path), text) for path, text in texts.items()], progress=progress)
        values = dict(zip(texts, (result.value for result in found), strict=True))
        sound = {path: value[1] for path, value in values.items() if value and not value[0] and value[1]}
        if not sound:
            raise UserError("no module of this Python's library has doctests that pass in the sandbox")
        rng = np.random.default_rng([self.seed, len(sound)])
        candidates = [
            hole for path, examples in sound.items() for hole in _candidates(texts[path], path, examples, rng)
        ]
        drawn = rng.permutation(len(candidates))[: _TRIED_FOR_ONE * self.n]
        tried = [candidates[i] for i in drawn]
        empty = passed(tried, [_NOTHING[hole.kind] for hole in tried], progress=progress)
        missed = [hole for hole, passes in zip(tried, empty, strict=True) if not passes]
        return sorted(missed[: self.n], key=lambda hole: hole.name)

    def _may_be_asked(self, file: SourceFile) -> bool:
        return "/" not in file.path and not (self.held_out and file.split == "train")


def _module(path: str) -> str:
    return PurePosixPath(path).stem


def _candidates(text: str, path: str, examples: int, rng: np.random.Generator) -> list[Hole]:
    tested = _functions_with_doctests(text)
    execution = Doctests(module=_module(path), examples=examples)
    return [
        cut_out(text, start, end, kind=kind, source=path, execution=execution)
        for kind in _KINDS
        for start, end in spans(text, kind, rng)
        if any(first <= start and end <= last for first, last in tested) and _MARK not in text[start:end]
    ]


def _functions_with_doctests(text: str) -> list[Cut]:
    """Functions whose docstring has examples, and those of classes whose docstring has."""
    return [
        cut
        for node, cut in syntax_nodes(text)
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and _MARK in (ast.get_docstring(node) or "")
    ]
