"""Measures NRGBoost's claims: forecasts, samples, pictures and pools on five tables, and densities on a plane."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from paperworks.core import Measurement, Untested
from paperworks.lab import Lab, stats

from . import draw, plane, reports
from .contenders import DISCRIMINATIVE, FORESTS, NRGBOOST
from .examination import examine
from .refreshing import train_with
from .reports import Found
from .sizes import PRESETS, Sizes

__all__ = ["PRESETS", "Sizes", "run"]


_ROUNDS = 100
_REFRESHED = "friedman1"


def run(lab: Lab, sizes: Sizes) -> Iterator[Measurement | Untested]:
    """Yield the result of every claim, cheapest first."""
    yield _plane(lab, sizes)
    yield _refresh_time(lab, sizes)
    found = {table: _examined(lab, sizes, table) for table in sizes.tables}
    yield _against_discriminative(lab, sizes, found)
    yield _against_forests(found)
    yield from _samples({table: found[table] for table in sizes.sampled}, sizes)
    yield _pictures(lab, sizes, found[sizes.pictured])
    yield _kept(lab, sizes, found)


def _examined(lab: Lab, sizes: Sizes, table: str) -> list[dict[str, Any]]:
    looks = {"samples": sizes.sampled, "pictures": (sizes.pictured,), "holes": sizes.filled}
    return lab.each_seed(
        f"examine-{table}",
        examine,
        table=table,
        rows=sizes.rows,
        samples=sizes.samples,
        sizes=sizes.models,
        looks=tuple(look for look, tables in looks.items() if table in tables),
        threads=lab.threads,
    )


def _plane(lab: Lab, sizes: Sizes) -> Measurement:
    """C7, the mean of the two densities."""
    found = {
        name: lab.each_seed(
            f"plane-{name.replace(' ', '-')}",
            plane.learn,
            plane=name,
            rows=sizes.plane_rows,
            pool=sizes.plane_pool,
            rounds=_ROUNDS,
            threads=lab.threads,
        )
        for name in plane.PLANES
    }
    falls = [[one["divergence"][1] - one["divergence"][_ROUNDS] for one in seeds] for seeds in found.values()]
    first = {name: seeds[0] for name, seeds in found.items()}
    return Measurement(
        claim="C7",
        **stats.mean(np.mean(falls, axis=0)).as_fields(),
        scale="same",
        setting=(
            f"two moons and a spiral on 64 x 64 cells, {sizes.plane_rows:,} rows each, a pool of {sizes.plane_pool:,}; "
            "the truth is known in every cell"
        ),
        unit="nats",
        note="The divergence is that from the true cell masses; that from the rows drawn is in the rows below.",
        rows=tuple(
            {
                "density": name,
                "trees": float(number),
                "KL from the truth, nats": float(np.mean([one["divergence"][number] for one in seeds])),
                "KL from the rows, nats": float(np.mean([one["from_rows"][number] for one in seeds])),
            }
            for name, seeds in found.items()
            for number in (0, *plane.SHOWN_ROUNDS)
        ),
        figures=(
            lab.figure("planes", draw.planes(first), alt=draw.PLANES_ALT),
            lab.figure("divergence", draw.divergence(found), alt=draw.DIVERGENCE_ALT),
        ),
    )


def _refresh_time(lab: Lab, sizes: Sizes) -> Measurement:
    """C6-time, in processor time, which other work on the machine hardly touches; the fractions take turns."""
    found: dict[float, list[dict[str, Any]]] = {fraction: [] for fraction in sizes.refreshes}
    turns = [(seed, fraction) for seed in lab.seeds for fraction in sizes.refreshes]
    for seed, fraction in lab.progress(turns, "refresh fractions"):
        trained = lab.step(
            "refresh",
            train_with,
            table=_REFRESHED,
            rows=sizes.rows,
            seed=seed,
            refresh_fraction=fraction,
            rounds=sizes.refresh_rounds,
            leaves=sizes.refresh_leaves,
            pool=sizes.refresh_pool,
            threads=lab.threads,
        )
        found[fraction].append(trained)
    anew, ours = ([one["cpu_s"] for one in found[fraction]] for fraction in (1.0, 0.1))
    return Measurement(
        claim="C6-time",
        **stats.ratio(anew, ours).as_fields(),
        scale="smaller",
        setting=(
            f"{_REFRESHED}, {sizes.refresh_rounds} trees of {sizes.refresh_leaves} leaves, a pool of "
            f"{sizes.refresh_pool:,}; seconds of processor time"
        ),
        baseline=1.0,
        rows=tuple(reports.refresh_row(fraction, seeds) for fraction, seeds in found.items()),
    )


def _against_discriminative(lab: Lab, sizes: Sizes, found: Found) -> Measurement | Untested:
    """C1, with calibration and hidden cells."""
    scores = {name: _scores(found, name) for name in (NRGBOOST, DISCRIMINATIVE)}
    if min(map(np.min, scores.values())) <= 0:
        return Untested(claim="C1", reason="a test score is not above 0, so that there is no ratio")
    return Measurement(
        claim="C1",
        **stats.geometric_mean(np.exp(np.log(scores[NRGBOOST] / scores[DISCRIMINATIVE]).mean(axis=0))).as_fields(),
        scale="smaller",
        setting=_setting(found, sizes),
        baseline=1.0,
        note=(
            "Of 90 % intervals, those that held, and their mean width. NRGBoost's are calibrated by the rows that "
            "stopped it; gradient boosting's have normal errors as large as on those rows. "
            "The loss is the negative log-probability in nats for classes, the CRPS in the target's unit for numbers."
        ),
        rows=reports.score_rows(found),
        figures=_forecast_figures(lab, found),
    )


def _forecast_figures(lab: Lab, found: Found) -> tuple[str, ...]:
    names = [lab.figure("scores", draw.scores(reports.scores(found)), alt=reports.scores_alt(found))]
    if coverage := reports.coverage(found):
        names.append(lab.figure("calibration", draw.calibration(coverage), alt=draw.CALIBRATION_ALT))
    if holes := reports.hidden_cells(found):
        alt = reports.hidden_cells_alt(holes)
        names.append(lab.figure("hidden-cells", draw.hidden_cells(holes), alt=alt))
    return tuple(names)


def _against_forests(found: Found) -> Measurement:
    """C2: the smallest margin of each seed, over tables."""
    best = np.max([_scores(found, name) for name in FORESTS], axis=0)
    margins = _scores(found, NRGBOOST) - best
    return Measurement(
        claim="C2",
        **stats.mean(margins.min(axis=0)).as_fields(),
        scale="smaller",
        setting=_where(found),
        baseline=0.0,
        note="The smallest margin of a seed is taken before the mean, so chance counts against NRGBoost.",
        rows=tuple(
            {"table": table, **reports.interval_cells("margin", stats.mean(margins[place]))}
            for place, table in enumerate(found)
        ),
    )


def _samples(found: Found, sizes: Sizes) -> Iterator[Measurement]:
    """C3 and C4."""
    learners = {name: reports.of_samples(found, name, "learner") for name in (NRGBOOST, *FORESTS)}
    aucs = {name: reports.of_samples(found, name, "discriminator") for name in (NRGBOOST, *FORESTS)}
    won = np.mean([learners[NRGBOOST] > learners[name] for name in FORESTS], axis=(0, 1))
    closer = (np.min([aucs[name] for name in FORESTS], axis=0) - aucs[NRGBOOST]).mean(axis=0)
    common: dict[str, Any] = {
        "scale": "smaller",
        "setting": f"{_where(found)}; at most {sizes.samples:,} samples of each generator",
        "rows": reports.sample_rows(found),
    }
    yield Measurement(claim="C3", **stats.mean(won).as_fields(), baseline=0.5, **common)
    yield Measurement(claim="C4", **stats.mean(closer).as_fields(), baseline=0.0, **common)


def _pictures(lab: Lab, sizes: Sizes, seeds: Sequence[Mapping[str, Any]]) -> Measurement:
    """C5."""
    agreement = [one["pictures"]["agreement"] for one in seeds]
    shares = {name: np.array([100 * one[name] for one in agreement]) for name in agreement[0]}
    means = {name: float(share.mean()) / 100 for name, share in shares.items()}
    figure = draw.pictures(seeds[0]["pictures"]["images"])
    return Measurement(
        claim="C5",
        **stats.difference(shares[NRGBOOST], np.max([shares[name] for name in FORESTS], axis=0)).as_fields(),
        scale="smaller",
        setting=f"{sizes.pictured}, 20 drawn for each class; a support vector machine tells the class",
        unit="points",
        baseline=0.0,
        rows=tuple(
            {"pictures": name, **reports.interval_cells("class as given, %", stats.mean(share))}
            for name, share in shares.items()
        ),
        figures=(lab.figure("pictures", figure, alt=draw.pictures_alt(means)),),
    )


def _kept(lab: Lab, sizes: Sizes, found: Found) -> Measurement | Untested:
    """C6, the mean over all rounds of the models of C1; the pool is first renewed by rejection in the third."""
    training = {table: [one["training"] for one in seeds] for table, seeds in found.items()}
    rounds = [np.concatenate([one["kept"] for one in seed]) for seed in zip(*training.values(), strict=True)]
    if not all(map(len, rounds)):
        return Untested(claim="C6", reason="no model of a seed has three rounds, and rejection begins with the third")
    figure = draw.kept({table: np.array(seeds[0]["kept"]) for table, seeds in training.items()})
    return Measurement(
        claim="C6",
        **stats.mean([shares.mean() for shares in rounds]).as_fields(),
        scale="smaller",
        setting=f"{_where(found)}; a pool of {sizes.models.pool:,}, rounds up to the best",
        rows=tuple(reports.training_row(table, seeds) for table, seeds in training.items()),
        figures=(lab.figure("kept", figure, alt=draw.KEPT_ALT),),
    )


def _scores(found: Found, name: str) -> np.ndarray[Any, Any]:
    """The test scores of a model, [tables, seeds]."""
    return np.array([[one["scores"][name]["score"] for one in seeds] for seeds in found.values()])


def _where(found: Found) -> str:
    return f"{', '.join(found)}; splits of five-fold cross-validation"


def _setting(found: Found, sizes: Sizes) -> str:
    return (
        f"{_where(found)}; up to {sizes.models.rounds} trees and a pool of {sizes.models.pool:,}, the size "
        "of the trees and their number by held-out rows"
    )
