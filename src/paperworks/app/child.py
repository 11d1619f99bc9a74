"""One paper's experiment, or its bench, in a process of its own: ``python -m paperworks.app.child JOB``.

The parent gives two file descriptors: ``PAPERWORKS_EVENTS``, to which this process writes one JSON object a line as
soon as something is known, and ``PAPERWORKS_LIFELINE``, whose other end closes when the parent dies, however it dies.
What is printed goes to a log.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paperworks.core import Measurement, MissingExtra, Paper, Untested, UserError, to_record
from paperworks.lab.public_api import absent_package

from . import family
from .job import BENCH, Job

if TYPE_CHECKING:
    from paperworks.lab import Lab

Emit = Callable[[Mapping[str, Any]], None]

_BENCH_SEEDS = 3
_MAX_TRACEBACK = 20_000


def main(check: Callable[[Job], None] = lambda job: None) -> int:
    """Run the job that the command line names, unless ``check`` raises; 0 where it came to its end."""
    events = int(os.environ["PAPERWORKS_EVENTS"])
    die_with_parent(int(os.environ["PAPERWORKS_LIFELINE"]), events)
    os.set_inheritable(events, False)
    emit = _writer(events)
    job = Job.from_json(sys.argv[1])
    try:
        check(job)
        _run(job, emit)
    except Exception as error:
        emit(_error_event(job.slug, error))
        traceback.print_exc()
        return 1
    emit({"event": "end", "cost": _cost()})
    return 0


def _run(job: Job, emit: Emit) -> None:
    paper: Paper = import_module(f"paperworks.{job.slug}.paper").PAPER
    if job.preset == BENCH:
        bench = import_module(f"paperworks.{job.slug}.bench").bench
        _start(job, emit, sizes={}, seeds=_BENCH_SEEDS)
        for row in bench(_lab(job, _BENCH_SEEDS, emit)):
            emit({"event": "bench", "row": asdict(row)})
        return
    experiment = import_module(f"paperworks.{job.slug}.experiment")
    if job.preset not in experiment.PRESETS:
        raise UserError(f"{job.slug} has no preset {job.preset}; it has {', '.join(experiment.PRESETS)}")
    sizes = experiment.PRESETS[job.preset]
    if job.seeds is not None:
        sizes = replace(sizes, seeds=job.seeds)
    _start(job, emit, sizes=asdict(sizes), seeds=sizes.seeds)
    results = chain(experiment.run(_lab(job, sizes.seeds, emit), sizes), _untestable(paper))
    for result in checked(paper, results):
        emit({"event": "result", "result": to_record(result)})


def _untestable(paper: Paper) -> Iterator[Untested]:
    """The results of the claims that no experiment can measure: their own reason."""
    return (Untested(claim=claim.id, reason=claim.untestable) for claim in paper.claims if claim.judge is None)


def checked(paper: Paper, results: Iterable[object]) -> Iterator[Measurement | Untested]:
    """The results of an experiment as they come, a repeated equal one dropped.

    Raises TypeError for what is no result, and ValueError for a claim that the paper does not have, a second and
    different result for a claim, and, at the end, claims that were given none.
    """
    seen: dict[str, Measurement | Untested] = {}
    known = [claim.id for claim in paper.claims]
    for result in results:
        if not isinstance(result, Measurement | Untested):
            raise TypeError(f"an experiment yields Measurement or Untested, not {type(result).__name__}")
        if result.claim not in known:
            raise ValueError(f"the experiment gave a result for {result.claim!r}; the claims are {', '.join(known)}")
        if result.claim not in seen:
            seen[result.claim] = result
            yield result
        elif seen[result.claim] != result:
            raise ValueError(f"the experiment gave claim {result.claim} a second, different result")
    if left := [claim for claim in known if claim not in seen]:
        raise ValueError(
            f"the experiment ended without a result for {', '.join(left)}; what it cannot measure is Untested"
        )


def _lab(job: Job, seeds: int, emit: Emit) -> Lab:
    from paperworks.lab import Lab

    return Lab(
        job.slug,
        preset=job.preset,
        seeds=seeds,
        device=job.device,
        threads=job.threads,
        home=Path(job.steps),
        fingerprint=job.fingerprint,
        offers=Path(job.offers) if job.offers else None,
        emit=emit,
    )


def _start(job: Job, emit: Emit, *, sizes: Mapping[str, Any], seeds: int) -> None:
    from . import environment

    described = environment.describe(job.slug, job.device, job.threads)
    described["seeds_from"] = "preset" if job.seeds is None else "command line"
    emit({"event": "start", "sizes": dict(sizes), "seeds": seeds, "environment": described})


def _writer(descriptor: int) -> Emit:
    lock = threading.Lock()

    def emit(event: Mapping[str, Any]) -> None:
        text = json.dumps(event, ensure_ascii=False, allow_nan=False)
        left = memoryview(text.encode(errors="replace") + b"\n")  # a path in an error message may be no text
        with lock:
            while left:
                left = left[os.write(descriptor, left) :]

    return emit


def _error_event(slug: str, error: Exception) -> dict[str, str]:
    if isinstance(error, ModuleNotFoundError) and (absent := absent_package(error)):
        error = MissingExtra(slug, absent).with_traceback(error.__traceback__)
    if isinstance(error, MissingExtra) and error.who == "lab":
        error = MissingExtra(slug, error.package).with_traceback(error.__traceback__)  # whose extra brings it too
    kind, message = "crash", f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, MissingExtra):
        kind, message = "missing", str(error)
    elif isinstance(error, UserError):
        kind, message = "user", str(error)
    text = "".join(traceback.format_exception(error))
    return {"event": "error", "kind": kind, "message": message, "traceback": text[-_MAX_TRACEBACK:]}


def _cost() -> dict[str, float]:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB elsewhere
    return {
        "cpu_s": sum(usage.ru_utime + usage.ru_stime for usage in usages),
        "peak_mb": max(usage.ru_maxrss for usage in usages) * unit / 1e6,
    }


def die_with_parent(lifeline: int, events: int) -> None:
    """Leave a guard in this process's group that ends all of the child's once the lifeline's other end is closed.

    A process of its own, because a thread would wait for the interpreter while a kernel computes; forked twice, so
    that it is no child of the experiment, which may wait for its children.
    """
    if between := os.fork():
        os.waitpid(between, 0)
        os.close(lifeline)
        return
    if os.fork():
        os._exit(0)
    os.close(events)
    while os.read(lifeline, 1):
        pass
    try:
        family.end(os.environ[family.MARK])
    finally:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
