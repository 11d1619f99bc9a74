"""Holes leave the rest of a file as it was, come from files that no shipped model saw, and are run in the sandbox."""

from __future__ import annotations

import numpy as np
import pytest

from paperworks.hlp import Hole, StdlibExec, StdlibFIM
from paperworks.hlp.execution import Assertions, Doctests, PrintingProgram, passed
from paperworks.hlp.holes import KINDS, library_by_shipped_splits, spans, whole_statements
from paperworks.hlp.scores import parses
from paperworks.lab import tiny_lm
from paperworks.lab.weights import recorded

TRAP = '''def café(é, n):
    """Doc."""
    if é == "漢字" and n > 0: return f(é, g(n))
    for ü in range(n):
        x = 1
        y = h(ü)
    while n:
        n -= 1
'''


def cut(text, kind):
    return [text[start:end] for start, end in spans(text, kind, np.random.default_rng(0))]


def test_nodes_are_cut_by_characters_though_the_tree_counts_bytes():
    assert cut(TRAP, "control") == ['é == "漢字" and n > 0', "ü in range(n)", "n"]
    assert set(cut(TRAP, "call")) == {"f(é, g(n))", "g(n)", "range(n)", "h(ü)"}
    assert "return f(é, g(n))" in cut(TRAP, "block")
    assert "x = 1\n        y = h(ü)" in cut(TRAP, "block")
    assert "    x = 1" not in cut(TRAP, "block")
    assert '"""Doc."""' not in "".join(cut(TRAP, "block"))
    assert "        x = 1\n" in cut(TRAP, "line")


@pytest.mark.parametrize("kind", KINDS)
def test_every_hole_filled_with_its_truth_is_the_file(kind):
    library = library_by_shipped_splits()
    texts = {file.path: library.text(file) for file in library.split("test")}
    holes = StdlibFIM(kind=kind, n=60).holes()
    assert len(holes) == len({hole.name for hole in holes}) == 60
    for hole in holes:
        first, _, _ = hole.name.rpartition(":")[2].partition("-")
        whole = hole.filled(hole.truth)
        assert texts[hole.source].find(whole) == int(first) - len(hole.prefix)
        assert len(whole) <= 16_000
        assert parses(whole)
    assert all(0 < len(hole.truth) <= 400 and hole.truth.strip() for hole in holes)
    counts = [sum(hole.source == path for hole in holes) for path in texts]
    assert max(counts) <= -(-2 * 60 // len(texts))
    assert holes == StdlibFIM(kind=kind, n=60).holes()
    assert holes != StdlibFIM(kind=kind, n=60, seed=1).holes()


def test_a_file_is_parted_between_statements_of_its_top_level():
    text = "# first\nx = 1\n\n@wraps\ndef f():\n    pass\ny = 2; z = 3\n" + "w = 4\n" * 3
    stretches = whole_statements(text, longest=40)
    assert "".join(stretch for _, stretch in stretches) == text
    assert all(text[first:].startswith(stretch) and parses(stretch) for first, stretch in stretches)
    assert len(stretches) > 1
    long = "class A:\n" + "    x = 1\n" * 9
    assert whole_statements(f"a = 1\n{long}b = 2\n", longest=40) == [(0, "a = 1\n"), (6 + len(long), "b = 2\n")]


def test_what_is_asked_was_in_no_training():
    trained_on = set(recorded(tiny_lm.SHIPPED, tiny_lm.RECORD)["splits"]["train"])
    for split in ("validation", "test"):
        assert not trained_on & {hole.source for hole in StdlibFIM(split=split, n=100).holes()}


def test_holes_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="no kind 'word'"):
        StdlibFIM(kind="word")
    with pytest.raises(ValueError, match="the splits are"):
        StdlibFIM(split="held-out")
    with pytest.raises(ValueError, match="at least 1"):
        StdlibFIM(n=0)


@pytest.fixture(scope="module")
def executed():
    return StdlibExec(n=6).holes()


def test_doctests_pass_with_the_truth_and_fail_with_nothing(executed):
    assert len(executed) == 6
    assert passed(executed, [hole.truth for hole in executed], workers=1) == [True] * 6
    nothing = {"block": "pass", "control": "False", "call": "None"}
    assert passed(executed, [nothing[hole.kind] for hole in executed], workers=1) == [False] * 6
    assert {hole.source for hole in executed} <= {
        file.path for file in library_by_shipped_splits().files if file.split != "train"
    }


MODULE = '''def double(x):
    """
    >>> double(2)
    4
    """
    return 2 * x
'''


def doubling(examples=1):
    prefix, _, suffix = MODULE.partition("2 * x")
    execution = Doctests(module="doubling", examples=examples)
    return Hole(name="h", kind="call", prefix=prefix, truth="2 * x", suffix=suffix, execution=execution)


@pytest.mark.parametrize(
    ("infill", "passes"),
    [
        ("2 * x", True),
        ("x + x  # another way", True),
        ("x", False),
        ("2 * (", False),  # no Python
        ("2 * x if not open('/etc/hosts') else 0", False),  # outside of its folder there is nothing
        ("2 * x\nraise SystemExit", False),
    ],
)
def test_doctests_judge_a_filling(infill, passes):
    assert passed([doubling()], [infill]) == [passes]


def test_an_infill_that_takes_tests_away_does_not_pass():
    assert passed([doubling(examples=2)], ["2 * x"]) == [False]


def test_an_endless_loop_is_ended(monkeypatch):
    from paperworks.hlp import execution
    from paperworks.lab import sandbox

    monkeypatch.setattr(execution, "LIMITS", sandbox.Limits(wall_s=1.0))
    assert passed([doubling()], ["[None for _ in iter(int, 1)]"]) == [False]


def test_programs_print_and_assertions_hold():
    printing = Hole(
        name="p",
        kind="safim",
        prefix="n = int(input())\n",
        truth="print(n + 1)",
        suffix="\n",
        execution=PrintingProgram(
            template="n = int(input())\n{{completion}}\n", tests=(("1\n", ("2\n", "two")), ("5", ("6",)))
        ),
    )
    asserting = Hole(
        name="a",
        kind="output",
        prefix="def f(x): return x\nassert f(3) == ",
        truth="3",
        suffix="\n",
        execution=Assertions(),
    )
    plain = Hole(name="n", kind="line", prefix="", truth="", suffix="")
    holes = [printing, printing, asserting, asserting, asserting, plain]
    infills = ["print(n + 1)", "print(2)", "3", "4", "3\nraise SystemExit", "x"]
    assert passed(holes, infills, workers=1) == [True, False, True, False, False, None]
