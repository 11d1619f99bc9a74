"""C4, C5b and C6 on language models of Python source: the shipped one, or several trained from different seeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from paperworks.core import Measurement, Untested
from paperworks.lab import Lab, stats, tiny_lm

from . import draw, language
from .contenders import CONTENDERS
from .sizes import Sizes
from .tuning import TUNED_WITH

__all__ = ["attention_claims", "tuned_measurement", "tuning_claim"]

JUDGED = ("float32", "e5m2", "carry3", "carry4")
"""The arithmetics that claims compare."""

_NEEDS_FULL = "needs --preset full"
_SHIPPED = _READ_BESIDE = "tiny_lm"

Readings = Sequence[Mapping[str, Any]]


def attention_claims(lab: Lab, sizes: Sizes) -> Iterator[Measurement]:
    """C4 and C5b, over files, and over models where several are trained."""
    shipped = _read(lab, _READ_BESIDE, [0], sizes.tokens_per_file, sizes.contenders)
    models = _models_of(lab, sizes, sizes.tokens_per_file, sizes.contenders) or shipped
    judged = models
    if sizes.judged_tokens_per_file > sizes.tokens_per_file:
        judged = _models_of(lab, sizes, sizes.judged_tokens_per_file, JUDGED)
    lost = {name: _share_lost(lab, models, name) for name in sizes.contenders if name != "float32"}
    change = {name: _loss_change(lab, models, name, "float32") for name in lost}
    common: dict[str, Any] = {
        "scale": "smaller",
        "setting": _setting(judged, sizes),
        "rows": tuple(_row(lab, name, lost[name], change[name], shipped) for name in lost),
        "note": "" if judged is models else f"The rows are over {len(models[0]['file']):,} of these tokens.",
        "figures": (lab.figure("language", draw.loss_changes(change, CONTENDERS), alt=draw.LANGUAGE_ALT),),
    }
    accuracy = 100 * float(np.mean([model["correct"]["float32"].mean() for model in judged]))
    share, nats = _share_lost(lab, judged, "carry4"), _loss_change(lab, judged, "carry3", "e5m2")
    yield Measurement(claim="C4", **share.as_fields(), unit="%", baseline=accuracy, **common)
    yield Measurement(claim="C5b", **nats.as_fields(), unit="nats", baseline=0.0, **common)


def _models_of(lab: Lab, sizes: Sizes, tokens_per_file: int, contenders: Iterable[str]) -> Readings:
    seeds = range(sizes.models_per_seed * len(lab.seeds))
    return _read(lab, sizes.recipe, seeds, tokens_per_file, contenders)


def _read(lab: Lab, recipe: str, seeds: Iterable[int], tokens_per_file: int, contenders: Iterable[str]) -> Readings:
    def read(recipe: str, seed: int, tokens_per_file: int, contenders: tuple[str, ...]) -> dict[str, Any]:
        return language.attention(lab, recipe=recipe, seed=seed, tokens_per_file=tokens_per_file, contenders=contenders)

    settings = {"recipe": recipe, "tokens_per_file": tokens_per_file, "contenders": tuple(contenders)}
    return lab.each_seed(f"read-{recipe}", read, seeds=seeds, **settings)


def _setting(models: Readings, sizes: Sizes) -> str:
    recipe = sizes.recipe if sizes.models_per_seed else _SHIPPED
    size = f"{_parameters(recipe)} million parameters"
    which = f"the shipped model of {size}" if recipe == _SHIPPED else f"{len(models)} Llamas of {size}"
    seeds = "" if recipe == _SHIPPED else ", trained from different seeds"
    tokens, files = len(models[0]["file"]), _files(models[0])
    return f"{which}{seeds}; {tokens:,} tokens of Python source they have not seen, from {files} files; attention only"


def _parameters(recipe: str) -> str:
    """A recipe's size in millions, from its shape."""
    shape = tiny_lm.RECIPES[recipe]
    width = shape.hidden // shape.heads
    layer = 2 * shape.hidden * (shape.heads + shape.kv_heads) * width + 3 * shape.hidden * shape.intermediate
    millions = (shape.vocabulary * shape.hidden + shape.layers * layer) / 1e6
    return f"{millions:.0f}" if millions >= 10 else f"{millions:.1f}"


def _row(
    lab: Lab, name: str, lost: stats.Estimate, change: stats.Estimate, shipped: Readings
) -> dict[str, str | float | None]:
    alone = _loss_change(lab, shipped, name, "float32")
    return {
        "in attention": CONTENDERS[name].says,
        "accuracy lost, %": lost.value,
        "from": lost.low,
        "to": lost.high,
        "loss change, nats": change.value,
        "loss from": change.low,
        "loss to": change.high,
        "shipped model's, nats": alone.value,
    }


def _share_lost(lab: Lab, models: Readings, name: str) -> stats.Estimate:
    """Accuracy lost against float32, in percent of it; files are what varies, and seeds where there are some."""
    ours, before = ([_by_file(model, model["correct"][which]) for model in models] for which in (name, "float32"))
    rng = lab.rng(f"accuracy {name}", 0)
    kept = (
        stats.clustered_ratio(ours[0], before[0], rng) if len(models) == 1 else stats.two_level_ratio(ours, before, rng)
    )
    return replace(kept, value=100 * (1 - kept.value), low=100 * (1 - kept.high), high=100 * (1 - kept.low))


def _loss_change(lab: Lab, models: Readings, name: str, baseline: str) -> stats.Estimate:
    """Mean loss minus that with ``baseline``, nats a token, over files, and seeds where there are some."""
    changes = [
        _by_file(model, model["nats"][name].astype(np.float64) - model["nats"][baseline])
        / (len(model["file"]) / _files(model))
        for model in models
    ]
    rng = lab.rng(f"loss {name} {baseline}", 0)
    return stats.clustered(changes[0], rng) if len(models) == 1 else stats.two_level(changes, rng)


def _by_file(model: Mapping[str, Any], values: Any) -> Any:
    """The sums of ``values`` [N] over each file [F]."""
    return np.bincount(model["file"] - 1, weights=values, minlength=_files(model))


def _files(model: Mapping[str, Any]) -> int:
    return int(model["file"].max())


def tuning_claim(lab: Lab, sizes: Sizes) -> Measurement | Untested:
    """C6, over the order of the batches, and over models where each seed has its own."""
    if not sizes.tuning_steps:
        return Untested(claim="C6", reason=_NEEDS_FULL)

    def tune(recipe: str, contender: str, seed: int, steps: int) -> dict[str, float]:
        return language.fine_tuning(lab, recipe=recipe, contender=contender, seed=seed, steps=steps)

    recipe, steps = sizes.tuned_recipe, sizes.tuning_steps
    losses = {
        name: lab.each_seed(f"tune-{name}", tune, recipe=recipe, contender=name, steps=steps) for name in TUNED_WITH
    }
    which = "the shipped model" if recipe == _SHIPPED else f"{len(lab.seeds)} models"
    setting = (
        f"{which} of {_parameters(recipe)} million parameters, {steps} steps of 4 x {tiny_lm.RECIPES[recipe].context} "
        "tokens of Python's documentation, held-out topics; gradients of the ordinary product"
    )
    return tuned_measurement(losses, setting)


def tuned_measurement(losses: Mapping[str, Sequence[Mapping[str, float]]], setting: str) -> Measurement:
    """C6 from ``losses`` before and after tuning, by arithmetic and seed."""
    falls = {name: [loss["before"] - loss["after"] for loss in seeds] for name, seeds in losses.items()}
    return Measurement(
        claim="C6",
        **stats.ratio(falls["carry3"], falls["e4m3"]).as_fields(),
        scale="smaller",
        setting=setting,
        baseline=1.0,
        rows=tuple(
            {
                "every product": TUNED_WITH[name].says,
                "loss before, nats": float(np.mean([loss["before"] for loss in losses[name]])),
                "loss after, nats": float(np.mean([loss["after"] for loss in losses[name]])),
                "fall, nats": float(np.mean(falls[name])),
            }
            for name in losses
        ),
    )
