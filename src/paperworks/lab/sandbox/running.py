"""Run a program behind the walls, or many."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from .inside import values
from .inside.job import MAIN
from .limits import Limits
from .result import Failure, Result, Status
from .supervise import Refusal, Traces, supervise
from .walls import Walls, job, scratch_folder, unavailable, walls

_MOST_TEXT = 8000
_USED_UP = 0.5  # the kernel's limit counts clock ticks, its account exact time; on a busy machine they differ much
_FAILING = (ValueError, RecursionError, KeyError, TypeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One program for `run_many`; the fields are what `run` takes."""

    code: str
    stdin: str = ""
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    value: str | None = None
    limits: Limits = field(default_factory=Limits)
    hash_seed: int = 0


def run(
    code: str,
    *,
    stdin: str = "",
    files: Mapping[str, str | bytes] | None = None,
    value: str | None = None,
    limits: Limits | None = None,
    hash_seed: int = 0,
) -> Result:
    """Run ``code`` as the main module of a fresh interpreter that has the standard library and nothing else.

    ``files`` (relative path to content) lie in the working folder, from where they can be imported. ``value`` is an
    expression that is evaluated after the code; plain values (see `sandbox.inside.values`) come back. ``hash_seed``
    fixes the order of sets of strings.

    Raises `SandboxUnavailable` where this machine cannot keep ``limits``, and ValueError for a path in ``files`` that
    leaves the folder. Whatever the code does is a `Result`.
    """
    limits = limits or Limits()
    return run_script(
        Script(code=code, stdin=stdin, files=files or {}, value=value, limits=limits, hash_seed=hash_seed)
    )


def run_many(
    scripts: Iterable[Script], *, workers: int | None = None, progress: Callable[[str, int, int], None] | None = None
) -> Iterator[Result]:
    """The results of ``scripts``, in their order, as soon as each and all before it are known.

    ``workers`` run at a time (None: one a core that this process may use). ``progress`` hears ("run", done, total).
    Leaving the loop early starts no further script.
    """
    waiting = list(scripts)
    pool = ThreadPoolExecutor(workers or _cores())
    try:
        for done, result in enumerate(pool.map(run_script, waiting), 1):
            if progress is not None:
                progress("run", done, len(waiting))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def run_script(script: Script) -> Result:
    """`run` for a `Script`."""
    return perform(script)[0]


def perform(script: Script, **asked: Any) -> tuple[Result, list[dict[str, Any]]]:
    """Run ``script``; its result, and the records of what else was ``asked`` of the job, as the code gave them."""
    found = walls()
    found.require(script.limits)
    files = _contents(script.files)
    with scratch_folder(found) as folder:
        wanted = job(found, script.code, script.limits, folder, files=files, value=script.value, **asked)
        try:
            traces = supervise(wanted, script.stdin.encode(), script.limits, script.hash_seed)
        except Refusal as refused:
            raise unavailable(refused.layer, refused.why) from None
    records = list(_records(traces.results))
    return _result(traces, records, script, found), records


def _contents(files: Mapping[str, str | bytes]) -> dict[str, bytes]:
    for name in files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or str(path) != name or name in {".", MAIN} or "\0" in name:
            raise ValueError(f"{name!r} is no place for a file; give a relative path inside the folder, not {MAIN}")
    return {name: content.encode() if isinstance(content, str) else bytes(content) for name, content in files.items()}


def _records(results: bytes) -> Iterator[dict[str, Any]]:
    """The lines that are JSON objects, up to the first that is not."""
    for line in results.split(b"\n"):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(record, dict):
            return
        yield record


def _result(traces: Traces, records: list[dict[str, Any]], script: Script, found: Walls) -> Result:
    end = records[-1] if records and "end" in records[-1] else None
    status, error, value = _status(traces, end, script.limits), None, None
    if status in {Status.ERROR, Status.MEMORY} and end is not None:
        error = failure(end.get("error"))
    if status is Status.OK and end is not None and "value" in end:
        try:
            value = values.decode(end["value"])
        except _FAILING as wrong:
            status, error = Status.ERROR, Failure(type=type(wrong).__name__, message=str(wrong)[:_MOST_TEXT])
    return Result(
        status=status,
        stdout=traces.stdout.decode(errors="replace"),
        stderr=traces.stderr.decode(errors="replace"),
        value=value,
        error=error,
        exit_code=_exit_code(traces, end) if status is Status.EXITED else None,
        signal=os.WTERMSIG(traces.status) if traces.status is not None and os.WIFSIGNALED(traces.status) else None,
        wall_s=traces.wall_s,
        cpu_s=traces.cpu_s,
        peak_mb=traces.peak_mb,
        layers=found.standing,
    )


def _status(traces: Traces, end: dict[str, Any] | None, limits: Limits) -> Status:
    """How the run ended; what the kernel and the clock saw counts before what the code says."""
    if traces.ended_by is not None:
        return traces.ended_by
    if traces.status is None:
        return Status.KILLED
    if os.WIFSIGNALED(traces.status):
        return _by_signal(os.WTERMSIG(traces.status), traces.cpu_s, limits)
    if end is None or traces.status != 0 or end["end"] not in ("ok", "error"):
        return Status.EXITED
    if end["end"] == "ok":
        return Status.OK
    return Status.MEMORY if failure(end.get("error")).type == "MemoryError" else Status.ERROR


def _by_signal(number: int, cpu_s: float, limits: Limits) -> Status:
    if number == signal.SIGSYS:
        return Status.REFUSED
    if number in {signal.SIGXCPU, signal.SIGKILL} and cpu_s >= limits.bounds().cpu_s * _USED_UP:
        return Status.TIMEOUT
    return Status.KILLED


def _exit_code(traces: Traces, end: dict[str, Any] | None) -> int:
    code = end.get("code") if end is not None else None
    if isinstance(code, int) and traces.status == 0:
        return code & 0xFF
    return os.WEXITSTATUS(traces.status or 0)


def failure(said: Any) -> Failure:
    """What the code reported of an exception, whatever it was that it reported."""
    fields = said if isinstance(said, dict) else {}
    type_, message, traceback = (str(fields.get(name, ""))[:_MOST_TEXT] for name in ("type", "message", "traceback"))
    return Failure(type=type_, message=message, traceback=traceback)
