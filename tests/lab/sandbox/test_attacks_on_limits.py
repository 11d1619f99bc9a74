"""Attacks on time, memory and output: each ends with its run, at the limit, and the parent stays as it was."""

from __future__ import annotations

import pytest

from paperworks.lab.sandbox import Limits

LEFT_OUT = {"no Landlock", "root, no namespaces"}

IN_ONE_CALL = {
    "raise to a huge power": "2 ** (10 ** 9) ** 2",
    "search with a pattern that backtracks": "import re\nre.match('(a+)+$', 'a' * 60 + 'b')",
    "add up a range": "sum(range(10 ** 15))",
    "sort by a comparison that never ends": "[1, 2].sort(key=lambda _: all(iter(int, 1)) or [0 for _ in iter(int, 1)])",
    "count a repetition": "import collections, itertools\ncollections.deque(itertools.repeat(1), maxlen=0)",
    "multiply big numbers": "n = 10 ** 500000\nwhile True: n * n",
    "wait for a lock": "import threading\nthreading.Lock().acquire() and threading.Semaphore(0).acquire()",
    "sleep": "import time\ntime.sleep(10 ** 6)",
    "wait for input": "import os\nreading, writing = os.pipe()\nos.read(reading, 1)",
    "catch everything": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "finish never": "try: raise SystemExit\nfinally:\n    while True: pass",
    "hold the exit by a message": (
        "class Endless(Exception):\n    def __str__(self):\n        while True: pass\nraise Endless"
    ),
}  # fmt: skip
IN_MEMORY = {
    "one block of bytes": "bytes(1 << 34)",
    "a long list": "[0] * (1 << 33)",
    "a growing list": "parts = []\nwhile True: parts.append(bytes(1 << 20))",
    "a mapping": "import mmap\nmmap.mmap(-1, 1 << 34)",
    "a wide text": "f'{1:{10 ** 11}}'",
    "a doubling text": "text = 'x'\nwhile True: text += text",
}


@pytest.mark.parametrize("code", [pytest.param(code, id=f"must not {name}") for name, code in IN_ONE_CALL.items()])
def test_time_ends(code, check_attack):
    result = check_attack(code, "timeout", limits=Limits(wall_s=0.2))
    assert result.cpu_s < 1


@pytest.mark.parametrize("code", [pytest.param(code, id=f"must not hold {name}") for name, code in IN_MEMORY.items()])
def test_memory_ends(code, check_attack):
    result = check_attack(code, "memory error", limits=Limits(memory=128 << 20))
    assert result.peak_mb < 160
    assert result.error.type in {"MemoryError", "OSError"}  # a mapping that is refused is an OSError


def test_memory_must_not_grow_behind_a_handler(check_attack):
    code = (
        "parts = []\n"
        "while True:\n"
        "    try: parts.append(bytes(1 << 16))\n"
        "    except MemoryError: break\n"
        "print(len(parts) < 2100)"
    )
    assert check_attack(code, "ok memory", limits=Limits(memory=128 << 20)).stdout in {"True\n", ""}


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("def f(): f()\nf()", id="of calls"),
        pytest.param("import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(): f()\nf()", id="of calls without limit"),
        pytest.param("x = []\nfor _ in range(10 ** 5): x = [x]\nrepr(x)", id="of a value that is shown"),
        pytest.param("eval('(' * 10 ** 5)", id="of brackets"),
        pytest.param(
            "import sys\nsys.setrecursionlimit(10 ** 9)\nx = []\nfor _ in range(10 ** 5): x = [x]\nx == list(x)\n"
            "class A:\n    def __getattr__(self, name): return getattr(self, name)\nA().x",
            id="in C",
        ),
    ],
)
def test_depth_must_not_crash_the_parent(code, check_attack):
    check_attack(code, "error killed memory timeout", limits=Limits(memory=128 << 20, wall_s=0.5))


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("while True: print('x' * 1000)", id="many lines"),
        pytest.param("print('x' * (1 << 26))", id="one line"),
        pytest.param("import os\nwhile True: os.write(2, bytes(1 << 16))", id="on standard error"),
        pytest.param("import os\nwhile True:\n    for n in range(3, 256):\n        try: os.write(n, b' ' * 65536)\n"
                     "        except OSError: pass", id="on the channel of the results"),
    ],
)  # fmt: skip
def test_output_ends(code, check_attack):
    result = check_attack(code, "output", limits=Limits(output=10_000))
    assert len(result.stdout) <= 10_000
    assert len(result.stderr) <= 10_000


def test_a_huge_value_must_not_come_back(check_attack):
    assert check_attack("x = 'x' * (1 << 22)", "output", value="x").value is None


def test_what_was_printed_before_the_end_is_kept(check_attack):
    assert check_attack("print('so far')\nwhile True: pass", "timeout", limits=Limits(wall_s=0.2)).stdout == "so far\n"


def test_open_files_must_not_be_used_up(check_attack):
    code = "import os\nopened = []\nwhile True: opened.append(os.open('main.py', os.O_RDONLY))"
    assert check_attack(code, "error", limits=Limits(open_files=32)).error.type == "OSError"
