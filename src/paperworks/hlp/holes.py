"""Holes in code with what was there: the tasks that come with Python itself."""

from __future__ import annotations

import ast
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from paperworks.lab.corpus import SPLITS, Corpus, Split, standard_library
from paperworks.lab.tiny_lm import RECORD, SHIPPED
from paperworks.lab.weights import recorded

from .cuts import Cut, syntax_nodes

if TYPE_CHECKING:
    from .execution import Execution

__all__ = ["KINDS", "Hole", "Kind", "StdlibFIM", "library_by_shipped_splits", "spans"]

Kind = Literal["line", "span", "block", "control", "call"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_LONGEST = 400
_STRETCH = 16_000
_SPANS_A_FILE = 50
_SPAN_MEAN = 30
_BODIES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.If, ast.For, ast.While, ast.With)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """A file with a hole: what stands before it, what stood in it, what stands after it.

    ``source`` says which file. ``execution``: how a filling is run, where it can be; None where it cannot.
    """

    name: str
    kind: str
    prefix: str
    truth: str
    suffix: str
    source: str = ""
    language: str = "python"
    execution: Execution | None = None

    def filled(self, infill: str) -> str:
        """The file with the hole filled."""
        return self.prefix + infill + self.suffix


@dataclass(frozen=True, kw_only=True)
class StdlibFIM:
    """Holes in files of Python's standard library, each in a stretch of whole statements of at most 16,000 characters.

    ``kind``: a whole "line" with its end; a "span" of characters, 30 in the mean, wherever it falls; a "block", the
    last statements of a body; a "control" expression (of if, while or for); or a "call", an expression that calls. No
    truth is longer than 400 characters. ``split`` is by file, and what the models that come with the package were
    trained on is never in "test", see `library_by_shipped_splits`. Raises ValueError for a kind or split that is none.
    """

    kind: Kind = "line"
    split: Split = "test"
    n: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"there is no kind {self.kind!r}; choose from {', '.join(KINDS)}")
        if self.split not in SPLITS:
            raise ValueError(f"the splits are {', '.join(SPLITS)}, not {self.split!r}")
        if self.n < 1:
            raise ValueError(f"n is how many holes, at least 1, not {self.n}")

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"stdlib-{self.kind}"

    def holes(self) -> list[Hole]:
        """At most ``n`` of them, no file with more than twice its even share; fewer where the split has fewer."""
        rng = np.random.default_rng([self.seed, KINDS.index(self.kind)])
        stretches = _stretches(self.split)
        found = [(place, cut) for place, (*_, text) in enumerate(stretches) for cut in spans(text, self.kind, rng)]
        share = math.ceil(2 * self.n / len({path for path, *_ in stretches}))
        drawn: Counter[str] = Counter()
        holes: list[Hole] = []
        for place, (start, end) in (found[i] for i in rng.permutation(len(found))):
            path, first, text = stretches[place]
            if drawn[path] < share and len(holes) < self.n:
                drawn[path] += 1
                holes.append(cut_out(text, start, end, kind=self.kind, source=path, first=first))
        return sorted(holes, key=lambda hole: hole.name)


@cache
def _stretches(split: Split) -> list[tuple[str, int, str]]:
    """The files of a split in stretches: the path, where it begins (characters), the text."""
    library = library_by_shipped_splits()
    return [
        (file.path, first, text)
        for file in library.split(split)
        for first, text in whole_statements(library.text(file))
    ]


def whole_statements(text: str, longest: int = _STRETCH) -> list[tuple[int, str]]:
    """A file in stretches of whole statements of its top level: where each begins (characters), and the stretch.

    None is longer than ``longest`` characters: a statement that is, is left out.
    """
    nodes = syntax_nodes(text)
    begins = {id(node): start for node, (start, _) in nodes}
    tops = (node for node, _ in nodes if isinstance(node, ast.stmt) and not node.col_offset)
    firsts = (begins[id([*getattr(node, "decorator_list", []), node][0])] for node in tops)
    beginnings = sorted(text.rfind("\n", 0, start) + 1 for start in firsts)
    places = [*dict.fromkeys(place for place in beginnings if place), len(text)]
    found: list[tuple[int, str]] = []
    begin = previous = 0
    for place in places:
        if place - begin > longest:
            found.append((begin, text[begin:previous]))
            begin = previous
        previous = place
    found.append((begin, text[begin:]))
    return [(first, stretch) for first, stretch in found if 0 < len(stretch) <= longest]


def cut_out(
    text: str,
    start: int,
    end: int,
    *,
    kind: str,
    source: str,
    first: int = 0,
    execution: Execution | None = None,
) -> Hole:
    """The hole that is left where ``text[start:end]`` is taken out of what begins at ``first`` in its file."""
    return Hole(
        name=f"{source}:{first + start}-{first + end}",
        kind=kind,
        prefix=text[:start],
        truth=text[start:end],
        suffix=text[end:],
        source=source,
        execution=execution,
    )


@cache
def library_by_shipped_splits() -> Corpus:
    """The running interpreter's library, split as it was for the models that come with the package."""
    record = recorded(SHIPPED, RECORD)
    return standard_library().as_in({path: split for split, paths in record["splits"].items() for path in paths})


def spans(text: str, kind: Kind, rng: np.random.Generator) -> list[Cut]:
    """Where holes of a kind can be cut into a text (characters), none longer than 400."""
    if kind == "line":
        found = _lines(text)
    elif kind == "span":
        found = _random_spans(text, rng)
    else:
        found = _nodes(text, kind)
    return [(start, end) for start, end in found if 0 < end - start <= _LONGEST and text[start:end].strip()]


def _lines(text: str) -> Iterator[Cut]:
    """Every line, its indentation and its end included: what a cursor in an empty line is to fill, and how models are
    trained to fill lines.
    """
    place = 0
    for line in text.splitlines(keepends=True):
        yield place, place + len(line)
        place += len(line)


def _random_spans(text: str, rng: np.random.Generator) -> Iterator[Cut]:
    for _ in range(_SPANS_A_FILE):
        length = 1 + int(rng.exponential(_SPAN_MEAN - 1))
        if length < len(text):
            start = int(rng.integers(len(text) - length))
            yield start, start + length


def _nodes(text: str, kind: Kind) -> Iterator[Cut]:
    nodes = syntax_nodes(text)
    places = {id(node): cut for node, cut in nodes}
    for node, cut in nodes:
        if kind == "call" and isinstance(node, ast.Call):
            yield cut
        elif kind == "control" and isinstance(node, (ast.If, ast.While)):
            yield places[id(node.test)]
        elif kind == "control" and isinstance(node, (ast.For, ast.AsyncFor)):
            yield places[id(node.target)][0], places[id(node.iter)][1]
        elif kind == "block" and isinstance(node, _BODIES):
            yield from _ends_of(node.body, places)


def _ends_of(body: list[ast.stmt], places: dict[int, Cut]) -> Iterator[Cut]:
    """The last one, two and three statements of a body, which is more than a docstring."""
    last = places[id(body[-1])][1]
    for first in body[-3:]:
        if not (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)):
            yield places[id(first)][0], last
