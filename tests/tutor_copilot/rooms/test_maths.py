"""Mathematics in messages: what is a formula, what stays text, and that nothing else ever comes of it."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperworks.tutor_copilot.rooms import maths

PIECES = [
    "$",
    "\\(",
    "\\)",
    "{",
    "}",
    "^",
    "_",
    "&",
    "<",
    "\\frac",
    "\\sqrt",
    "\\text",
    "\\href",
    "\\left",
    "\\begin{array}",
]


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("no mathematics", "no mathematics"),
        ("from $5 to $6", "from $5 to $6"),
        ("$5 and 6 $", "$5 and 6 $"),
        ("a < b & c", "a &lt; b &amp; c"),
        ("$x$", '<math display="inline"><mrow><mi>x</mi></mrow></math>'),
        (r"\(2\)", '<math display="inline"><mrow><mn>2</mn></mrow></math>'),
        (
            r"is $\sqrt{2}$?",
            'is <math display="inline"><mrow><msqrt><mrow><mn>2</mn></mrow></msqrt></mrow></math>?',
        ),
    ],
)
def test_what_is_a_formula_and_what_stays_text(text, markup):
    assert maths.to_html(text) == markup


def test_a_formula_that_is_too_long_or_broken_stays_text():
    for text in ("$" + "x" * 201 + "$", r"$\right)$", "$" + "{" * 100 + "$"):
        assert maths.parts(text) == [text]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=30).map("".join))
def test_nothing_is_lost_and_nothing_but_listed_elements_comes_of_any_text(text):
    parts = maths.parts(text)
    said = "".join(part if isinstance(part, str) else part["tex"] for part in parts)
    assert [c for c in text if c not in "$\\()"] == [c for c in said if c not in "$\\()"]
    for part in parts:
        if not isinstance(part, str):
            assert_listed(part["math"])
    readable = "".join(
        c if c == "\n" or (c >= " " and not 0xD800 <= ord(c) <= 0xDFFF and c < "\ufffe") else "?" for c in text
    )
    ET.fromstring(f"<p>{maths.to_html(readable)}</p>")


def assert_listed(tree: list[Any]) -> None:
    tag, attributes, children = tree
    assert tag.startswith("m")
    assert not {"href", "style", "class", "id"} & set(attributes)
    assert not [name for name in attributes if name.startswith("on")]
    for child in children:
        if not isinstance(child, str):
            assert_listed(child)
