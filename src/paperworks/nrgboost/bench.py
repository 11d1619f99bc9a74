"""Training, sampling and prediction beside the official nrgboost 0.0.3: same binned table, settings and threads.

The official package lives in an environment of its own. Both are compiled before the clocks start; what compilation
costs is timed by itself. Each seed fits both once, and who begins changes with the seed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from paperworks.lab import Lab, stats
from paperworks.lab.timing import BenchRow

from .arf_bench import beside_arf
from .boosting import BoostingConfig, boost
from .compiled import compiled
from .domain import Domain
from .leaf_masks import MaskTables
from .model import EnergyModel
from .official_peer import peak_kilobytes
from .threads import Workers

__all__ = ["bench"]

OFFICIAL = "nrgboost==0.0.3"
TARGET = 1 / 5

_SEEDS = 3
_CONFIG = BoostingConfig(n_rounds=100, n_model_samples=40_000)
_ROWS, _TEST_ROWS, _BINS = 15_000, 5_000, 255
_SAMPLES, _STEPS = 200, 100
_PHASES = ("histograms", "split", "rejection", "gibbs")
_PEER_FILE = Path(__file__).with_name("official_peer.py")

_FIRST_FIT = """
import time
begin = time.perf_counter()
import numpy as np
from paperworks.nrgboost.boosting import BoostingConfig, boost
from paperworks.nrgboost.domain import Domain
rows = np.random.default_rng(0).integers(0, 4, (50, 3)).astype(np.uint8)
imported = time.perf_counter()
config = BoostingConfig(n_rounds=3, max_leaves=4, n_model_samples=100)
model = boost(rows, Domain((4, 4, 4), (False, True, False)), config, seed=0).model
model.gibbs(rows, 1, seed=0), model.conditional_logits(rows, 0), model.energy(rows)
print(time.perf_counter() - imported)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """A binned table with a numeric target in its last column."""

    rows: NDArray[np.uint8]
    test_rows: NDArray[np.uint8]
    domain: Domain


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One seed's times, the held-out negative log-likelihood of the target in nats a row, and by how much sampling
    raised the process's peak memory."""

    compile_s: float
    fit_s: float
    sample_s: float
    predict_s: float
    nats: float
    sample_mb: float


def bench(lab: Lab) -> Iterator[BenchRow]:
    """A row a case: fit, sample, predict, compile beside the official package; each phase's share of our fit; and rows
    drawn beside those of adversarial random forests.

    ``limit_s`` of sampling is the time to stream the masks that the draws need at this machine's bandwidth (section 7).
    """
    table = _friedman_table()
    python = lab.venv(OFFICIAL) / "bin" / "python"
    mine, theirs, models, phases = [], [], [], Counter[str]()
    compile_s = _first_fit_seconds()
    for seed in lab.progress(range(_SEEDS), "fits beside the official package"):
        if seed % 2:
            theirs.append(_official(python, table, seed, lab.threads))
        run, model, seconds = _ours(table, seed, lab.threads, compile_s)
        mine.append(run)
        models.append(model)
        phases.update(seconds)
        if not seed % 2:
            theirs.append(_official(python, table, seed, lab.threads))
    yield from _beside_official(mine, theirs, models, lab.threads)
    yield from _phase_rows(phases, sum(run.fit_s for run in mine))
    yield from beside_arf(lab)


def _beside_official(
    mine: Sequence[_Run], theirs: Sequence[_Run], models: Sequence[EnergyModel], threads: int
) -> Iterator[BenchRow]:
    setting = f"{_CONFIG.n_rounds} trees, {_CONFIG.max_leaves} leaves, pool {_CONFIG.n_model_samples}"
    quality = f"held-out nats {_with_error(mine, 'nats')}, theirs {_with_error(theirs, 'nats')}"
    memory = f"+{_mean(mine, 'sample_mb'):.0f} MB, theirs +{_mean(theirs, 'sample_mb'):.0f} MB"
    draws = _SAMPLES * _STEPS * models[0].domain.n_columns
    limit_s = draws * 3 * models[0].masks.tables.masks.shape[1] * 8 / _bandwidth(models[0].masks.tables, threads)
    yield _row(f"fit, {setting}: {quality}", mine, theirs, "fit_s", target=TARGET)
    case = f"sample {_SAMPLES} rows, {_STEPS} steps: {memory}"
    yield _row(case, mine, theirs, "sample_s", target=TARGET, limit_s=limit_s)
    yield _row(f"conditional of {_TEST_ROWS} rows, one pass", mine, theirs, "predict_s")
    yield _row("compile: once a machine, theirs in every process", mine, theirs, "compile_s")


def _row(
    case: str,
    mine: Sequence[_Run],
    theirs: Sequence[_Run],
    what: str,
    *,
    target: float | None = None,
    limit_s: float | None = None,
) -> BenchRow:
    ours, peer = ([getattr(run, what) for run in runs] for runs in (mine, theirs))
    ratio = stats.ratio(ours, peer)
    return BenchRow(
        case=case,
        ours_s=float(np.mean(ours)),
        peer=OFFICIAL.replace("==", " "),
        peer_s=float(np.mean(peer)),
        ratio=ratio.value,
        low=ratio.low,
        high=ratio.high,
        target=target,
        limit_s=limit_s,
    )


def _phase_rows(phases: Mapping[str, float], fit_s: float) -> Iterator[BenchRow]:
    for phase in _PHASES:
        share = phases[phase] / fit_s
        yield BenchRow(
            case=f"of all fits: {phase}",
            ours_s=phases[phase],
            peer="our whole fits",
            peer_s=fit_s,
            ratio=share,
            low=share,
            high=share,
        )


def _mean(runs: Sequence[_Run], what: str) -> float:
    return float(np.mean([getattr(run, what) for run in runs]))


def _with_error(runs: Sequence[_Run], what: str) -> str:
    """The mean over seeds and its standard error."""
    values = [getattr(run, what) for run in runs]
    return f"{np.mean(values):.4f} ± {np.std(values, ddof=1) / np.sqrt(len(values)):.4f}"


def _friedman_table() -> _Table:
    """friedman1 with 8 columns and its target, in quantile bins of the training rows."""
    from sklearn.datasets import make_friedman1

    features, target = make_friedman1(_ROWS + _TEST_ROWS, n_features=8, noise=1.0, random_state=0)
    columns = np.column_stack((features, target))
    edges = np.quantile(columns[:_ROWS], np.linspace(0, 1, _BINS + 1)[1:-1], axis=0)
    rows = np.stack([np.searchsorted(e, c, "right") for e, c in zip(edges.T, columns.T, strict=True)], 1)
    binned = np.ascontiguousarray(rows, np.uint8)
    domain = Domain((_BINS,) * columns.shape[1], (False,) * columns.shape[1])
    return _Table(rows=binned[:_ROWS], test_rows=binned[_ROWS:], domain=domain)


def _ours(table: _Table, seed: int, threads: int, compile_s: float) -> tuple[_Run, EnergyModel, Counter[str]]:
    _warm_up(table, threads)
    begin = time.perf_counter()
    model, rounds, _ = boost(table.rows, table.domain, _CONFIG, seed=seed, n_threads=threads)
    fitted, memory = time.perf_counter(), peak_kilobytes()
    model.gibbs(model.sample_initial(_SAMPLES, seed), _STEPS, seed=seed, n_threads=threads)
    sampled, memory = time.perf_counter(), peak_kilobytes() - memory
    logits = model.conditional_logits(table.test_rows, table.domain.n_columns - 1, n_threads=threads)
    predicted = time.perf_counter()
    phases = Counter[str]()
    for each in rounds:
        phases.update(each.seconds)
    run = _Run(
        compile_s=compile_s,
        fit_s=fitted - begin,
        sample_s=sampled - fitted,
        predict_s=predicted - sampled,
        nats=_nats(logits, table),
        sample_mb=memory / 1e3,
    )
    return run, model, phases


def _official(python: Path, table: _Table, seed: int, threads: int) -> _Run:
    settings = asdict(_CONFIG) | {"n_threads": threads, "seed": seed, "n_samples": _SAMPLES, "n_steps": _STEPS}
    with tempfile.TemporaryDirectory() as folder:
        task, result = Path(folder, "task.npz"), Path(folder, "result.npz")
        np.savez(
            task,
            rows=table.rows,
            test_rows=table.test_rows,
            cards=table.domain.cards,
            categorical=table.domain.categorical,
            target=table.domain.n_columns - 1,
            settings=json.dumps(settings),
        )
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "NUMBA_NUM_THREADS": str(threads)}
        environment.pop("PYTHONPATH", None)
        command = [str(python), str(_PEER_FILE), str(task), str(result)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the official package failed: {done.stderr.strip().splitlines()[-1]}")
        with np.load(result) as found:
            seconds = {name: float(found[name]) for name in ("compile_s", "fit_s", "sample_s", "predict_s")}
            kilobytes = float(found["sample_kilobytes"])
            return _Run(nats=_nats(found["log_probabilities"], table), sample_mb=kilobytes / 1e3, **seconds)


def _nats(logits: NDArray[np.float64], table: _Table) -> float:
    log_probabilities: NDArray[np.float64] = log_softmax(logits, 1)
    of_target: NDArray[np.float64] = log_probabilities[np.arange(len(logits)), table.test_rows[:, -1]]
    return -float(np.mean(of_target))


def _warm_up(table: _Table, threads: int) -> None:
    """Load what is compiled, and start what starts threads."""
    tiny = BoostingConfig(n_rounds=3, n_model_samples=1000, max_leaves=8)
    model = boost(table.rows[:500], table.domain, tiny, seed=0, n_threads=threads).model
    model.gibbs(table.rows[:8], 2, seed=0, n_threads=threads)
    model.conditional_logits(table.rows[:8], 0, n_threads=threads)


def _first_fit_seconds() -> float:
    """Of a process whose cache of compiled code is empty."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        done = subprocess.run(
            [sys.executable, "-c", _FIRST_FIT], env=environment, capture_output=True, text=True, check=True
        )
        return float(done.stdout)


def _bandwidth(tables: MaskTables, threads: int) -> float:
    """Bytes a second, on all threads together, of taking masks of random values into a running meet."""
    count = 20_000
    order = np.random.default_rng(0).integers(len(tables.masks), size=count)
    running = [np.full(tables.masks.shape[1], ~np.uint64(0)) for _ in range(threads)]
    seconds = []
    with Workers(threads) as workers:
        for _ in range(6):  # the first compiles
            begin = time.perf_counter()
            workers.map(lambda meet: _take_in(tables.masks, order, meet), running)
            seconds.append(time.perf_counter() - begin)
    return float(threads * count * 3 * 8 * tables.masks.shape[1] / min(seconds))


@compiled
def _take_in(masks: Any, order: Any, meet: Any) -> None:
    for value in order:
        for i in range(meet.shape[0]):
            meet[i] &= masks[value, i]
