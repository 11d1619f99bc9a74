"""``paperworks new``: the folder of the next paper, its tests and page, and its lines in the files that list papers."""

from __future__ import annotations

import json
import keyword
import re
import secrets
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from string import Template

from paperworks.core import Claim, Paper, UserError
from paperworks.lab.disk import write_atomically

_TEMPLATES = resources.files("paperworks.app") / "templates" / "new"
_SOURCE = ("__init__.py", "__init__.pyi", "paper.py", "experiment.py")
_WIDTH = 100
_TAKEN = frozenset(
    ["core", "lab", "app", "list", "show", "run", "bench", "compare", "report", "publish", "new", "version", "digest"]
)
"""Folders of the house, and the commands that a paper's own would hide."""


def sketched(slug: str, arxiv: str, *, title: str, authors: tuple[str, ...], field: str, gist: str) -> Paper:
    """A paper whose claims are still to be written down.

    Raises UserError, in one sentence, for a slug or an arXiv id that cannot be one, and for a text that is blank.
    """
    slug = slug.strip().lower().replace("-", "_")
    if slug in _TAKEN or keyword.iskeyword(slug):
        raise UserError(f"{slug!r} means something else here already: give the paper another short name")
    claim = Claim(id="C1", says="s", metric="m", setting="s", source="s", untestable="it is not written down yet")
    try:
        return Paper(slug=slug, arxiv=arxiv, title=title, authors=authors, field=field, gist=gist, claims=(claim,))
    except ValueError as error:
        raise UserError(str(error)) from error


def create(about: Paper, root: Path) -> list[Path]:
    """Write the paper into the source tree ``root``: its folder, test, page and lines in lists; the paths written.

    The folder comes last and whole; until it is there no paper is, and what went wrong before is undone. Raises
    UserError where something of that name exists, or a list is not as it was expected to be, and OSError.
    """
    folder = root / "src" / "paperworks" / about.slug
    texts = _texts(about)
    pages = {
        root / "tests" / about.slug / "test_experiment.py": texts["test_experiment.py"],
        root / "docs" / "papers" / f"{about.slug}.md": texts["page.md"],
    }
    if there := [path for path in (folder, *pages) if path.exists()]:
        raise UserError(f"{there[0]} exists already: choose another slug, or remove it")
    lists = {root / name: _with_lines(root / name, about) for name in _LINES}
    before = {path: path.read_bytes() for path in lists}
    try:
        for path, text in (pages | lists).items():
            _write(path, text.encode())
        _write_whole(folder, {name: texts[name] for name in _SOURCE})
    except BaseException:
        for path in pages:
            path.unlink(missing_ok=True)
        for path, data in before.items():
            _write(path, data)
        raise
    return [*(folder / name for name in _SOURCE), *pages, *lists]


def write_tables(root: Path) -> None:
    """Make the generated tables of ``root`` anew, in a process that knows the new paper."""
    subprocess.run([sys.executable, "-m", "paperworks.app.tables", str(root)], check=True, stdout=subprocess.DEVNULL)


def _texts(about: Paper) -> dict[str, str]:
    fields = {
        "slug": about.slug,
        "title": about.title,
        "arxiv": about.arxiv,
        "gist": about.gist,
        "url": about.url,
        "authors": ", ".join(about.authors),
        "py_title": _python(about.title),
        "py_authors": _python(about.authors),
        "py_field": _python(about.field),
        "py_gist": _python(about.gist),
        "docstring": _docstring(about.gist),
    }
    return {
        name: Template((_TEMPLATES / f"{name}.txt").read_text(encoding="utf-8")).substitute(fields)
        for name in (*_SOURCE, "test_experiment.py", "page.md")
    }


def _python(value: str | tuple[str, ...]) -> str:
    """``value`` as an argument of a call indented once, laid out as the formatter does."""
    if isinstance(value, str):
        lines = [_literal(part) for part in _parts(value)]
        separator, one_line = "", lines[0]
    else:
        lines = [_literal(text) for text in value]
        separator, one_line = ",", f"({', '.join(lines)}{',' if len(lines) == 1 else ''})"
    if len(one_line) <= _WIDTH and (separator or len(lines) == 1):
        return one_line
    return "(\n" + "".join(f"        {line}{separator}\n" for line in lines) + "    )"


def _parts(text: str) -> list[str]:
    """``text`` cut at spaces into pieces of at most a line."""
    found = textwrap.wrap(text, _WIDTH, drop_whitespace=False, break_long_words=False, break_on_hyphens=False)
    return found or [text]


def _literal(text: str) -> str:
    return repr(text) if '"' in text or not text.isprintable() else json.dumps(text, ensure_ascii=False)


def _docstring(text: str) -> str:
    said = text.replace("\\", "\\\\").replace('"', "'")
    return f'"""{textwrap.fill(said, _WIDTH)}"""'


_LINES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "pyproject.toml": (
        (r"^(gpu = \[)", r'{extra} = ["paperworks[lab]"]\n\1'),
        (r'^(all = \["paperworks\[[^\]]+)(\]"\])', r"\1,{extra}\2"),
        (r'^(layers = \["paperworks\.app", "[^"]+)(", "paperworks\.lab")', r"\1 | paperworks.{slug}\2"),
        (r'^(forbidden_modules = \["paperworks\.[^\]]+)(\])', r'\1, "paperworks.{slug}"\2'),
    ),
    "mkdocs.yml": ((r"^(  - Papers:\n(?:      - .*\n)+)", r"\1      - {title}: papers/{slug}.md\n"),),
    "CITATION.cff": (
        (
            r"\Z",
            r"  - type: article\n    title: {title}\n    authors:\n{authors}"
            r'    doi: 10.48550/arXiv.{arxiv}\n    url: "{url}"\n    notes: "paperworks.{slug}"\n',
        ),
    ),
    "CHANGELOG.md": ((r"^(### Added\n\n)", r"\1- **{plain}** (arXiv {arxiv}), `paperworks.{slug}`.\n"),),
}
"""The files that list papers: a pattern that is found once in each, and what stands in its place afterwards."""


def _with_lines(path: Path, about: Paper) -> str:
    """The text of the list ``path`` with the lines of the new paper."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be read, and a new paper belongs into it: {error.strerror}") from error
    fields = {
        "slug": about.slug,
        "extra": about.command,
        "arxiv": about.arxiv,
        "url": about.url,
        "plain": about.title,
        "title": json.dumps(about.title),
        "authors": "".join(f"      - name: {json.dumps(author)}\n" for author in about.authors),
    }
    for pattern, instead in _LINES[path.name]:
        line = re.search(pattern, text, re.MULTILINE)
        if line is None:
            raise UserError(f"{path} has no place for a new paper: no line there is like {pattern}")
        filled = re.sub(r"\{(\w+)\}", lambda field: fields[field[1]], line.expand(instead))
        text = text[: line.start()] + filled + text[line.end() :]
    return text


def _write_whole(folder: Path, files: Mapping[str, str]) -> None:
    beside = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}")
    try:
        for name, text in files.items():
            _write(beside / name, text.encode())
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _write(path: Path, data: bytes) -> None:
    write_atomically(path, data)
    path.chmod(0o644)
