"""Attacks on and by processes: none is started or outlives its run, none outside is touched, no program is executed."""

from __future__ import annotations

import pytest

from paperworks.lab.sandbox import Limits

LEFT_OUT = {"no Landlock", "root, no namespaces"}

MUST_NOT = {
    "fork": "import os\nif os.fork() == 0: os._exit(0)\nprint('ESCAPED')",
    "start a program": "import os\nos.spawnv(os.P_WAIT, '/bin/true', ['true'])\nprint('ESCAPED')",
    "start a program by subprocess": "import subprocess\nsubprocess.run(['/bin/true'])\nprint('ESCAPED')",
    "start a program by posix_spawn": "import os\nos.posix_spawn('/bin/true', ['true'], {})\nprint('ESCAPED')",
    "become a program": "import os\nos.execv('/bin/echo', ['echo', 'ESCAPED'])",
    "become a program from memory": (
        "import os\n"
        "handle = os.memfd_create('program', 0)\n"
        "os.write(handle, open('/bin/echo', 'rb').read())\n"
        "os.execve(handle, ['echo', 'ESCAPED'], {})"
    ),
    "see that the parent is there": "import os\nos.kill($PARENT, 0)\nprint('ESCAPED')",
    "signal everybody": "import os\nos.kill(-1, 0)\nprint('ESCAPED')",
    "signal its own group, the keeper included": "import os\nos.kill(0, 0)\nprint('ESCAPED')",
    "signal who started it": "import os\nos.kill(os.getppid() or $PARENT, 0)\nprint('ESCAPED')",
    "take hold of the parent": "import os\nos.pidfd_open($PARENT)\nprint('ESCAPED')",
    "send the parent signals through a file": (
        "import fcntl, os\n"
        "reading, _ = os.pipe()\n"
        "fcntl.fcntl(reading, 8, $PARENT)  # F_SETOWN\n"
        "print('ESCAPED')"
    ),
    "leave its session": "import os\nos.setsid()\nprint('ESCAPED')",
    "leave its process group": "import os\nos.setpgid(0, 0)\nprint('ESCAPED')",
    "be nicer than it is": "import os\nos.nice(1)\nprint('ESCAPED')",
    "choose its cores": "import os\nos.sched_setaffinity(0, os.sched_getaffinity(0))\nprint('ESCAPED')",
    "choose its scheduler": (
        "import os\nos.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\nprint('ESCAPED')"
    ),
    "change its limits": (
        "import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nprint('ESCAPED')"
    ),
    "read the limits of the parent": (
        "import resource\nresource.prlimit($PARENT, resource.RLIMIT_CORE)\nprint('ESCAPED')"
    ),
}  # fmt: skip
MUST_NOT_EITHER = {
    "become root": "import os\nos.setuid(0)\nprint('ESCAPED')",
    "take on another group": "import os\nos.setgroups([0])\nprint('ESCAPED')",
    "use processes by multiprocessing": (
        "import multiprocessing\nmultiprocessing.get_context('fork').Process(target=print).start()\nprint('ESCAPED')"
    ),
    "open a shell": "import os\nprint('ESCAPED' if os.system('true') == 0 else '')\nraise OSError",
}  # fmt: skip


def test_would_succeed_outside(shown_attack, check_outside):
    check_outside(shown_attack)


def test_fails(attack, check_attack):
    check_attack(attack, "error")


def test_a_fork_bomb_must_not_get_one_process(check_attack):
    code = "import os\nwhile True:\n    try: os.fork()\n    except PermissionError: break\nprint(os.getpid())"
    assert len(check_attack(code, "ok").stdout.splitlines()) == 1


def test_threads_must_not_outlive_the_run(check_attack):
    code = (
        "import threading, time\n"
        "def forever():\n    while True: time.sleep(0.01)\n"
        "for _ in range(3):\n"
        "    try: threading.Thread(target=forever).start()\n"
        "    except RuntimeError: pass\n"
        "print('end')"
    )
    assert check_attack(code, "ok").stdout == "end\n"


def test_threads_must_not_be_more_than_the_limit(check_attack):
    code = (
        "import threading\n"
        "stop, started = threading.Event(), 0\n"
        "try:\n"
        "    for _ in range(1000):\n"
        "        threading.Thread(target=stop.wait).start()\n"
        "        started += 1\n"
        "except RuntimeError: pass\n"
        "print('ESCAPED' if started > 5 else 'held')"
    )
    assert check_attack(code, "ok", limits=Limits(threads=5)).stdout == "held\n"


def test_stopping_itself_must_not_stop_the_clock(check_attack):
    check_attack("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", "timeout", limits=Limits(wall_s=0.2))


def test_ending_itself_must_not_look_like_success(check_attack):
    check_attack("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "killed")
    check_attack("import os\nos.abort()", "killed")


def test_ignoring_every_signal_must_not_help(check_attack):
    code = (
        "import signal\n"
        "for number in range(1, 65):\n"
        "    try: signal.signal(number, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\n"
        "while True:\n"
        "    try:\n"
        "        while True: pass\n"
        "    except BaseException: pass"
    )
    check_attack(code, "timeout", limits=Limits(wall_s=0.2))


def test_catching_the_cpu_signal_must_not_help(check_attack):
    code = "import signal\nsignal.signal(signal.SIGXCPU, lambda *_: None)\nwhile True: pass"
    result = check_attack(code, "timeout", limits=Limits(wall_s=20, cpu_s=1))
    assert result.wall_s < 20


class TestWhereForkingIsAllowed:
    """With ``processes`` above 1 a run may fork; the namespace ends all of it with the run."""

    @pytest.fixture(autouse=True)
    def needs_namespaces(self, parent):
        self.possible = "namespaces" not in parent.without

    def test_it_is_refused_without_namespaces(self, parent):
        answer = parent("run", code="", limits=Limits(processes=4))
        assert self.possible or type(answer).__name__ == "SandboxUnavailable"

    def attacked(self, parent, check_attack, code, ends):
        if self.possible:
            return check_attack(code, ends, limits=Limits(processes=4, threads=0, wall_s=1, memory=128 << 20))
        return None

    def test_a_daemon_must_not_survive(self, parent, check_attack):
        code = (
            "import os, signal, time\n"
            "if os.fork() == 0:\n"
            "    if os.fork() == 0:\n"
            "        for number in (1, 2, 15): signal.signal(number, signal.SIG_IGN)\n"
            "        while True: time.sleep(1)\n"
            "    os._exit(0)\n"
            "os.wait()\n"
            "print('end')"
        )
        if result := self.attacked(parent, check_attack, code, "ok"):
            assert result.stdout == "end\n"

    def test_a_fork_bomb_must_not_pass_the_limit(self, parent, check_attack):
        code = (
            "import os, time\n"
            "started = 0\n"
            "while True:\n"
            "    try: child = os.fork()\n"
            "    except OSError: break\n"
            "    while not child: time.sleep(100)\n"
            "    started += 1\n"
            "print(started)"
        )
        if result := self.attacked(parent, check_attack, code, "ok"):
            assert result.stdout == "3\n"

    def test_killing_everybody_must_not_leave_the_namespace(self, parent, check_attack):
        code = (
            "import os, signal\n"
            "for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGSTOP, signal.SIGKILL):\n"
            "    for process in (-1, 1):\n"
            "        try: os.kill(process, number)\n"
            "        except OSError: pass\n"
            "print('end')"
        )
        if result := self.attacked(parent, check_attack, code, "ok"):
            assert result.stdout == "end\n"
