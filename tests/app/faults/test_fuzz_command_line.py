"""Any line that a shell can give: a sentence and an exit code, never a traceback."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paperworks.app import runner
from paperworks.app.main import main
from paperworks.core import papers

COMMANDS = (
    *("list", "show", "run", "bench", "report", "publish", "compare", "new", "version"),
    *(paper.command for paper in papers().values()),
)
COMPARED = (3, 4)
"""The exit codes of `paperworks compare` that are answers."""
OPTIONS = (
    *("--preset", "--seeds", "--jobs", "--fresh", "--device", "--timeout", "--memory", "--json", "--out", "--open"),
    *("--published", "--arxiv", "--title", "--author", "--gist", "--debug", "--help", "-h"),
)
VALUES = (
    *("quick", "smoke", "full", "gpu", "paper", "bench", "lmul", "LMUL", "two-words", "published", "local"),
    *("2410.00907", "", "0", "1", "-1", "3", "1e999", "nan", "-inf", "0x10", "9" * 20, "9" * 400, "9" * 5000),
    *("cpu", "cuda", "cuda:0", "cuda:99", "cuda:x", "mps", "auto", ".", "/dev/null", "/dev/full", "no.json", "n" * 300),
    *("--", "-", "=", "--=", "[red]", "%", "{}", "$HOME", "~", "'x"),
)
WORDS = (
    st.sampled_from(COMMANDS)
    | st.sampled_from(OPTIONS)
    | st.sampled_from(VALUES)
    | st.builds("{}={}".format, st.sampled_from(OPTIONS), st.sampled_from(VALUES))
)
RAW = (st.text(max_size=12) | st.binary(max_size=8).map(os.fsdecode)).filter(lambda word: "/" not in word)  # stay here
PAIRS = st.tuples(st.sampled_from(OPTIONS), st.sampled_from(VALUES) | RAW)
LINES = (
    st.builds(lambda command, pairs: [command, *sum(pairs, ())], st.sampled_from(COMMANDS), st.lists(PAIRS, max_size=3))
    | st.builds(lambda command, rest: [command, *rest], st.sampled_from(COMMANDS), st.lists(WORDS | RAW, max_size=5))
    | st.lists(WORDS | RAW, max_size=6)
)


@pytest.fixture
def quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of one's own, no browser, and no paper that is run or written: what a line asks for is still checked."""
    monkeypatch.setenv("PAPERWORKS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("webbrowser.open", lambda _: True)
    monkeypatch.setattr("paperworks.app.new_paper.create", lambda about, root: [])
    monkeypatch.setattr("paperworks.app.new_paper.write_tables", lambda root: None)
    monkeypatch.setattr(runner.Runner, "run", lambda self, chosen: [outcome(self, paper) for paper in chosen])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def outcome(ran: Any, paper: Any) -> Any:
    return ran._outcome(paper, "waiting", "it had not begun")


def check_line(arguments: list[str]) -> None:
    out, err = Stream(), Stream()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    said = err.getvalue()
    assert code in {0, 2, *(COMPARED if "compare" in arguments else ())}, (
        f"{arguments} exited with {code} and said {said}"
    )
    assert "Traceback" not in said or "--debug" in arguments, f"{arguments} said {said}"
    if code == 2:
        assert said.strip(), f"{arguments} was refused without a word"


class Stream(io.TextIOWrapper):
    """What is printed, as bytes in UTF-8: as strict as a pipe."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def getvalue(self) -> str:
        return self.buffer.getvalue().decode()  # type: ignore[attr-defined]


FUZZ = {"suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}


@settings(max_examples=150, **FUZZ)
@given(LINES)
def test_any_line_gets_an_exit_code_and_no_traceback(quiet: Path, arguments: list[str]) -> None:
    check_line(arguments)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_two_thousand_lines(quiet: Path, survived: Any) -> None:
    lines = 0

    @settings(max_examples=2000, **FUZZ)
    @given(LINES)
    def run(arguments: list[str]) -> None:
        nonlocal lines
        lines += 1
        check_line(arguments)

    run()
    survived(
        fault="a command line of any words and bytes",
        how="hypothesis, from a grammar of ours and as raw text",
        times=lines,
        outcome="exit code 0, or 2 and a sentence; never a traceback",
    )
