"""Progress that is counted rightly, does not flood its reader, and draws only where there is a terminal."""

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperworks.lab import progress


class Clock:
    """Time that passes as it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def heard(seconds_an_item, iterable=None, total=None):
    """What `say` hears while items take ``seconds_an_item``."""
    clock, calls = Clock(), []
    items = range(len(seconds_an_item)) if iterable is None else iterable
    pace = iter(seconds_an_item)
    for _ in progress.reported(items, total, lambda done, of: calls.append((clock.now, done, of)), clock):
        clock.now += next(pace)
    return calls


def test_the_first_and_the_last_are_always_said():
    assert [(done, of) for _, done, of in heard([0.0] * 1000)] == [(0, 1000), (1000, 1000)]


def test_nothing_is_said_twice():
    assert [(done, of) for _, done, of in heard([1.0, 1.0])] == [(0, 2), (1, 2), (2, 2)]
    assert [(done, of) for _, done, of in heard([])] == [(0, 0)]


@given(st.lists(st.floats(0, 0.5), max_size=200))
def test_at_most_five_times_a_second_and_always_the_true_count(pace):
    calls = heard(pace)
    between = [time for time, _, _ in calls[1:-1]]
    assert all(b - a >= progress.EVERY_S for a, b in zip([0, *between], between, strict=False))
    for time, done, _ in calls:
        assert time == pytest.approx(sum(pace[:done]))
    assert calls[-1][1] == len(pace)


def test_where_nobody_knows_the_total_the_end_tells_it():
    assert [call[1:] for call in heard([0.3, 0.0], iterable=iter("ab"))] == [(0, None), (1, None), (2, 2)]


def test_a_given_total_stands():
    assert [call[1:] for call in heard([0.0, 0.0], iterable=iter("ab"), total=5)] == [(0, 5), (2, 5)]


def test_a_loop_that_is_left_says_how_far_it_came():
    calls = []
    for item in progress.reported(range(100), None, lambda *call: calls.append(call), Clock()):
        if item == 3:
            break
    assert calls[-1] == (3, 100), "the fourth item's turn was not over"


def test_an_error_passes_through():
    def items():
        yield 1
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        list(progress.reported(items(), 3, lambda *_: None))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_no_bars(monkeypatch):
    monkeypatch.setattr(sys, "stderr", log := io.StringIO())
    assert list(progress.on_terminal(range(3), "training", None)) == [0, 1, 2]
    assert log.getvalue() == ""


def test_a_terminal_gets_one_display_for_loops_inside_loops(monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    for _ in progress.on_terminal(range(2), "outer", None):
        for _ in progress.on_terminal(range(2), "inner", None):
            pass
    assert "outer" in terminal.getvalue()
    assert terminal.getvalue().count("\x1b[?25l") == 1, "one display hides the cursor once"
    assert terminal.getvalue().rstrip("\r").count("\x1b[?25h") == 1, "and gives it back"


def test_leaving_a_loop_early_gives_the_terminal_back(monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    for item in progress.on_terminal(range(10), "training", None):
        if item == 2:
            break
    assert terminal.getvalue().count("\x1b[?25h") == 1
