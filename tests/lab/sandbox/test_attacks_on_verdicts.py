"""Attacks on the verdict: code that has not the right values does not pass, whatever it says or breaks."""

from __future__ import annotations

import pytest

from paperworks.lab.sandbox import Case, Limits, check, run, running

LEFT_OUT = {"no Landlock", "nobody", "root, no namespaces", "nobody, no namespaces"}  # it is made in the parent
CASES = [Case(args=(number,), expected=number * 7919 + 11) for number in range(3)]

MUST_NOT_PASS = {
    "by saying so": "print('passed')\ndef f(n): return 'passed'",
    "by leaving with success": "import os\nos._exit(0)",
    "by leaving from the function": "import os\ndef f(n): os._exit(0)",
    "by sys.exit": "import sys\nsys.exit(0)",
    "by sys.exit from the function": "import sys\ndef f(n): sys.exit(0)",
    "by raising KeyboardInterrupt": "def f(n): raise KeyboardInterrupt",
    "by raising GeneratorExit": "def f(n): raise GeneratorExit",
    "by an equality that is always true": (
        "class Same:\n    def __eq__(self, other): return True\n    __hash__ = None\ndef f(n): return Same()"
    ),
    "by a number that equals everything": (
        "class Same(int):\n    def __eq__(self, other): return True\n    __hash__ = int.__hash__\n"
        "def f(n): return Same(1)"
    ),
    "by a text that shows as the answer": "class Text(str): pass\ndef f(n): return Text(n * 7919 + 11)",
    "by a dict that lies": "class Lie(dict):\n    def items(self): return []\ndef f(n): return Lie()",
    "by an object that pickles into a call": (
        "import os\nclass Call:\n    def __reduce__(self): return os.system, ('true',)\ndef f(n): return Call()"
    ),
    "by looking for the expected values": (
        "import gc\n"
        "def f(n):\n"
        "    if n == 0: return 11\n"
        "    wanted = str(n * 7919 + 11)\n"
        "    for thing in gc.get_objects():\n"
        "        if type(thing) in (list, dict, tuple) and wanted in map(str, list(thing)): return n * 7919 + 11\n"
    ),
    "by replacing the encoder": (
        "import json\njson.dumps = lambda record, **_: '{\"outcome\": {\"value\": true}}'\ndef f(n): return n"
    ),
    "by replacing the harness": (
        "import sys\n"
        "harness = sys._getframe(1).f_globals\n"
        "harness['values'].encode = lambda value: {'$': 'passed', 'of': []}\n"
        "harness['_calls'] = lambda *_: [{'value': True, 'passed': True}] * 3\n"
        "def f(n): return n"
    ),
    "by writing a verdict where the results go": (
        "import os\n"
        "for descriptor in range(3, 256):\n"
        "    try:\n"
        "        os.write(descriptor, b'{\"passed\": true}\\n{\"outcome\": {\"passed\": true}}\\n')\n"
        "        os.write(descriptor, b'{\"end\": \"ok\"}\\n')\n"
        "    except OSError: pass\n"
        "os._exit(0)"
    ),
    "by writing a report of how it ended": (
        "import os\n"
        "for descriptor in range(3, 256):\n"
        "    try: os.write(descriptor, b'{\"ended\": 0}\\n' * 5)\n"
        "    except OSError: pass\n"
        "def f(n): return n"
    ),
    "by closing every descriptor": "import os\nos.closerange(0, 100)\ndef f(n): return n",
    "by an exit function": "import atexit, os\natexit.register(os._exit, 0)\ndef f(n): return n",
    "by a thread that ends first": (
        "import os, threading\nthreading.Thread(target=os._exit, args=(0,)).start()\ndef f(n):\n    while True: pass"
    ),
    "by a trace function": "import sys\nsys.settrace(lambda *_: exit(0))\ndef f(n): return n",
    "by an import hook": (
        "import sys\n"
        "class Hook:\n"
        "    def find_spec(self, *_): raise SystemExit(0)\n"
        "sys.meta_path.insert(0, Hook())\n"
        "import decimal\n"
        "def f(n): return n"
    ),
    "by replacing built-in functions": (
        "import builtins\n"
        "builtins.isinstance = builtins.all = builtins.bool = lambda *_: True\n"
        "builtins.type = lambda *_: int\n"
        "def f(n): return n"
    ),
    "by not being there": "g = 1",
    "by not being code": "def f(n) return n",
    "by nothing": "def f(n): pass",
    "by the value of another case": "seen = []\ndef f(n): return 11",
    "by nan": "def f(n): return float('nan')",
    "by a deep value": "def f(n):\n    x = []\n    for _ in range(500): x = [x]\n    return x",
    "by a generator": "def f(n): yield n * 7919 + 11",
    "by the right values too late": "def f(n):\n    while n: pass\n    return n * 7919 + 11",
}  # fmt: skip


@pytest.mark.parametrize(
    "code", [pytest.param(code, id=f"must not pass {name}") for name, code in MUST_NOT_PASS.items()]
)
def test_fails(code, parent):
    verdict = parent("check", code=code, function="f", cases=CASES, limits=Limits(wall_s=0.5))
    assert not verdict.passed
    assert len(verdict.met) == 3


def test_what_is_right_passes(parent):
    verdict = parent("check", code="def f(n): return n * 7919 + 11", function="f", cases=CASES)
    assert verdict.passed
    assert [outcome.value for outcome in verdict.outcomes] == [case.expected for case in CASES]


def test_expected_values_must_not_reach_the_child(monkeypatch):
    sent = []
    send = running.supervise
    monkeypatch.setattr(running, "supervise", lambda job, *given: sent.append(job.to_bytes()) or send(job, *given))
    check("def f(): return 1", "f", [Case(expected="a text that is nowhere else")])
    assert len(sent) == 1
    assert b"nowhere" not in sent[0]


FORGE = (
    "import os, sys\n"
    "def forge(line):\n"
    "    for descriptor in range(3, 256):\n"
    "        try: os.write(descriptor, line.encode() + b'\\n')\n"
    "        except OSError: pass\n"
)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("[" * 50_000, id="nested beyond reading"),
        pytest.param('{"end": "ok", "value": ' + "[" * 400 + "]" * 400 + "}", id="nested deeply"),
        pytest.param('{"end": "ok", "value": ' + "9" * 10_000 + "}", id="a number too long to read"),
        pytest.param('{"end": "ok", "value": {"$": "float", "of": "1" }}', id="a float that is none"),
        pytest.param('{"end": "ok", "value": {"$": "int", "of": 5}}', id="an int that is none"),
        pytest.param('{"end": "ok", "value": {"$": "set", "of": [[]]}}', id="a set of lists"),
        pytest.param('{"end": "ok", "value": {"$": "dict", "of": 3}}', id="a dict that is none"),
        pytest.param('{"end": "ok", "value": {"$": "os.system", "of": "true"}}', id="a kind of its own"),
        pytest.param('{"end": "ok", "value": {"$": []}}', id="a kind that is a list"),
        pytest.param('{"end": "error", "error": {"type": {}, "message": [], "traceback": 7}}', id="an odd error"),
        pytest.param('{"end": {}, "code": []}', id="an odd end"),
        pytest.param('{"end": "exited", "code": 1e400}', id="an odd exit code"),
        pytest.param("\x00\xff garbage", id="no text"),
        pytest.param(
            '{"end": "ok", "value": {"$": "set", "of": [' + ",".join(str(n * (2**61 - 1)) for n in range(4)) + "]}}",
            id="few equal hashes",
        ),
    ],
)
def test_whatever_the_code_says_the_parent_reads_it(line):
    result = run(f"{FORGE}forge({line!r})\nos._exit(0)")
    assert result.status in {"ok", "error", "exited"}


def test_keys_with_equal_hashes_must_not_hold_the_parent():
    made = "{'$': 'set', 'of': [n * (2 ** 61 - 1) for n in range(40000)]}"
    result = run(f"import json, os\n{FORGE}forge(json.dumps({{'end': 'ok', 'value': {made}}}))\nos._exit(0)")
    assert result.status == "error"
    assert "equal hashes" in result.error.message


@pytest.mark.parametrize(
    "name", ["json.py", "traceback.py", "os.py", "encodings.py", "sitecustomize.py", "usercustomize.py"]
)
def test_a_file_with_the_name_of_a_module_must_not_run_in_the_harness(name):
    result = run("print('main')", files={name: "print('ESCAPED')\nimport os\nos._exit(0)"}, value="1")
    assert (result.status, result.stdout, result.value) == ("ok", "main\n", 1)


def test_the_environment_of_the_parent_must_not_start_anything(monkeypatch, tmp_path):
    startup = tmp_path / "startup.py"
    startup.write_text("print('ESCAPED')")
    (tmp_path / "sitecustomize.py").write_text("print('ESCAPED')")
    for name, value in {
        "PYTHONSTARTUP": startup,
        "PYTHONPATH": tmp_path,
        "PYTHONINSPECT": "1",
        "LD_PRELOAD": "x",
    }.items():
        monkeypatch.setenv(name, str(value))
    result = run("import os, sys\nprint(sorted(os.environ), sys.flags.no_site)")
    assert result.stdout == "['HOME', 'LANG', 'PATH', 'PYTHONHASHSEED', 'PYTHONUTF8', 'TMPDIR', 'TZ'] 1\n"
