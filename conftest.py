"""The Python examples of README.md and the documentation run as tests; what a ``pycon`` block prints is compared."""

from collections.abc import Iterable

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


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), console_blocks],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
).pytest()
