"""Ours beside its peers: interleaved wall-clock times, and the ratio with an interval that assumes nothing."""

from __future__ import annotations

import gc
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields

MIN_REPEATS = 6
"""Below this no interval between two of the measured ratios has 95 % confidence."""

_SAMPLE_S = 0.01  # a sample lasts at least this long, so that the clock's resolution and a call's overhead vanish
_MOST_CALLS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchRow:
    """One line of a paper's benchmark: ours against a peer, and against what the machine could do at best.

    ``ours_s`` and ``peer_s`` are seconds a call. ``ratio`` is ours over the peer's time (below 1: ours is faster),
    with its interval ``low`` to ``high``. ``limit_s`` is the physical limit in seconds, ``target`` the largest ratio
    that the paper's issue asks for; None where there is none.
    """

    case: str
    ours_s: float
    peer: str
    peer_s: float
    ratio: float
    low: float
    high: float
    limit_s: float | None = None
    target: float | None = None

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if name in {"case", "peer"}:
                if not isinstance(value, str) or not value.strip():
                    raise ValueError(f"a bench row's {name} is a text that names it, not {value!r}")
            elif value is not None or name not in {"limit_s", "target"}:
                _require_positive(f"bench row {self.case!r}: {name}", value)
        if not self.low <= self.ratio <= self.high:
            raise ValueError(
                f"bench row {self.case!r}: the interval [{self.low}, {self.high}] must contain the ratio {self.ratio}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerTime:
    """A peer's median seconds a call, and ours over the peer's with a 95 % interval."""

    seconds: float
    ratio: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What `compare` found: our median seconds a call, each peer's times, and the number of rounds."""

    ours_s: float
    peers: Mapping[str, PeerTime]
    repeats: int

    def rows(
        self, case: str, *, limit_s: float | None = None, targets: Mapping[str, float] | None = None
    ) -> tuple[BenchRow, ...]:
        """A `BenchRow` a peer. ``targets`` gives the largest ratio wanted, by the peer's name."""
        targets = targets or {}
        if unknown := sorted(set(targets) - set(self.peers)):
            raise ValueError(f"{case}: targets name {', '.join(unknown)}, but the peers are {', '.join(self.peers)}")
        return tuple(
            BenchRow(
                case=case,
                ours_s=self.ours_s,
                peer=name,
                peer_s=peer.seconds,
                ratio=peer.ratio,
                low=peer.low,
                high=peer.high,
                limit_s=limit_s,
                target=targets.get(name),
            )
            for name, peer in self.peers.items()
        )


def compare(
    ours: Callable[[], object],
    peers: Mapping[str, Callable[[], object]],
    repeats: int = 7,
    *,
    synchronize: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> Comparison:
    """Time ``ours`` and every peer in ``repeats`` rounds, each of which runs all of them once, in changing order.

    Wall-clock time, after a warm-up that also finds how many calls make a sample of 10 ms; garbage collection waits.
    ``synchronize`` is called before the clock is read (a GPU works behind the program's back). A ratio is the median
    of the rounds' ratios, which a slow phase of the machine leaves alone since it meets both sides; so it may differ
    a little from the ratio of the medians. Its interval lies between two order statistics of those ratios, chosen by
    the binomial distribution for at least 95 % confidence (with 7 rounds: the smallest and the largest).

    Raises ValueError for fewer than 6 repeats, or no peer.
    """
    if repeats < MIN_REPEATS:
        raise ValueError(f"repeats={repeats} is too few for a 95 % interval; give at least {MIN_REPEATS}")
    if not peers:
        raise ValueError("there is no peer to compare with; give at least one, by name")
    calls = [ours, *peers.values()]
    with _no_collection():
        counts = [_calls_a_sample(call, synchronize, clock) for call in calls]
        rounds = [_one_round(calls, counts, turn, synchronize, clock) for turn in range(repeats)]
    mine, *others = zip(*rounds, strict=True)
    return Comparison(
        ours_s=statistics.median(mine),
        peers={name: _peer_time(mine, theirs) for name, theirs in zip(peers, others, strict=True)},
        repeats=repeats,
    )


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let BLAS, OpenMP, torch and numba use ``count`` threads inside the block, as far as they are loaded by then."""
    if count < 1:
        raise ValueError(f"{count} threads cannot compute anything; give at least 1")
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    torch, numba = sys.modules.get("torch"), sys.modules.get("numba")
    before_torch = torch.get_num_threads() if torch else 0
    before_numba = numba.get_num_threads() if numba else 0
    with threadpool_limits(count):
        try:
            if torch:
                torch.set_num_threads(count)
            if numba:
                numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
            yield
        finally:
            if torch:
                torch.set_num_threads(before_torch)
            if numba:
                numba.set_num_threads(before_numba)


def median_interval(count: int, confidence: float = 0.95) -> tuple[int, int]:
    """Which two of ``count`` sorted independent values enclose their distribution's median with that confidence.

    Positions from 0: the narrowest symmetric pair (r, count - 1 - r), by the binomial distribution with p = 1/2.
    Raises ValueError where even the smallest and the largest do not.
    """
    tail, inner = 0.0, -1
    while (tail := tail + math.comb(count, inner + 1) / 2**count) * 2 <= 1 - confidence:
        inner += 1
    if inner < 0:
        raise ValueError(f"{count} values are too few for a {confidence:.0%} interval of their median")
    return inner, count - 1 - inner


def _one_round(
    calls: list[Callable[[], object]],
    counts: list[int],
    turn: int,
    synchronize: Callable[[], None],
    clock: Callable[[], float],
) -> list[float]:
    """Seconds a call for every one of ``calls``; who begins changes with ``turn``."""
    seconds = [0.0] * len(calls)
    for position in range(len(calls)):
        index = (position + turn) % len(calls)
        seconds[index] = _sample(calls[index], counts[index], synchronize, clock) / counts[index]
    return seconds


def _sample(
    call: Callable[[], object], count: int, synchronize: Callable[[], None], clock: Callable[[], float]
) -> float:
    synchronize()
    start = clock()
    for _ in range(count):
        call()
    synchronize()
    return max(clock() - start, 1e-9)


def _calls_a_sample(call: Callable[[], object], synchronize: Callable[[], None], clock: Callable[[], float]) -> int:
    """Warms up (compilers, caches, allocators), then finds how many calls last 10 ms."""
    _sample(call, 1, synchronize, clock)
    once = _sample(call, 1, synchronize, clock)
    return max(1, min(_MOST_CALLS, math.ceil(_SAMPLE_S / once)))


def _peer_time(mine: tuple[float, ...], theirs: tuple[float, ...]) -> PeerTime:
    ratios = sorted(a / b for a, b in zip(mine, theirs, strict=True))
    low, high = median_interval(len(ratios))
    return PeerTime(
        seconds=statistics.median(theirs), ratio=statistics.median(ratios), low=ratios[low], high=ratios[high]
    )


@contextmanager
def _no_collection() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _require_positive(what: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise ValueError(f"{what} must be a finite number above 0, not {value!r}")
