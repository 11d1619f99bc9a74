"""Papers that go wrong, each in its own way, in one run: each costs its own run and no other."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import psutil
import pytest

FINE = 'yield found("C1")\nyield found("C2")'

FAULTS = {
    "fine": FINE,
    "raises_bytes": 'yield found("C1")\nraise RuntimeError(os.fsdecode(b"no file called \\xff"))',
    "raises": 'yield found("C1")\nraise RuntimeError("the data are gone")',
    "chatters": 'print("\\x00garbage" * 1000)\nsys.stderr.write("\\udcff more")\n' + FINE,
    "scribbles": (
        'yield found("C1")\nos.write(int(os.environ["PAPERWORKS_EVENTS"]), b"\\xff\\xfe no event\\n")\nsignal.pause()'
    ),
    "floods": (
        'yield found("C1")\nfor _ in range(6000): os.write(int(os.environ["PAPERWORKS_EVENTS"]), b"x" * 1000)\n'
        "signal.pause()"
    ),
    "sends_nan": (
        'yield found("C1")\n'
        'os.write(int(os.environ["PAPERWORKS_EVENTS"]), b\'{"event": "result", "value": NaN}\\n\')'
        "\nsignal.pause()"
    ),
    "yields_nan": 'yield found("C1")\nyield found("C2", float("nan"))',
    "strange_claim": 'yield found("C1")\nyield found("C9")',
    "two_minds": 'yield found("C1", 1.0)\nyield found("C1", 2.0)\nyield found("C2")',
    "repeats": 'yield found("C1")\nyield found("C1")\nyield Untested(claim="C2", reason="no GPU here")',
    "forgets": 'yield found("C1")',
    "wrong_type": 'yield found("C1")\nyield ("C2", 1.0)',
    "is_killed": 'yield found("C1")\nos.kill(os.getpid(), signal.SIGKILL)',
    "leaves": 'yield found("C1")\nos._exit(3)',
    "crashes": 'yield found("C1")\nos.kill(os.getpid(), signal.SIGSEGV)',
    "lacks": "import a_package_that_nobody_has\n" + FINE,
    "declines": 'raise UserError("the GPU has 8 GB, and this preset needs 40")\nyield',
    "few_seeds": 'yield found("C1", n=sizes.seeds)\nyield found("C2", n=2)',
}


@pytest.fixture(scope="module")
def ran(shared_house: Any) -> Any:
    for slug, body in FAULTS.items():
        shared_house.paper(slug, body)
    shared_house.paper("stops", FINE)
    (shared_house.package / "stops" / "experiment.py").write_text("def run(:\n")
    return shared_house.call("run", "--preset", "smoke", "--jobs", "2", "--json")


def test_the_run_as_a_whole_says_that_papers_failed(ran: Any) -> None:
    assert ran.code == 1
    assert [paper["slug"] for paper in ran.json["papers"]] == sorted([*FAULTS, "stops"])


@pytest.mark.parametrize("slug", ["fine", "chatters", "repeats"])
def test_what_is_no_fault_of_the_results_is_none(ran: Any, slug: str) -> None:
    paper = ran.of(slug)
    assert paper["outcome"] == "complete"
    assert [claim["claim"] for claim in paper["claims"]] == ["C1", "C2"]


def test_what_a_child_prints_is_in_its_log_and_nowhere_else(ran: Any) -> None:
    assert b"garbage" in Path(ran.of("chatters")["log"]).read_bytes()
    assert "garbage" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("slug", "says"),
    [
        ("raises", "RuntimeError: the data are gone"),
        ("raises_bytes", "RuntimeError: no file called ?"),
        ("scribbles", "what is no event"),
        ("floods", "without ending the line"),
        ("sends_nan", "NaN is no finite number"),
        ("yields_nan", "value is nan"),
        ("strange_claim", "a result for 'C9'; the claims are C1, C2"),
        ("two_minds", "claim C1 a second, different result"),
        ("forgets", "ended without a result for C2"),
        ("wrong_type", "yields Measurement or Untested, not tuple"),
        ("is_killed", "killed by SIGKILL"),
        ("leaves", "exited with code 3"),
        ("crashes", "killed by SIGSEGV"),
        ("few_seeds", "n=2 is too few"),
    ],
)
def test_a_fault_fails_its_paper_says_so_and_keeps_what_was_measured(
    ran: Any, shared_house: Any, slug: str, says: str
) -> None:
    paper = ran.of(slug)
    assert paper["outcome"] == "failed"
    assert says in paper["message"]
    evidence = shared_house.evidence(slug)
    assert evidence["state"] == "failed"
    assert says in evidence["error"]
    assert str(shared_house.home / "runs" / slug / "smoke.log") in evidence["error"]
    assert [result["claim"] for result in evidence["results"]] == ["C1"]
    assert [result["value"] for result in evidence["results"]] == [1.0]


def test_a_paper_that_is_no_python_fails_before_it_begins(ran: Any, shared_house: Any) -> None:
    assert ran.of("stops")["outcome"] == "failed"
    assert "SyntaxError" in ran.of("stops")["message"]


def test_a_crash_in_native_code_leaves_its_stack_in_the_log(ran: Any) -> None:
    assert "Fatal Python error: Segmentation fault" in Path(ran.of("crashes")["log"]).read_text()


def test_a_missing_package_is_named_with_the_extra_that_brings_it(ran: Any, shared_house: Any) -> None:
    paper = ran.of("lacks")
    assert paper["outcome"] == "missing"
    assert paper["message"] == "lacks needs a_package_that_nobody_has: pip install 'paperworks[lacks]'"
    assert paper["evidence"] is None


def test_what_an_experiment_declines_is_refused_with_its_own_sentence(ran: Any) -> None:
    paper = ran.of("declines")
    assert (paper["outcome"], paper["message"]) == ("refused", "the GPU has 8 GB, and this preset needs 40")


def test_no_fault_reaches_the_reader_as_a_traceback(ran: Any) -> None:
    assert "Traceback" not in ran.out + ran.err


def test_a_paper_that_hangs_is_ended_by_its_time_limit(house: Any) -> None:
    house.paper("hangs", "while True: pass\nyield")
    done = house.call("run", "--preset", "smoke", "--timeout", "1", "--json")
    assert done.code == 1
    assert done.of("hangs")["message"] == "it took longer than its limit of 1 s (--timeout)"


def test_a_paper_that_outgrows_its_memory_is_ended_with_all_its_processes(house: Any) -> None:
    hog = "import time; kept = bytearray(300_000_000); time.sleep(1000)"
    house.variables["FAKE_PLACE"] = str(house.root)
    house.paper(
        "grows",
        f"""
        hogs = [subprocess.Popen([sys.executable, "-c", {hog!r}]) for _ in range(2)]
        hogs += [subprocess.Popen([sys.executable, "-c", {hog!r}], start_new_session=True)]
        (HERE / "hogs").write_text(json.dumps([hog.pid for hog in hogs]))
        signal.pause()
        yield
        """,
    )
    done = house.call("run", "--preset", "smoke", "--memory", "0.6", "--json")
    assert done.code == 1
    assert re.fullmatch(
        r"its processes held \d\.\d\d GB of memory, more than the limit of 0\.60 GB \(--memory\)",
        done.of("grows")["message"],
    )
    assert not [pid for pid in json.loads((house.root / "hogs").read_text()) if is_alive(pid)]


def test_what_a_paper_leaves_running_is_ended_with_it(house: Any) -> None:
    house.variables["FAKE_PLACE"] = str(house.root)
    house.paper(
        "parent",
        """
        left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        (HERE / "left").write_text(str(left.pid))
        forked = os.fork()
        if not forked:
            signal.pause()
        (HERE / "forked").write_text(str(forked))
        yield found("C1")
        raise RuntimeError("and so it ends")
        """,
    )
    done = house.call("run", "--preset", "smoke", "--json")
    assert done.of("parent")["message"] == "RuntimeError: and so it ends"
    assert not [name for name in ("left", "forked") if is_alive(int((house.root / name).read_text()))]


def is_alive(pid: int) -> bool:
    """Whether the process still runs; one that nobody has waited for yet is dead all the same."""
    try:
        process = psutil.Process(pid)
        psutil.wait_procs([process], timeout=20)
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_broken_paper_file_costs_nobody_the_other_papers(house: Any) -> None:
    house.paper("fine", FINE)
    (house.paper("torn", FINE) / "paper.py").write_text("PAPER = (")
    (house.package / "torn" / "cli.py").write_text("raise RuntimeError")
    done = house.call("list", "--json")
    assert [paper["slug"] for paper in done.json] == ["fine"]
    assert done.err.startswith("warning: torn is left out, SyntaxError: '(' was never closed")
    assert house.call("run", "--preset", "smoke").code == 0
    asked = house.call("show", "torn")
    assert asked.code == 2
    assert "error: torn cannot be used: SyntaxError: '(' was never closed" in asked.err


ESCAPES = """
if not os.fork():
    os.setsid()
    if not os.fork():
        (HERE / "escaped").write_text(str(os.getpid()))
        os.execvp(sys.executable, [sys.executable, "-c", "import time; time.sleep(1000)"])
    os._exit(0)
os.wait()
while not (HERE / "escaped").stat().st_size:
    pass
"""


def test_a_process_in_a_session_of_its_own_whose_parent_is_gone_is_ended_too(house: Any) -> None:
    house.variables["FAKE_PLACE"] = str(house.root)
    (house.root / "escaped").touch()
    house.paper("escapes", f"{ESCAPES}\nyield found('C1')\nyield found('C2')")
    assert house.call("run", "--preset", "smoke").code == 0
    assert not is_alive(int((house.root / "escaped").read_text()))


def test_and_so_it_is_where_the_run_itself_is_killed(house: Any) -> None:
    house.variables["FAKE_PLACE"] = str(house.root)
    (house.root / "escaped").touch()
    os.mkfifo(house.root / "reached")
    house.paper("escapes", f"{ESCAPES}\ntell_and_wait()\nyield")
    run = house.start("run", "--preset", "smoke")
    child = int((house.root / "reached").read_text())
    run.kill()
    run.communicate()
    assert not is_alive(int((house.root / "escaped").read_text()))
    assert not is_alive(child)


def test_a_home_whose_name_is_no_text_holds_evidence_all_the_same(house: Any) -> None:
    house.home = house.root / os.fsdecode(b"home \xff")
    house.paper("fails", "yield found('C1')\nraise RuntimeError('no')")
    done = house.call("run", "--preset", "smoke", "--json")
    assert done.code == 1
    assert house.evidence("fails")["error"].startswith(f"RuntimeError: no (log: {house.root}/home ?/")
