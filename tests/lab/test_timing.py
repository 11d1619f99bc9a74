"""Timing with a clock of our own: fair turns, right ratios, and an interval that covers as often as it says."""

import gc
import math
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from paperworks.lab import timing


class Machine:
    """A clock, and work that moves it: ``pace(name, nth call)`` seconds a call."""

    def __init__(self, pace) -> None:
        self.now, self.pace, self.log, self.calls = 0.0, pace, [], Counter()

    def clock(self) -> float:
        return self.now

    def work(self, name: str):
        def call() -> None:
            self.log.append(name)
            self.calls[name] += 1
            self.now += self.pace(name, self.calls[name])

        return call


def compared(pace, peers=("a", "b"), **settings):
    machine = Machine(pace)
    found = timing.compare(
        machine.work("ours"), {name: machine.work(name) for name in peers}, clock=machine.clock, **settings
    )
    return found, machine


SECONDS = {"ours": 0.5, "a": 1.0, "b": 0.25}


def test_ratios_and_medians_are_right():
    found, _ = compared(lambda name, _: SECONDS[name])
    assert found.ours_s == pytest.approx(0.5)
    assert found.repeats == 7
    for name, ratio in (("a", 0.5), ("b", 2.0)):
        peer = found.peers[name]
        assert (peer.seconds, peer.low, peer.ratio, peer.high) == pytest.approx((SECONDS[name], ratio, ratio, ratio))


def test_everybody_runs_in_every_round_and_takes_turns_to_begin():
    _, machine = compared(lambda name, _: SECONDS[name])
    rounds = [machine.log[start : start + 3] for start in range(6, len(machine.log), 3)]  # after two warm-up calls each
    assert len(rounds) == 7
    assert all(sorted(turn) == ["a", "b", "ours"] for turn in rounds)
    assert {turn[0] for turn in rounds} == {"a", "b", "ours"}


def test_the_first_calls_do_not_count():
    found, _ = compared(lambda name, nth: 60.0 if nth == 1 else SECONDS[name])
    assert found.ours_s == pytest.approx(0.5)


def test_a_slow_phase_meets_both_sides():
    machine = Machine(lambda name, nth: SECONDS[name] * (3 if 4 <= nth <= 6 else 1))
    found = timing.compare(machine.work("ours"), {"a": machine.work("a")}, clock=machine.clock)
    assert (found.peers["a"].low, found.peers["a"].high) == pytest.approx((0.5, 0.5))


def test_quick_calls_are_timed_many_at_a_time():
    found, machine = compared(lambda name, _: SECONDS[name] * 1e-4)
    assert found.ours_s == pytest.approx(0.5e-4)
    assert machine.log.count("ours") == 2 + 7 * 200  # 200 calls of 50 microseconds make 10 ms


def test_calls_too_short_for_the_clock_do_not_divide_by_zero():
    found, _ = compared(lambda *_: 0.0)
    assert found.ours_s > 0
    assert found.peers["a"].ratio == 1


def test_the_gpu_is_waited_for():
    machine = Machine(lambda *_: 1e-5)  # starting the work is quick

    def synchronize() -> None:
        waiting, machine.queued = getattr(machine, "queued", 0), 0
        machine.now += waiting

    def launch(seconds):
        start = machine.work("launch")

        def call() -> None:
            start()
            machine.queued = getattr(machine, "queued", 0) + seconds

        return call

    found = timing.compare(launch(1.0), {"a": launch(2.0)}, clock=machine.clock, synchronize=synchronize)
    assert found.peers["a"].ratio == pytest.approx(0.5, rel=1e-3)


def test_garbage_collection_waits_and_comes_back():
    seen = []
    timing.compare(lambda: seen.append(gc.isenabled()), {"a": lambda: None}, clock=Machine(None).clock)
    assert not any(seen)
    assert gc.isenabled()


@pytest.mark.parametrize("count", range(6, 60))
def test_the_interval_of_a_median_is_the_binomials(count):
    low, high = timing.median_interval(count)
    assert high == count - 1 - low
    assert 1 - 2 * binom.cdf(low, count, 0.5) >= 0.95
    assert 1 - 2 * binom.cdf(low + 1, count, 0.5) < 0.95, "the next narrower pair would not do"


def test_the_interval_covers_the_true_ratio():
    rng = np.random.default_rng(0)
    times = np.exp(rng.gumbel(size=(2000, 2, 9)) * 0.3)  # skewed, as times are
    peers = [timing._peer_time(tuple(ours), tuple(theirs)) for ours, theirs in times]
    hits = sum(peer.low <= 1 <= peer.high for peer in peers)
    assert binomtest(hits, 2000, 0.95, alternative="less").pvalue > 1e-4
    assert hits < 2000


def test_too_few_rounds_and_no_peer_are_refused():
    with pytest.raises(ValueError, match="give at least 6"):
        timing.compare(lambda: None, {"a": lambda: None}, repeats=5)
    with pytest.raises(ValueError, match="no peer to compare with"):
        timing.compare(lambda: None, {})
    with pytest.raises(ValueError, match="too few"):
        timing.median_interval(5)


def test_a_comparison_becomes_rows():
    found, _ = compared(lambda name, _: SECONDS[name])
    one, other = found.rows("512x512", limit_s=0.1, targets={"b": 2.5})
    assert (one.case, one.peer, one.target, one.limit_s) == ("512x512", "a", None, 0.1)
    assert (other.peer, other.target) == ("b", 2.5)
    assert other.ratio == pytest.approx(2)
    with pytest.raises(ValueError, match="targets name c, but the peers are a, b"):
        found.rows("512x512", targets={"c": 1})


ROW = {"case": "x", "ours_s": 1.0, "peer": "numpy", "peer_s": 2.0, "ratio": 0.5, "low": 0.4, "high": 0.6}


@pytest.mark.parametrize(
    "wrong",
    [
        {"case": " "},
        {"peer": ""},
        {"ours_s": 0.0},
        {"peer_s": math.nan},
        {"ratio": math.inf},
        {"ratio": 0.7},
        {"low": -1.0},
        {"limit_s": 0.0},
        {"target": math.nan},
        {"ours_s": np.float32(1)},
    ],
)
def test_a_row_is_checked(wrong):
    timing.BenchRow(**ROW, limit_s=0.1, target=1.0)
    with pytest.raises(ValueError, match="bench row"):
        timing.BenchRow(**ROW | wrong)


def test_threads_are_set_inside_and_given_back():
    import torch
    from threadpoolctl import threadpool_info

    def counts():
        return {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}, torch.get_num_threads()

    before = counts()
    with timing.threads(2):
        assert torch.get_num_threads() == 2
    assert counts() == before
    with pytest.raises(RuntimeError, match="passes"), timing.threads(2):
        raise RuntimeError("passes")
    assert counts() == before
    with pytest.raises(ValueError, match="at least 1"), timing.threads(0):
        pass


def test_timing_alone_imports_nothing_heavy():
    code = "import sys, paperworks.lab.timing; print([m for m in ('numpy', 'torch', 'scipy') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
