"""The command line as a person and a pipe see it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import paperworks

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
RESULTS = """
yield found("C1", 0.95, unit="points", setting="a setting that is told in more words than fit " * 3)
yield found("C2", -5.0, scale="stand-in")
yield Untested(claim="C3", reason="needs --preset full")
"""
BENCH = """
from paperworks.lab import BenchRow


def bench(lab):
    print("timing on", lab.device)
    given = dict(ours_s=0.002, peer_s=0.001, ratio=2.0, low=1.9, high=2.1)
    yield BenchRow(case="small", peer="numpy", target=2.5, limit_s=0.001, **given)
    yield BenchRow(case="large", peer="torch", target=1.5, **given)
    yield BenchRow(case="odd", peer="torch", **given)
"""


@pytest.fixture(scope="module")
def talked(shared_house: Any) -> Any:
    """A house with two papers, one of which was run at quick and timed."""
    folder = shared_house.paper("two_words", RESULTS, ("C1", "C2", "C3"))
    (folder / "bench.py").write_text(BENCH)
    shared_house.paper("other", "raise RuntimeError('never')\nyield")
    shared_house.first = shared_house.call("run", "two-words")
    return shared_house


class TestRun:
    def test_a_log_has_a_line_for_all_that_became_known(self, talked: Any) -> None:
        assert talked.first.code == 0
        assert talked.first.err == ""
        lines = talked.first.out.splitlines()
        assert lines[1] == "two-words  started"
        assert re.match(r"two-words  C1  ● holds     0\.95 \[0\.85, 1\.05\]\spoints  a setting that", lines[2])
        assert lines[2].endswith("more words than fit ")  # as long as it is: a log is not cut
        assert lines[3] == "two-words  C2  □ fails (stand-in)  -5.00 [-5.10, -4.90]  a fake"
        assert lines[4] == "two-words  C3  – untested  needs --preset full"
        assert lines[5].startswith("two-words  done in ")

    def test_the_verdicts_and_the_report_end_it(self, talked: Any) -> None:
        table = talked.first.out.split("\n\n")[1].splitlines()
        assert table[0].split() == ["paper", "claim", "verdict", "measured", "what", "it", "says"]
        assert table[1].startswith("two-words  C1     ● holds")
        assert table[3].endswith("Claim C3 of two_words. needs --preset full")
        path = talked.first.out.splitlines()[-1].removeprefix("report: ")
        assert "C1" in Path(path).with_name("two-words.html").read_text()

    def test_what_is_up_to_date_is_said_and_shown(self, talked: Any) -> None:
        again = talked.call("run", "two-words")
        assert again.code == 0
        assert "two-words  up to date, not run again (--fresh insists)" in again.out
        assert again.out.split("\n\n")[1] == talked.first.out.split("\n\n")[1]

    def test_json_is_alone_on_standard_output(self, talked: Any) -> None:
        done = talked.call("run", "two_words", "other", "--json")
        assert done.code == 1
        assert list(done.json) == ["preset", "device", "papers", "report"]
        fine = done.of("two_words")
        assert fine["outcome"] == "current"
        assert [claim["verdict"] for claim in fine["claims"]] == ["holds", "fails", "untested"]
        assert (fine["claims"][0]["low"], fine["claims"][2]["untested"]) == (0.85, "needs --preset full")
        assert done.of("other")["outcome"] == "failed"
        assert "other      failed: RuntimeError: never (log: " in done.err

    def test_a_paper_named_twice_is_run_once(self, talked: Any) -> None:
        assert len(talked.call("run", "two_words", "TWO-WORDS", "--json").json["papers"]) == 1

    def test_a_report_that_cannot_be_written_costs_a_sentence(self, house: Any) -> None:
        house.paper("fine", "yield found('C1')\nyield found('C2')")
        with (house.package / "app" / "report" / "site.py").open("a") as file:
            file.write("\n\ndef write_report(*_, **__):\n    raise RuntimeError('paper jam')\n")
        done = house.call("run", "--preset", "smoke")
        assert done.code == 0
        assert done.err == "warning: the report could not be written: RuntimeError: paper jam\n"
        assert house.evidence("fine")["state"] == "complete"


class TestBaseInstall:
    """Without any extra: what the package alone can do, and the sentence that says what is missing."""

    @pytest.fixture
    def bare(self, house: Any) -> Any:
        absent = ("numpy", "scipy", "matplotlib", "jinja2", "torch", "safetensors", "threadpoolctl")
        (house.root / "sitecustomize.py").write_text(
            f"import sys\nfor name in {absent!r}:\n    sys.modules[name] = None  # an import of it fails\n"
        )
        house.paper("fine", "yield found('C1')\nyield found('C2')")
        return house

    def test_a_paper_is_not_run_and_its_extra_is_named(self, bare: Any) -> None:
        done = bare.call("run")
        assert done.code == 2
        assert "fine  not run: fine needs numpy: pip install 'paperworks[fine]'\n" in done.out
        assert done.err.count("\n") == 1
        assert done.err.startswith("warning: no report is written: the report needs jinja2: pip install 'paperworks[")
        assert not (bare.home / "runs" / "fine" / "quick.json").exists()

    def test_papers_are_listed_and_shown(self, bare: Any) -> None:
        assert bare.call("list").code == 0
        assert bare.call("show", "fine").code == 0
        assert bare.call("compare", "fine").err == "error: fine has no published run\n"

    def test_the_report_says_what_it_needs(self, bare: Any) -> None:
        done = bare.call("report")
        assert done.code == 2
        assert done.err.startswith("error: the report needs jinja2: pip install 'paperworks[")


class TestTables:
    def test_list(self, talked: Any) -> None:
        done = talked.call("list")
        assert done.code == 0
        assert done.out.splitlines()[0].split("  ")[0] == "paper"
        assert re.search(r"^two-words +3 +A fake called two_words +– +(bench, )?quick$", done.out, re.M)

    def test_list_as_json(self, talked: Any) -> None:
        listed = talked.call("list", "--json").json
        assert [paper["slug"] for paper in listed] == ["other", "two_words"]
        assert set(listed[0]) == {
            "slug", "command", "arxiv", "url", "title", "authors", "field", "gist", "claims", "published", "run_here",
        }  # fmt: skip

    def test_show(self, talked: Any) -> None:
        done = talked.call("show", "two-words")
        assert done.code == 0
        assert "https://arxiv.org/abs/2410.00001" in done.out
        assert "    published  –  not run yet\n" in done.out
        assert re.search(
            r"^    yours      □ fails \(stand-in\)  -5\.00 \[-5\.10, -4\.90\]  a fake \(quick\)$", done.out, re.M
        )
        assert not [line for line in done.out.splitlines() if line != line.rstrip()]

    def test_show_as_json(self, talked: Any) -> None:
        shown = talked.call("show", "two_words", "--json").json
        claim = shown["claims"][1]
        assert (claim["id"], claim["yours"]["verdict"], claim["yours"]["preset"]) == ("C2", "fails", "quick")
        assert claim["yours"]["measurement"]["scale"] == "stand-in"
        assert claim["published"] == {
            "verdict": "untested", "stand_in": False, "preset": None, "reason": "not run yet", "measurement": None,
        }  # fmt: skip

    def test_bench(self, talked: Any) -> None:
        done = talked.call("bench", "two-words")
        assert done.code == 0
        table = done.out.split("\n\n")[1].splitlines()
        assert table[1].split("  ")[0] == "small"
        assert "≤ 2.5 ✓ met" in table[1]
        assert table[1].endswith("50%")
        assert "≤ 1.5 ✗ not met" in table[2]
        rows = talked.call("bench", "two-words", "--json").json["rows"]
        assert [row["target_met"] for row in rows] == [True, False, None]
        assert talked.evidence("two_words", "bench")["state"] == "complete"

    def test_version(self, talked: Any) -> None:
        assert talked.call("version").out == f"paperworks {paperworks.__version__}\n"


class TestReport:
    def test_it_prints_the_path_of_what_it_wrote(self, talked: Any, tmp_path: Path) -> None:
        done = talked.call("report", "--out", str(tmp_path / "site"))
        assert done.out == f"{tmp_path}/site/index.html\n"
        assert "[0.85, 1.05]" in (tmp_path / "site" / "two-words.html").read_text()

    def test_from_published_evidence_alone(self, talked: Any, tmp_path: Path) -> None:
        assert talked.call("report", "--published", "--out", str(tmp_path)).code == 0
        assert "[0.85, 1.05]" not in (tmp_path / "two-words.html").read_text()

    def test_a_place_where_nothing_can_be_written(self, talked: Any, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        done = talked.call("report", "--out", str(tmp_path / "file"))
        assert done.code == 2
        assert done.err.startswith(f"error: the report cannot be written into {tmp_path}/file: ")
        assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["show", "two-wrods"], "there is no paper 'two-wrods'; did you mean two_words?"),
        (["run", "nothing"], "there is no paper 'nothing'; the papers are other, two_words"),
        (["run", "--preset", "quik"], "there is no preset 'quik'; did you mean quick?"),
        (
            ["run", "--preset", "everything"],
            "there is no preset 'everything'; choose one of smoke, quick, full, gpu, paper",
        ),
        (["run", "--preset", "bench"], "there is no preset 'bench'; "),
        (["run", "--device", "cdua"], "there is no device 'cdua'; did you mean cuda?"),
        (["run", "--seeds", "2"], "--seeds 2 is too few: an interval over seeds needs at least 3"),
        (["run", "--timeout", "-1"], "--timeout -1 leaves no time"),
        (["run", "--memory", "0"], "--memory 0 leaves no memory"),
        (["run", "--timeout", "nan"], "--timeout nan leaves no time"),
        (["run", "--memory", "nan"], "--memory nan leaves no memory"),
        (["run", "--jobs", "0"], "--jobs 0 runs nothing"),
        (["run", "--jobs", "1001"], "--jobs is more than 1000"),
        (["run", "--jobs", "many"], "invalid value for '--jobs'"),
        (["run", "--sedes", "3"], "no such option: --sedes"),
        (["bench", "other"], "other has no bench; those that have one are two-words"),
        (["lst"], "no such command 'lst'"),
        (["show"], "missing argument 'SLUG'"),
        (["publish", "/nowhere.json"], "publish writes into the source tree"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_is_told_in_a_sentence_and_exits_2(talked: Any, arguments: list[str], says: str) -> None:
    done = talked.call(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith(f"error: {says}")
    assert done.err.count("\n") == 1


class TestErrors:
    @pytest.fixture
    def broken(self, talked: Any) -> Any:
        (talked.package / "other" / "cli.py").write_text(
            "from paperworks.core import MissingExtra\n"
            "from paperworks.lab import cli\n"
            "app = cli.commands('Go wrong.')\n"
            "@app.command()\ndef crash() -> None:\n    'Crash.'\n    raise RuntimeError('it broke [0.1, 0.2]\\nbad')\n"
            "@app.command()\ndef lack() -> None:\n    'Lack.'\n    raise MissingExtra('other', 'torch')\n"
            "@app.command()\ndef stop() -> None:\n    'Stop.'\n    raise KeyboardInterrupt\n"
            "@app.command()\ndef speak() -> None:\n    'Speak.'\n    print('word\\n' * 100_000)\n"
        )
        yield talked
        (talked.package / "other" / "cli.py").unlink()

    def test_an_unforeseen_error_is_a_line_and_its_traceback_a_file(self, broken: Any) -> None:
        done = broken.call("other", "crash")
        assert done.code == 1
        found = re.fullmatch(r"error: RuntimeError: it broke \[0\.1, 0\.2\] \(traceback: (.*)\)\n", done.err)
        assert found
        assert Path(found[1]).parent == broken.home / "tracebacks"
        assert 'raise RuntimeError("it broke' in Path(found[1]).read_text().replace("'", '"')

    @pytest.mark.parametrize("arguments", [["--debug", "other", "crash"], ["other", "crash", "--debug"]])
    def test_debug_prints_the_traceback(self, broken: Any, arguments: list[str]) -> None:
        done = broken.call(*arguments)
        assert done.code == 1
        assert "Traceback (most recent call last)" in done.err

    def test_a_missing_package(self, broken: Any) -> None:
        done = broken.call("other", "lack")
        assert (done.code, done.err) == (2, "error: other needs torch: pip install 'paperworks[other]'\n")

    def test_control_c(self, broken: Any) -> None:
        done = broken.call("other", "stop")
        assert (done.code, done.err) == (130, "")

    def test_a_reader_who_leaves(self, broken: Any) -> None:
        process = broken.start("other", "speak")
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        process.wait()

    def test_help_exits_0_and_no_command_2(self, broken: Any) -> None:
        assert broken.call("other", "--help").code == 0
        assert broken.call("other").code == 2
        assert "Usage: paperworks other" in broken.call("other").err


class TestStreams:
    """Standard output and error may lead to a full disk, or nowhere at all."""

    @pytest.mark.parametrize(
        ("arguments", "streams", "code"),
        [
            ("list", ">&-", 0),
            ("list", "<&- >&- 2>&-", 0),
            ("list", ">/dev/full", 1),
            ("list", "2>/dev/full", 0),
            ("lst", "2>/dev/full", 2),
            ("lst", "2>&-", 2),
            ("run two-words --preset smoke --seeds 4 --fresh", "<&- >&- 2>&-", 0),
        ],
    )
    def test_the_exit_code_says_the_same(self, talked: Any, arguments: str, streams: str, code: int) -> None:
        script = f"{sys.executable} -P -m paperworks.app.main {arguments} {streams}"
        done = subprocess.run(
            ["sh", "-c", script], env=talked.environment(), cwd=talked.root, capture_output=True, text=True
        )
        assert done.returncode == code
        assert done.stderr.count("\n") <= 1
        assert "ignored" not in done.stderr


class TestTerminal:
    @staticmethod
    def read_from_terminal(command: list[str], variables: dict[str, str]) -> str:
        """What a command draws on a terminal of 80 columns."""
        mine, theirs = os.openpty()
        subprocess.run(["stty", "cols", "80", "rows", "24"], stdin=theirs, check=True)
        process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=variables)
        os.close(theirs)
        read = bytearray()
        try:
            while data := os.read(mine, 65536):
                read += data
        except OSError:
            pass  # Linux's way of saying that nobody holds the other end any more
        os.close(mine)
        assert process.wait() == 0
        return read.decode()

    def on_terminal(self, house: Any, *arguments: str, **variables: str) -> str:
        given = house.environment() | {"TERM": "xterm-256color"} | variables
        given.pop("COLUMNS", None)
        return self.read_from_terminal([sys.executable, "-P", "-m", "paperworks.app.main", *arguments], given)

    def test_a_terminal_has_colours_bars_and_lines_that_fit(self, talked: Any) -> None:
        drawn = self.on_terminal(talked, "run", "two-words", "--fresh")
        assert "\x1b[32m● holds" in drawn
        assert "claims" in drawn
        plain = [ANSI.sub("", line) for line in re.split(r"[\r\n]+", drawn)]
        assert max(len(line) for line in plain if not line.startswith("report: ")) <= 80

    def test_no_color_is_honoured(self, talked: Any) -> None:
        drawn = self.on_terminal(talked, "run", "two-words", NO_COLOR="1")
        assert "● holds" in drawn
        assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", drawn)


class TestPublish:
    @pytest.fixture
    def tree(self, tmp_path: Path, request: pytest.FixtureRequest) -> Any:
        """A house that is a source tree, with a paper that was run at quick."""
        root = tmp_path / "src"
        root.mkdir()
        (tmp_path / "pyproject.toml").write_text("")
        house = request.getfixturevalue("make_house")(root)
        house.paper("fine", "yield found('C1')\nyield found('C2')")
        assert house.call("run", "--preset", "quick").code == 0
        return house

    @staticmethod
    def run_file(house: Any, preset: str = "quick") -> Path:
        return Path(house.home / "runs" / "fine" / f"{preset}.json")

    def test_a_run_is_published_and_read_back(self, tree: Any) -> None:
        done = tree.call("publish", str(self.run_file(tree)))
        target = tree.package / "fine" / "evidence" / "quick.json"
        assert (done.code, done.out) == (0, f"{target}\n")
        assert json.loads(target.read_text()) == tree.evidence("fine", "quick")
        assert tree.call("show", "fine", "--json").json["claims"][0]["published"]["verdict"] == "holds"
        assert tree.call("list", "--json").json[0]["published"] == ["quick"]
        assert tree.call("run", "--preset", "quick", "--json").of("fine")["outcome"] == "current"

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"preset": "smoke"}, "a smoke run is not published"),
            ({"preset": "paper"}, "a paper run is not published"),
            ({"state": "partial"}, "holds a partial run"),
            ({"state": "failed"}, "holds a failed run"),
            ({"source": {"paper": "0", "house": "0"}}, "other source than the tree's (paper and house)"),
            ({"results": []}, "has no result for C1, C2 as judged today"),
            ({"slug": "unknown"}, "there is no paper 'unknown'"),
            ({"schema": 99}, "is no evidence of a run"),
            ({"error": "x" * 2_000_001}, "has 2.0 MB"),
        ],
        ids=lambda value: str(value)[:30] if isinstance(value, dict) else "",
    )
    def test_what_is_not_fit_to_be_published_is_refused(self, tree: Any, change: dict[str, Any], says: str) -> None:
        file = self.run_file(tree)
        tree.change_evidence("fine", "quick", **change)
        done = tree.call("publish", str(file))
        assert done.code == 2
        assert says in done.err
        assert done.err.count("\n") == 1
        assert not (tree.package / "fine" / "evidence").exists()

    def test_a_file_that_is_not_there(self, tree: Any) -> None:
        assert "there is no file /nowhere.json" in tree.call("publish", "/nowhere.json").err


class TestBars:
    STAGES = (
        "from paperworks.lab import cli\nwith cli.bars() as say:\n    say('reading', 1, 2)\n    say('reading', 2, 2)\n"
    )

    def test_they_are_drawn_on_a_terminal(self) -> None:
        drawn = TestTerminal.read_from_terminal(
            [sys.executable, "-c", self.STAGES], dict(os.environ) | {"TERM": "xterm"}
        )
        assert "reading" in drawn
        assert "2/2" in drawn

    def test_and_nowhere_else(self) -> None:
        done = subprocess.run([sys.executable, "-c", self.STAGES], capture_output=True, check=True)
        assert done.stdout + done.stderr == b""
