"""Fits the official nrgboost and samples from it; run by the interpreter of an environment that has it, not by ours.

``python official_peer.py TASK.npz RESULT.npz``. The task has ``rows``, ``cards``, ``categorical``, ``test_rows``,
``target`` and the settings as a JSON text; the result has seconds, the target's log probabilities, and by how many
kilobytes sampling raised the process's peak memory. Only the binned matrix goes in, so that both packages see the same
table. What numba compiles in every process is compiled, and timed, before the other clocks start.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

import numpy as np

__all__ = ["peak_kilobytes"]


def fit(rows: Any, domain: Any, settings: dict[str, Any], seed: int) -> Any:
    """The official booster after ``settings["n_rounds"]`` trees."""
    from nrgboost.distribution import EmpiricalMultivariateDistribution  # type: ignore[import-not-found]
    from nrgboost.tree.ensemble import GenerativeBoostingTreeEstimator  # type: ignore[import-not-found]
    from nrgboost.tree.generative import constraints  # type: ignore[import-not-found]

    data = EmpiricalMultivariateDistribution(domain, np.ascontiguousarray(rows.T))
    booster = GenerativeBoostingTreeEstimator.from_distribution_marginals(data, settings["initial_uniform_mixture"])
    booster.fit(
        data,
        num_trees=settings["n_rounds"],
        shrinkage=settings["learning_rate"],
        max_leaves=settings["max_leaves"],
        p_refresh=settings["refresh_fraction"],
        num_model_samples=settings["n_model_samples"],
        num_chains=settings["n_chains"],
        burn_in=settings["burn_in"],
        constraints=[constraints.max_ratio_in_leaf(settings["max_ratio_in_leaf"])],
        num_threads=settings["n_threads"],
        seed=seed,
    )
    return booster


def sample(booster: Any, count: int, steps: int, threads: int, seed: int) -> Any:
    """The last states of ``count`` chains."""
    chains = booster.sample_points(steps, count, initial_samples="initial", seed=seed, num_threads=threads)
    return chains.reshape(count, steps, -1)[:, -1]


def main(task_file: str, result_file: str) -> None:
    """Fit, sample and predict as the task says."""
    from nrgboost.domain import FiniteIntRange, FiniteIntSet, ProductDomain  # type: ignore[import-not-found]

    with np.load(task_file) as task:
        rows, test_rows, target = task["rows"], task["test_rows"], int(task["target"])
        kinds = zip(task["cards"].tolist(), task["categorical"].tolist(), strict=True)
        settings = json.loads(str(task["settings"]))
    domain = ProductDomain([FiniteIntSet(card) if categorical else FiniteIntRange(card) for card, categorical in kinds])
    threads, seed = settings["n_threads"], settings["seed"]
    begin = time.perf_counter()
    tiny = {**settings, "n_rounds": 3, "n_model_samples": 1000, "max_leaves": 8}
    sample(fit(rows[:500], domain, tiny, 0), 8, 2, threads, 0)
    fitting = time.perf_counter()
    booster = fit(rows, domain, settings, seed)
    fitted, memory = time.perf_counter(), peak_kilobytes()
    sample(booster, settings["n_samples"], settings["n_steps"], threads, seed)
    sampled, memory = time.perf_counter(), peak_kilobytes() - memory
    logits = booster.predict(test_rows, slice_dims=[target])
    predicted = time.perf_counter()
    np.savez(
        result_file,
        compile_s=fitting - begin,
        fit_s=fitted - fitting,
        sample_s=sampled - fitted,
        predict_s=predicted - sampled,
        log_probabilities=logits,
        sample_kilobytes=memory,
    )


def peak_kilobytes() -> int:
    """The most memory that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
