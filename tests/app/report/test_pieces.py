"""The parts of a page by themselves: the drawing, the words, the tables, the snippet, the figures."""

import base64
import doctest
import math
import xml.etree.ElementTree as ET
from importlib import import_module

import pytest

from paperworks.app.evidence import Figure
from paperworks.app.report import words
from paperworks.app.report.figures import data_url
from paperworks.app.report.rows import table
from paperworks.app.report.snippet import code_block, snippet
from paperworks.app.report.strip import strip
from paperworks.core import Claim, Measurement, Verdict, at_least, at_most, between, papers


def measurement(low, value, high, **more):
    settings = {"claim": "C1", "interval": "seeds", "n": 3, "scale": "same", "setting": "s"} | more
    return Measurement(value=value, low=low, high=high, **settings)


@pytest.mark.parametrize("judge", [at_least(95, null=0), at_most(1, null=1), between(0.8, 1.25), at_least(2, null=1)])
@pytest.mark.parametrize("ends", [(-3.0, 1.0, 2.0), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (96.0, 97.0, 1e3)])
def test_the_drawing_shows_intervals_and_range_where_they_are(judge, ends):
    drawing = strip(judge, {"yours": measurement(*ends)})
    bar = drawing.bars[0]
    assert 0 < bar.left <= bar.at <= bar.right < 100, "an interval is never cut off at the edge"
    assert drawing.left < drawing.right
    inside = drawing.left <= bar.left and bar.right <= drawing.right
    assert inside == judge.contains(ends[0], ends[2])
    if math.isinf(judge.high):
        assert drawing.right == 100
    if math.isinf(judge.low):
        assert drawing.left == 0
    if judge.null is not None:
        assert (bar.left <= drawing.null <= bar.right) == judge.touches_null(ends[0], ends[2])


def test_the_axis_has_a_few_round_numbers():
    texts = [tick.text for tick in strip(between(0.8, 1.25), {"yours": measurement(0.98, 0.99, 1.0)}).ticks]
    assert texts == ["0.8", "0.9", "1.0", "1.1", "1.2"] or texts == ["0.8", "1.0", "1.2"]
    for scale in (1e-6, 1.0, 1e5):
        ticks = strip(at_least(scale), {"yours": measurement(scale, 1.5 * scale, 2 * scale)}).ticks
        assert 2 <= len(ticks) <= 6
        assert len({tick.text for tick in ticks}) == len(ticks)


def test_without_a_result_there_is_no_drawing():
    assert strip(at_least(1), {}) is None


@pytest.mark.parametrize(
    ("judge", "text"),
    [
        (at_least(95, null=0), "holds if the whole interval is at least 95, partly if it is above 0 (no effect)"),
        (at_most(1, null=1), "holds if the whole interval is below 1"),
        (at_least(0, null=0), "holds if the whole interval is above 0"),
        (at_most(0.07), "holds if the whole interval is at most 0.07"),
        (between(0.8, 1.25), "holds if the whole interval lies between 0.8 and 1.25"),
        (at_most(0.5, null=1), "holds if the whole interval is at most 0.5, partly if it is below 1 (no effect)"),
        (between(0, 2, null=0), "holds if the whole interval is above 0 and at most 2"),
    ],
)
def test_a_judge_in_words(judge, text):
    claim = Claim(id="C1", says="s", metric="m", setting="s", source="s", judge=judge)
    assert words.judged_by(claim) == text


def test_the_headline_counts_in_a_sentence():
    counts = dict.fromkeys(Verdict, 0)
    assert words.headline(counts) == "No claim has been measured yet."
    counts |= {Verdict.HOLDS: 6, Verdict.PARTLY: 1, Verdict.FAILS: 2, Verdict.UNTESTED: 5}
    assert words.headline(counts).replace("\xa0", " ") == "Of 9 claims measured, 6 hold, 1 holds in part and 2 fail."
    alone = dict.fromkeys(Verdict, 0) | {Verdict.FAILS: 1}
    assert words.headline(alone).replace("\xa0", " ") == "One claim was measured: 1 fails."


def test_rows_become_columns_in_the_order_they_first_occur():
    made = table(
        [{"bits": 4, "rms_error": 0.0359}, {"bits": 3.0, "note": "carry", "rms_error": None}], title="t", is_open=True
    )
    assert made.columns == ("bits", "rms error", "note")
    assert made.numeric == (True, True, False)
    assert made.rows == (("4", "0.0359", "–"), ("3", "–", "carry"))


def test_the_snippet_is_the_first_code_block():
    assert (
        code_block("Adds.\n\nUse it::\n\n    import a\n\n    a.b()\n\nMore.\n\n    not this\n") == "import a\n\na.b()"
    )
    assert code_block("Adds.\n\n>>> for i in x:\n...     f(i)\n1\n2\n\nMore") == "for i in x:\n    f(i)\n# 1\n# 2"
    assert code_block("Only words.") == ""
    assert snippet("no_such_paper") == ""


@pytest.mark.parametrize("slug", list(papers()))
def test_every_paper_shows_a_snippet_that_is_python(slug):
    compile(snippet(slug), slug, "exec")
    assert f"import {slug}" in snippet(slug) or f"paperworks.{slug}" in snippet(slug)


def test_an_svg_is_an_image_that_carries_the_colours_of_the_page():
    url = data_url(Figure(alt="a", svg='<?xml version="1.0"?><svg viewBox="0 0 9 9"><path d="M0 0h9" a=">"/></svg>'))
    head, _, body = url.partition(",")
    assert head == "data:image/svg+xml;base64"
    root = ET.fromstring(base64.b64decode(body))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    style = root[0].text
    assert "--grid" in style
    assert "prefers-color-scheme: dark" in style


def test_a_png_can_only_be_base64():
    assert data_url(Figure(alt="a", png_base64='iVBOR"><script>')) == "data:image/png;base64,iVBORscript"


@pytest.mark.parametrize("name", [f"paperworks.app.report.{name}" for name in ("methods", "numbers", "snippet")])
def test_the_examples_in_the_docstrings_are_true(name):
    failed, attempted = doctest.testmod(import_module(name))
    assert attempted > 0
    assert failed == 0
