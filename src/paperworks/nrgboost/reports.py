"""What the examinations of all tables and seeds come to: rows for tables, and estimates for figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from paperworks.lab import stats

from .binning import Floats
from .contenders import NRGBOOST
from .forecasts import LEVELS, SHOWN_LEVEL
from .refreshing import PHASES

Found: TypeAlias = Mapping[str, Sequence[Mapping[str, Any]]]
"""By table, what `examine` found for each seed."""

Row: TypeAlias = dict[str, str | float | None]

CALIBRATED = f"{NRGBOOST}, calibrated"
"""The name of NRGBoost's intervals after rows held out have said how far they are to reach."""

_SHOWN = LEVELS.index(SHOWN_LEVEL)


def score_rows(found: Found) -> tuple[Row, ...]:
    """A row for each table and model: test score with its interval, loss, the 90 % intervals, the median seconds."""
    return tuple(
        {
            "table": table,
            "model": name,
            **interval_cells("test score", _estimate(seeds, name, "score")),
            "loss": _mean(seeds, name, "loss"),
            **_interval_cells_of(seeds, name),
            "fitting, s": _median(seeds, name, "fit_s"),
            "foretelling, s": _median(seeds, name, "foretell_s"),
        }
        for table, seeds in found.items()
        for name in seeds[0]["scores"]
    )


def scores(found: Found) -> dict[str, dict[str, stats.Estimate]]:
    """By table and model, the test score."""
    return {
        table: {name: _estimate(seeds, name, "score") for name in seeds[0]["scores"]} for table, seeds in found.items()
    }


def scores_alt(found: Found) -> str:
    """What the figure of test scores shows, in words."""
    told = "; ".join(
        f"{table}: " + ", ".join(f"{name} {each.value:.3f}" for name, each in models.items())
        for table, models in scores(found).items()
    )
    return f"Test scores (R squared or accuracy) with intervals over seeds. {told}."


def coverage(found: Found) -> dict[str, dict[str, Floats]]:
    """By table of a number to predict and by model, how often the intervals of each level held, [levels].

    NRGBoost is there twice, as it is and calibrated.
    """
    return {
        table: {
            name: np.mean([each["coverage"] for each in judged], axis=0)
            for name, judged in _judged_intervals(seeds).items()
        }
        for table, seeds in found.items()
        if "coverage" in seeds[0]["scores"][NRGBOOST]
    }


def _judged_intervals(seeds: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    plain = {name: [one["scores"][name] for one in seeds] for name in seeds[0]["scores"]}
    return {**plain, CALIBRATED: [one["calibrated"] for one in plain[NRGBOOST]]}


def hidden_cells(found: Found) -> dict[str, dict[str, stats.Estimate]]:
    """By table and method, the error of hidden cells in standard deviations."""
    return {
        table: {name: stats.mean([one["holes"][name] for one in seeds]) for name in seeds[0]["holes"]}
        for table, seeds in found.items()
        if "holes" in seeds[0]
    }


def hidden_cells_alt(estimates: Mapping[str, Mapping[str, stats.Estimate]]) -> str:
    """What the figure of hidden cells shows, in words."""
    told = "; ".join(
        f"{table}: " + ", ".join(f"{name} {each.value:.2f}" for name, each in methods.items())
        for table, methods in estimates.items()
    )
    return (
        "Root-mean-square error, in standard deviations of the column, of cells of test rows that were filled in after "
        f"30 % of all had been hidden. {told}."
    )


def of_samples(found: Found, name: str, what: str) -> Floats:
    """What samples of one generator came to, [tables, seeds]."""
    return np.array([[one["samples"][name][what] for one in seeds] for seeds in found.values()])


def sample_rows(found: Found) -> tuple[Row, ...]:
    """A row for each table and generator: the learner's score, and the discriminator's area under the curve."""
    return tuple(
        {
            "table": table,
            "samples of": name,
            **interval_cells("learner's score", stats.mean([one["samples"][name]["learner"] for one in seeds])),
            "discriminator's area": float(np.mean([one["samples"][name]["discriminator"] for one in seeds])),
        }
        for table, seeds in found.items()
        for name in seeds[0]["samples"]
    )


def training_row(table: str, training: Sequence[Mapping[str, Any]]) -> Row:
    """Of NRGBoost's training on one table: its rounds, the share of the pool kept, and milliseconds of each phase."""
    kept = np.concatenate([one["kept"] for one in training])
    return {
        "table": table,
        "pool kept": float(np.mean(kept)) if len(kept) else None,
        "trees": float(np.mean([one["rounds"] for one in training])),
        **_phase_cells(training),
    }


def refresh_row(fraction: float, training: Sequence[Mapping[str, Any]]) -> Row:
    """Of training with one refresh fraction: seconds, the share of the pool kept, and milliseconds of each phase."""
    return {
        "drawn anew at least": f"{fraction:.0%}",
        **interval_cells("training, s", stats.mean([one["wall_s"] for one in training])),
        "CPU, s": float(np.mean([one["cpu_s"] for one in training])),
        "pool kept": float(np.mean([one["kept"] for one in training])),
        **_phase_cells(training),
    }


def interval_cells(name: str, estimate: stats.Estimate) -> Row:
    """An estimate as three cells of a row."""
    return {name: estimate.value, "from": estimate.low, "to": estimate.high}


def _phase_cells(training: Sequence[Mapping[str, Any]]) -> Row:
    return {
        f"{phase}, ms a round": 1000 * float(np.mean([one["phases"][phase] for one in training])) for phase in PHASES
    }


def _estimate(seeds: Sequence[Mapping[str, Any]], name: str, what: str) -> stats.Estimate:
    return stats.mean([one["scores"][name][what] for one in seeds])


def _mean(seeds: Sequence[Mapping[str, Any]], name: str, what: str) -> float:
    return float(np.mean([one["scores"][name][what] for one in seeds]))


def _median(seeds: Sequence[Mapping[str, Any]], name: str, what: str) -> float:
    """Of seconds: the first fit in a process may have to compile."""
    return float(np.median([one["scores"][name][what] for one in seeds]))


def _interval_cells_of(seeds: Sequence[Mapping[str, Any]], name: str) -> Row:
    """Of a model's 90 % intervals, as they are and calibrated, the share that held, and the width; None: has none."""
    judged = [one["scores"][name] for one in seeds]
    calibrated = [one["calibrated"] for one in judged if "calibrated" in one]
    plain = [one for one in judged if "coverage" in one]
    return {
        "90 % intervals held, %": _held(plain),
        "their width": _width(plain),
        "calibrated, held, %": _held(calibrated),
        "calibrated, width": _width(calibrated),
    }


def _held(judged: Sequence[Mapping[str, Any]]) -> float | None:
    return 100 * float(np.mean([one["coverage"][_SHOWN] for one in judged])) if judged else None


def _width(judged: Sequence[Mapping[str, Any]]) -> float | None:
    return float(np.mean([one["width"] for one in judged])) if judged else None
