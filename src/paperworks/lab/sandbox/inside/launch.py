"""The child: puts up every wall that the job asks for, and runs the code only behind all of them.

Three processes. The *watcher* makes the namespaces and stays outside: when it ends, by whatever hand, so do the others.
The *keeper*, process 1 of the new namespace, builds the file system, gives up every right, and waits for the *runner*,
which filters its own system calls and runs the code. The keeper ends the runner when the parent asks for it or dies.
When the keeper ends, the kernel ends whatever is left in the namespace.

Any step that fails is reported as the layer that is missing, and the code is not run.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from . import filesystem, harness, kernel, landlock, seccomp
from .job import MAIN, Job
from .layers import LANDLOCK, LIMITS, NAMESPACES, OWN_USER, SECCOMP

_NEW_USER, _NEW_REST = 0x10000000, 0x20000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000  # mount pid net ipc uts
_FIRST_FREE_USER, _FREE_USERS = 0x40000000, 0x20000000
_NOBODY = 65534


class _Refused(Exception):
    """A layer cannot be put up here."""

    def __init__(self, layer: str, why: str) -> None:
        super().__init__(f"{layer}: {why}")
        self.layer, self.why = layer, why


class _Channels:
    """The descriptors that the parent gave: the job, the results of the code, our own report, and the lifeline."""

    def __init__(self, job: int, results: int, report: int, lifeline: int) -> None:
        self.job, self.results, self.report, self.lifeline = job, results, report, lifeline

    def tell(self, record: dict[str, Any]) -> None:
        os.write(self.report, json.dumps(record).encode() + b"\n")


def main() -> None:
    """Run the job that the command line names: descriptors of job, results, report, lifeline; the parent's number."""
    *descriptors, parent = map(int, sys.argv[1:6])
    kernel.die_with_parent(parent)
    channels = _Channels(*descriptors)
    job = Job.from_bytes(os.pread(channels.job, os.fstat(channels.job).st_size, 0))
    os.close(channels.job)
    with _telling(channels):
        if NAMESPACES in job.layers:
            _enter_namespaces()
        watcher = os.getpid()
        keeper = os.fork()
        if keeper:
            for descriptor in (0, 1, 2, channels.results, channels.report, channels.lifeline):
                os.close(descriptor)  # whose closing by everybody is how the parent sees that the run is over
            os.waitpid(keeper, 0)
        else:
            _keep(job, channels, 0 if NAMESPACES in job.layers else watcher)  # from outside a namespace: number 0
    os._exit(0)


@contextmanager
def _telling(channels: _Channels) -> Iterator[None]:
    """Report whatever goes wrong before the code is run, and end this process then."""
    try:
        yield
    except _Refused as refused:
        channels.tell({"refused": refused.layer, "why": refused.why})
    except BaseException as error:
        channels.tell({"refused": "a process of its own", "why": f"{type(error).__name__}: {error}"})
    else:
        return
    os._exit(1)


def _put_up(layer: str, wall: Callable[[], object]) -> None:
    try:
        wall()
    except (OSError, ValueError) as error:
        raise _Refused(layer, str(error)) from None


def _enter_namespaces() -> None:
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        _put_up(NAMESPACES, lambda: kernel.unshare(_NEW_REST))
        return
    _put_up(NAMESPACES, lambda: kernel.unshare(_NEW_USER | _NEW_REST))
    for file, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        _put_up(NAMESPACES, lambda file=file, text=text: _write(f"/proc/self/{file}", text))  # type: ignore[misc]


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:  # noqa: PTH123  (the child starts without pathlib, which is slow to import)
        file.write(text)


def _keep(job: Job, channels: _Channels, parent: int) -> None:
    """Put up what holds for every process of the run, start the runner, and report how it ended."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # process 1 is safe from signals inside that it has no handler for
    kernel.die_with_parent(parent)
    if NAMESPACES in job.layers:
        _put_up(NAMESPACES, lambda: _new_root(job))
    else:
        filesystem.write_files(job.scratch, _files(job))
        os.chdir(job.scratch)
    _give_up_rights(job)
    kernel.die_with_parent(parent)  # the kernel forgets it when the user changes
    if LANDLOCK in job.layers:
        _put_up(LANDLOCK, lambda: _confine(job))
    keeper = os.getpid()
    runner = os.fork()
    if not runner:
        with _telling(channels):
            kernel.die_with_parent(keeper)
            os.close(channels.lifeline)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            _prepare(job)
            channels.tell({"started": True})
            os.close(channels.report)
        _run(job, channels.results)
    os.close(channels.results)
    _await(runner, channels)


def _run(job: Job, results: int) -> NoReturn:
    """Run the code and end, whatever it has done to this interpreter: nothing of ours runs after it."""
    status = 1
    try:
        harness.run(job, results)
        status = 0
    finally:
        os._exit(status)


def _await(runner: int, channels: _Channels) -> None:
    """Wait for the runner, or end it where the lifeline closes, and report how it ended and what it used.

    Orphans of the run become children of this process; they stay unburied, and counted, until it ends.
    """
    ended = os.pidfd_open(runner)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(channels.lifeline, select.POLLIN)
    if all(descriptor != ended for descriptor, _ in poll.poll()):
        os.kill(runner, signal.SIGKILL)
    _, status, usage = os.wait4(runner, 0)
    channels.tell({"ended": status, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_kib": usage.ru_maxrss})


def _files(job: Job) -> dict[str, bytes]:
    return {MAIN: job.code.encode("utf-8", "surrogatepass"), **job.files}


def _new_root(job: Job) -> None:
    filesystem.enter(job.view, _files(job), job.bounds.disk)


def _give_up_rights(job: Job) -> None:
    if OWN_USER in job.layers:
        _put_up(OWN_USER, _change_user)
    _put_up(LIMITS, kernel.drop_capabilities)
    _put_up(LIMITS, kernel.forbid_new_privileges)
    _put_up(LIMITS, kernel.hide)


def _change_user() -> None:
    """A user that owns no file and runs nothing else, so that limits on a user's processes are this run's alone."""
    os.setgroups([])
    free = _FIRST_FREE_USER + int.from_bytes(os.urandom(4), "little") % _FREE_USERS
    for user in (free, _NOBODY):  # a container may have no other than the first 65536
        try:
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
        except OSError:
            continue
        return
    raise OSError("no other user to change to")


def _confine(job: Job) -> None:
    landlock.confine(
        readable=[*job.view.readable, job.scratch],
        listable=job.view.listable,
        writable=[job.scratch] if job.bounds.disk else [],
        devices=job.view.devices,
    )


def _prepare(job: Job) -> None:
    _put_up(LIMITS, lambda: _limit(job))
    library = job.view.listable[0]
    os.scandir(library).close()  # out of reach, it would make the code fail for a reason of ours
    sys.dont_write_bytecode = True
    sys.argv[:] = [MAIN]
    for name in [name for name in sys.modules if name.partition(".")[0] == __package__]:
        del sys.modules[name]  # the code may bring a module of that name
    sys.path[:] = [job.scratch, *(path for path in sys.path if path.startswith(library))]
    program = seccomp.build(
        machine=os.uname().machine,
        process=os.getpid(),
        may_write=job.bounds.disk > 0,
        may_fork=job.bounds.processes > 1,
    )
    _put_up(SECCOMP, lambda: kernel.filter_system_calls(program))


def _limit(job: Job) -> None:
    bounds = job.bounds
    ours = 2 if OWN_USER in job.layers else 3  # the keeper, and for ordinary users the watcher, count too
    for what, most in {
        resource.RLIMIT_AS: bounds.memory,
        resource.RLIMIT_CPU: bounds.cpu_s,
        resource.RLIMIT_NPROC: bounds.processes + bounds.threads + ours - 1,
        resource.RLIMIT_FSIZE: bounds.disk,
        resource.RLIMIT_NOFILE: bounds.open_files,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }.items():
        resource.setrlimit(what, (most, most))
