"""The tables of README and the docs, made from what was measured and published, and never typed.

``python -m paperworks.app.tables`` writes them into the pages of a source tree, between markers::

    <!-- generated: papers -->
    <!-- /generated -->

``papers`` is the table of all papers, ``claims lmul`` the table of one paper's claims, ``faults`` that of the faults
which the long tests survived, from their published log. With ``--check`` nothing is
written, and the exit status is 1 where a page and the evidence disagree.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from paperworks.core import Paper, Published, UserError, Verdict, papers, slug_of
from paperworks.lab.disk import write_atomically

from .console import MARKS
from .evidence import Evidence
from .report.choice import Chosen, choose
from .report.numbers import plain, shown
from .store import published

_START = "<!-- generated:"
_BLOCK = re.compile(r"<!-- generated: ([a-z]+)(?: (\S+))? -->\n(.*?)<!-- /generated -->", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A source tree whose pages are generated, and where its papers and their published evidence come from."""

    root: Path
    of: Mapping[str, Paper] = field(default_factory=papers)
    runs_of: Callable[[str], Mapping[str, Evidence]] = published

    def pages(self) -> list[Path]:
        """README.md and every page of docs."""
        return [page for page in (self.root / "README.md", *sorted(self.root.glob("docs/**/*.md"))) if page.is_file()]


def papers_table(tree: Tree, page: Path) -> str:
    """Every paper with its field and how many of its claims came to which verdict, as Markdown for ``page``."""
    rows = [
        [
            f"[{_cell(paper.title)}]({_link(tree, paper, page)})",
            f"`{slug}`",
            _cell(paper.field),
            _counts(_chosen(tree, slug)),
        ]
        for slug, paper in tree.of.items()
    ]
    return _markdown(("Paper", "Import", "Field", "Published verdicts"), rows)


def claims_table(tree: Tree, slug: str) -> str:
    """Each claim of a paper, its numbers, what was measured and the verdict, as Markdown."""
    rows = [
        [
            f"**{one.claim.id}** {_cell(one.claim.says)}",
            "<br>".join(_published(cell) for cell in one.claim.published) or "no number",
            _measured(one),
            _verdict(one),
        ]
        for one in _chosen(tree, slug)
    ]
    return _markdown(("Claim", "The paper", "Measured (published run)", "Verdict"), rows)


def faults_table(tree: Tree) -> str:
    """The faults that the long tests injected and how each came out, as they stand in the published log.

    Raises UserError where there is no log, or no table in it.
    """
    log = tree.root / "docs" / "long-tests.log"
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True) if log.is_file() else []
    table = [line for line in lines if line.startswith("| ")]
    if not table:
        raise UserError(f"{log} has no table of faults: `make test-long` writes it")
    return "".join(table)


def refreshed(tree: Tree, page: Path) -> str:
    """The text of ``page`` with its generated tables made anew.

    Raises UserError where a marker has no end, or asks for a table or a paper that does not exist.
    """
    text = page.read_text(encoding="utf-8")
    blocks = list(_BLOCK.finditer(text))
    if text.count(_START) != len(blocks) or any(_START in block[3] for block in blocks):
        raise UserError(f"{page} has a line '{_START} ... -->' that is not closed by '<!-- /generated -->'")
    return _BLOCK.sub(partial(_block, tree, page), text)


def outdated(tree: Tree) -> list[Path]:
    """The pages whose tables are not what the published evidence says."""
    return [page for page in tree.pages() if refreshed(tree, page) != page.read_text(encoding="utf-8")]


def update(tree: Tree, *, check: bool = False) -> int:
    """Write the tables, or with ``check`` only say which pages are outdated; the exit status.

    Raises UserError where there is no page, or a page has a wrong marker.
    """
    if not tree.pages():
        raise UserError(f"{tree.root.absolute()} has neither README.md nor docs: name the source tree")
    changed = outdated(tree)
    for page in changed:
        if not check:
            write_atomically(page, refreshed(tree, page).encode())
            page.chmod(0o644)
        print(f"{page}: {'outdated, run python -m paperworks.app.tables' if check else 'written'}")
    return 1 if check and changed else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command ``python -m paperworks.app.tables``; the exit status, 2 where its input is wrong."""
    parser = argparse.ArgumentParser(prog="python -m paperworks.app.tables", description="Tables of README and docs.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a page is outdated")
    parser.add_argument("root", nargs="?", type=Path, default=Path(), help="the source tree (default: this folder)")
    options = parser.parse_args(arguments)
    try:
        return update(Tree(root=options.root), check=options.check)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2


def _block(tree: Tree, page: Path, block: re.Match[str]) -> str:
    what, name = block[1], block[2]
    start = block[0].split("\n", 1)[0]
    if what == "papers" and name is None:
        table = papers_table(tree, page)
    elif what == "claims" and name is not None:
        table = claims_table(tree, _slug(tree, name))
    elif what == "faults" and name is None:
        table = faults_table(tree)
    else:
        raise UserError(f"{page}: '{start}' asks for no table; there are 'papers', 'claims SLUG' and 'faults'")
    return f"{start}\n\n{table}\n<!-- /generated -->"


def _slug(tree: Tree, name: str) -> str:
    return name if name in tree.of else slug_of(name)


def _chosen(tree: Tree, slug: str) -> list[Chosen]:
    runs = tree.runs_of(slug)
    return [choose(claim, runs) for claim in tree.of[slug].claims]


def _link(tree: Tree, paper: Paper, page: Path) -> str:
    """The paper's page in the docs, seen from ``page``; its page on arXiv where the docs have none."""
    own = tree.root / "docs" / "papers" / f"{paper.slug}.md"
    return Path(os.path.relpath(own, page.parent)).as_posix() if own.is_file() else paper.url


def _counts(chosen: Sequence[Chosen]) -> str:
    counts = Counter(one.verdict for one in chosen if not one.stand_in)
    parts = [f"{MARKS[verdict][0]} {counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]]
    if stand_ins := sum(one.stand_in for one in chosen):
        parts.append(f"{stand_ins} on stand-ins")
    return ", ".join(parts)


def _published(cell: Published) -> str:
    number = "" if cell.value is None else plain(cell.value, cell.unit, digits=8)
    said = ": ".join(part for part in (cell.label, number) if part)
    return _cell(f"{said} ({cell.note})" if said and cell.note else said or cell.note)


def _measured(one: Chosen) -> str:
    if one.measurement is None:
        return _cell(one.reason)
    return _cell(f"{shown(one.measurement, one.claim.judge)} ({one.preset} run: {one.measurement.setting})")


def _verdict(one: Chosen) -> str:
    solid, hollow, _ = MARKS[one.verdict]
    return f"{hollow} {one.verdict}, on a stand-in" if one.stand_in else f"{solid} {one.verdict}"


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(text: str) -> str:
    """Text that stays one cell, and stays text: no pipes, line breaks or markup of its own."""
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", re.sub(r"[\r\n]+", " ", text))


if __name__ == "__main__":
    sys.exit(main())
