"""Scores and rules are those by hand."""

from __future__ import annotations

import pytest

from paperworks.hlp import (
    CutSuffixOverlap,
    Hole,
    TruncateToSyntax,
    TruncateToTruthLines,
    ast_equal,
    edit_similarity,
    exact_match,
    repeats_suffix,
)
from paperworks.hlp.rules import RULES, ruled
from paperworks.hlp.scores import parses, repeat_of_suffix


def hole(prefix="", truth="", suffix=""):
    return Hole(name="h", kind="line", prefix=prefix, truth=truth, suffix=suffix)


def test_edit_similarity_by_hand():
    assert edit_similarity("abc", "abd") == pytest.approx(200 / 3)
    assert edit_similarity("ab", "ba") == 0
    assert edit_similarity("ab", "ba", distance="indel") == pytest.approx(50)
    assert edit_similarity("", "") == 100


def test_exact_match_forgives_blanks_at_the_ends_of_lines_only():
    assert exact_match("a \nb\t", "a\nb")
    assert not exact_match(" a", "a")
    assert not exact_match("a\n\nb", "a\nb")
    assert not exact_match("a \nb", "a\nb", strict=True)
    assert exact_match("a \nb", "a \nb", strict=True)


def test_trees_are_equal_whatever_layout_and_comments():
    assert ast_equal("x = (1+2)  # three", "x = 1 + 2")
    assert not ast_equal("x = 1 + 2", "x = 2 + 1")
    assert not ast_equal("x = (", "x = (")
    assert not parses("x = '\0'")


@pytest.mark.parametrize(
    ("infill", "suffix", "place"),
    [
        ("x = 1\nreturn x\n", "\n    return x\n", 6),  # the suffix's first line as a line of its own
        ("foo(a, b)", ", b)\n", 5),  # the end is how the suffix begins
        ("foo(a)", ")\n", None),  # a bracket of both repeats nothing
        ("x = 1\n", "\ny = 2", None),
        ("", "abc", None),
        ("abc", "", None),
    ],
)
def test_where_an_infill_begins_to_repeat_the_suffix(infill, suffix, place):
    assert repeat_of_suffix(infill, suffix) == place


def test_a_repetition_that_the_truth_has_is_none():
    assert repeats_suffix("a\nreturn 1\n", "a\n", "return 1\n")
    assert not repeats_suffix("a\nreturn 1\n", "return 1\n", "return 1\n")


def test_rules_cut_what_they_say():
    assert TruncateToTruthLines()("a\nb\nc\n", hole(truth="x\ny\n")) == "a\nb\n"
    assert TruncateToTruthLines()("a\nb", hole(truth="x")) == "a"
    assert CutSuffixOverlap()("x = 1\nreturn x", hole(suffix="return x\n")) == "x = 1\n"
    assert CutSuffixOverlap()("x = 1", hole(suffix="return x\n")) == "x = 1"


@pytest.mark.parametrize(
    ("infill", "left"),
    [
        ("y = 1\nz = (", "y = 1\n"),  # the last line that lets the file parse
        ("y = 1", "y = 1"),  # nothing to cut
        ("f(a)) + b", "f(a)"),  # within the first line
        ("(\n(\n(", ""),  # nothing but nothing
    ],
)
def test_syntax_leaves_the_longest_beginning_with_which_the_file_parses(infill, left):
    found = TruncateToSyntax()(infill, hole("def f(a, b):\n    pass\n", "", "\nx = 2\n"))
    assert found.strip() == left.strip()


def test_an_infill_that_no_cut_repairs_is_left_as_it_is():
    assert TruncateToSyntax()("y = 1", hole("def (", "", "")) == "y = 1"


def test_rules_follow_one_another():
    given = "x = 1\nreturn x\nmore(\n"
    one = hole("def f():\n", "    x = 1\n    return x\n", "return x\n")
    assert ruled(given, one, ()) == given
    assert ruled(given, one, tuple(RULES.values())) == CutSuffixOverlap()(
        TruncateToSyntax()(TruncateToTruthLines()(given, one), one), one
    )
