"""The Python examples of README.md and the documentation run as tests; what a ``pycon`` block prints is compared."""

from collections.abc import Iterable

import pytest
from sybil import Document, Region, Sybil
from sybil.evaluators.doctest import DocTestEvaluator
from sybil.parsers.abstract.doctest import DocTestStringParser
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser


def console_blocks(document: Document) -> Iterable[Region]:
    """Blocks marked ``pycon``: lines with a prompt, and what they print."""
    examples = DocTestStringParser(DocTestEvaluator())
    for block in CodeBlockParser("pycon", evaluator=lambda example: None)(document):
        for example in examples(block.parsed, document.path):
            example.adjust(block, block.parsed)
            yield example


@pytest.fixture
def no_traces(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Examples leave nothing in the user's own folders."""
    folder = tmp_path_factory.getbasetemp() / "examples"
    monkeypatch.setenv("PAPERWORKS_HOME", str(folder / "home"))
    monkeypatch.setenv("PAPERWORKS_CACHE", str(folder / "cache"))


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), console_blocks],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    fixtures=["no_traces"],
).pytest()
