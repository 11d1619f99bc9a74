"""What an ordinary program meets: a working interpreter, a clear result, and order among many."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

import pytest

from paperworks.lab.sandbox import Limits, Script, Status, bench, run, run_many, running
from paperworks.lab.sandbox.supervise import supervise

ENDLESS = "from paperworks.lab.sandbox import run, Limits\nrun('while True: pass', limits=Limits(wall_s=60))"


def test_a_program_prints_reads_and_gives_back_a_value():
    result = run(
        "import sys\nname = sys.stdin.read()\nprint('hello', name)", stdin="wörld", value="{name: (1, {2}, b'3')}"
    )
    assert result.status is Status.OK
    assert result.stdout == "hello wörld\n"
    assert result.value == {"wörld": (1, {2}, b"3")}
    assert result.wall_s > 0
    assert result.cpu_s > 0
    assert result.peak_mb > 1


def test_an_error_shows_the_lines_of_the_program_and_none_of_ours():
    result = run("def f():\n    return 1 / 0\nf()")
    assert (result.status, result.error.type, result.error.message) == (
        "error",
        "ZeroDivisionError",
        "division by zero",
    )
    assert "line 2, in f\n    return 1 / 0" in result.error.traceback
    assert "harness" not in result.error.traceback


def test_code_that_is_no_python_is_an_error():
    assert run("def f(:").error.type == "SyntaxError"
    assert run("a = '\0'").error.type in {"SyntaxError", "ValueError"}
    assert run("x = 1", value="y").error.type == "NameError"


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("import sys\nsys.exit(3)", 3),
        ("import sys\nsys.exit('no')", 1),
        ("raise SystemExit", 0),
        *[(f"import os\nos._exit({n})", n) for n in (0, 1, 3, 7)],
    ],
)
def test_leaving_early_is_told_from_coming_to_the_end(code, exit_code):
    result = run(code)
    assert (result.status, result.exit_code) == ("exited", exit_code)


def test_files_can_be_read_and_imported():
    files = {
        "inside.py": "",
        "package/__init__.py": "import inside",
        "package/part.py": "answer = 42",
        "data.bin": b"\x00\xff",
    }
    result = run(
        "from package.part import answer\ndata = open('data.bin', 'rb').read()", files=files, value="answer, data"
    )
    assert result.value == (42, b"\x00\xff")


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "a//b", ".", "main.py", "", "x\0y"])
def test_files_outside_the_folder_are_refused(name):
    with pytest.raises(ValueError, match="give a relative path inside the folder"):
        run("", files={name: "x"})


def test_classes_of_the_program_know_their_module():
    code = "import dataclasses, pickle\n@dataclasses.dataclass\nclass A:\n    x: int"
    assert run(code, value="pickle.loads(pickle.dumps(A(1))).x, __name__").value == (1, "__main__")


def test_the_standard_library_works():
    code = "import bz2, ctypes, decimal, hashlib, lzma, sqlite3, ssl, tempfile, uuid, zlib, zoneinfo\n"
    code += "with tempfile.TemporaryFile() as file: file.write(b'x')\n"
    code += "table = sqlite3.connect(':memory:').execute('select 6 * 7').fetchone()"
    assert run(code, value="table[0], str(zoneinfo.ZoneInfo('Europe/Paris'))").value[0] == 42


def test_the_hash_seed_fixes_the_order_of_sets():
    orders = [run("", value="list({'a', 'b', 'c', 'd', 'e', 'f'})", hash_seed=seed).value for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]


def test_what_is_not_utf_8_is_shown_all_the_same():
    assert run("import os\nos.write(1, b'\\xff')").stdout == "\ufffd"


def test_many_keep_their_order_and_say_how_far_they_are():
    heard = []
    scripts = [Script(code=f"import time\ntime.sleep({0.02 * (3 - n)})", value=str(n)) for n in range(4)]
    results = list(run_many(scripts, workers=2, progress=lambda *said: heard.append(said)))
    assert [result.value for result in results] == [0, 1, 2, 3]
    assert heard == [("run", done, 4) for done in (1, 2, 3, 4)]


def test_many_that_are_left_early_are_not_started(monkeypatch):
    started = []
    monkeypatch.setattr(running, "supervise", lambda *given: started.append(1) or supervise(*given))
    results = run_many([Script(code="", value="1")] * 50, workers=1)
    next(results)
    results.close()
    assert len(started) < 50


def test_a_failing_program_does_not_touch_the_next():
    codes = ["1 / 0", "import os\nos._exit(0)", "import ctypes\nctypes.string_at(0)", "x = 1"]
    statuses = [result.status for result in run_many([Script(code=code) for code in codes])]
    assert statuses == ["error", "exited", "killed", "ok"]


def open_descriptors():
    return [number for number in range(1024) if is_open(number)]


def is_open(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def test_no_descriptor_of_the_parent_is_left_open():
    before = open_descriptors()
    for code in ("1", "1 / 0", "import os\nos.kill(os.getpid(), 9)"):
        run(code)
    assert open_descriptors() == before


def handle_of(process):
    """A handle on a process, None where it has ended: the walls are tried in children that end soon."""
    try:
        return os.pidfd_open(process)
    except ProcessLookupError:
        return None


def test_a_run_dies_with_its_parent(children_of):
    command = [sys.executable, "-c", ENDLESS]
    with subprocess.Popen(command, env=os.environ) as parent:
        handles = []
        while len(handles) < 3:  # watcher, keeper, runner
            assert parent.poll() is None
            handles = [handle for process in children_of(parent.pid) if (handle := handle_of(process)) is not None]
        parent.send_signal(signal.SIGKILL)
    for handle in handles:
        assert select.select([handle], [], [], 20)[0], "a process of the run is still there"
        os.close(handle)


def test_an_interrupt_ends_the_run(children_of):
    command = [sys.executable, "-c", ENDLESS]
    with subprocess.Popen(command, env=os.environ, stderr=subprocess.PIPE) as parent:
        while len(children_of(parent.pid)) < 3:
            assert parent.poll() is None
        parent.send_signal(signal.SIGINT)
        assert b"KeyboardInterrupt" in parent.communicate()[1]
    assert children_of(parent.pid) == []


@pytest.mark.parametrize(
    "wrong",
    [{"wall_s": 0}, {"wall_s": float("nan")}, {"cpu_s": -1}, {"memory": 1}, {"processes": 0}, {"open_files": 3}],
)
def test_limits_that_no_run_could_keep_are_refused(wrong):
    with pytest.raises(ValueError, match="give "):
        Limits(**wrong)


def test_the_bench_names_walls_and_cost(capsys):
    bench.main(repeats=6)
    said = capsys.readouterr().out
    assert "seccomp     yes" in said
    assert "an empty run: " in said
    assert "a bare interpreter: " in said
