"""Rows drawn by NRGBoost and by adversarial random forests (arfpy 0.1.1): the seconds, and what the rows are good for.

Of the paper's other generative models made of trees this one is published as a package. It runs in an environment of
its own, since it calls what newer releases of numpy no longer have.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from paperworks.lab import Lab, stats
from paperworks.lab.timing import BenchRow

from . import datasets
from .binning import decimals_of
from .contenders import features_and_target, fit_nrgboost, plain_learner, timed
from .datasets import Split
from .diagnostics import discriminator_auc
from .sizes import PRESETS

__all__ = ["ARF", "beside_arf"]

ARF = ("arfpy==0.1.1", "numpy==1.26.4", "pandas==2.2.3", "scikit-learn==1.5.2", "scipy==1.14.1")

_TABLES = ("diabetes", "breast_cancer", "friedman1")
_ROWS = 4000
_SEEDS = 3
_SIZES = PRESETS["quick"].models
_PEER_FILE = Path(__file__).with_name("arf_peer.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """Seconds of fitting and drawing, the score of a learner on real rows that saw the drawn ones alone, and the area
    under the curve of a discriminator between drawn and real ones."""

    seconds: float
    learner: float
    discriminator: float


def beside_arf(lab: Lab) -> Iterator[BenchRow]:
    """A row a table: fit, and draw as many rows as there were to learn from."""
    python = lab.venv(*ARF) / "bin" / "python"
    for name in lab.progress(_TABLES, "rows drawn beside arfpy"):
        table = datasets.load(name, _ROWS)
        splits = [datasets.split(table, seed) for seed in range(_SEEDS)]
        mine = [_ours(split, seed, lab.threads) for seed, split in enumerate(splits)]
        theirs = [_arf(python, split, seed, lab.threads) for seed, split in enumerate(splits)]
        yield _row(name, len(splits[0].train), mine, theirs)


def _row(name: str, count: int, mine: Sequence[_Drawn], theirs: Sequence[_Drawn]) -> BenchRow:
    ours, peer = ([run.seconds for run in runs] for runs in (mine, theirs))
    ratio = stats.ratio(ours, peer)
    told = "; ".join(
        f"{what} {_mean(mine, attribute):.3f}, theirs {_mean(theirs, attribute):.3f}"
        for what, attribute in (("a learner on them scores", "learner"), ("discriminator's area", "discriminator"))
    )
    return BenchRow(
        case=f"fit {name} and draw {count} rows: {told}",
        ours_s=float(np.mean(ours)),
        peer=ARF[0].replace("==", " "),
        peer_s=float(np.mean(peer)),
        ratio=ratio.value,
        low=ratio.low,
        high=ratio.high,
    )


def _mean(runs: Sequence[_Drawn], what: str) -> float:
    return float(np.mean([getattr(run, what) for run in runs]))


def _ours(split: Split, seed: int, threads: int) -> _Drawn:
    drawn, seconds = timed(
        lambda: fit_nrgboost(split, _SIZES, seed, threads).sample(len(split.train), random_state=seed)
    )
    return _judged(split, drawn, seconds, seed)


def _arf(python: Path, split: Split, seed: int, threads: int) -> _Drawn:
    categories = [name for name, cells in split.train.items() if isinstance(cells.dtype, pd.CategoricalDtype)]
    settings = {"categories": categories, "count": len(split.train), "threads": threads, "seed": seed}
    with tempfile.TemporaryDirectory() as folder:
        table, drawn = Path(folder, "table.csv"), Path(folder, "drawn.csv")
        split.train.to_csv(table, index=False)
        done = subprocess.run(
            [str(python), str(_PEER_FILE), str(table), str(drawn), json.dumps(settings)],
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"arfpy failed: {(done.stderr.strip().splitlines() or ['nothing was said'])[-1]}")
        rows = pd.read_csv(drawn, dtype=dict.fromkeys(categories, str))
    return _judged(split, _like(rows, split.train), float(done.stdout), seed)


def _like(drawn: pd.DataFrame, real: pd.DataFrame) -> pd.DataFrame:
    """The rows drawn with the types of ``real``: classes by their texts, numbers with as many decimals as theirs."""
    return pd.DataFrame({name: _cells_like(drawn[name], cells) for name, cells in real.items()})


def _cells_like(drawn: pd.Series, real: pd.Series) -> pd.Series:
    if isinstance(real.dtype, pd.CategoricalDtype):
        by_text = {str(category): category for category in real.cat.categories}
        return drawn.map(by_text).astype(real.dtype)
    decimals = decimals_of(real.to_numpy(np.float64))
    return (drawn if decimals is None else drawn.round(decimals)).astype(real.dtype)


def _judged(split: Split, drawn: pd.DataFrame, seconds: float, seed: int) -> _Drawn:
    return _Drawn(
        seconds=seconds,
        learner=float(plain_learner(drawn, seed).score(*features_and_target(split.test))),
        discriminator=discriminator_auc(split.test, drawn, seed=seed),
    )
