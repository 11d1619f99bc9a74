"""Measures L-Mul's claims: energies, errors of single products, attention of small models, and fine-tuning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from paperworks.core import Measurement, Untested
from paperworks.lab import Lab, stats

from . import digits, draw, language
from .contenders import CONTENDERS
from .energy import saving
from .error_table import error_table

__all__ = ["PRESETS", "Sizes", "run"]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much an experiment does.

    ``training_steps``: batches of 128 digits each model sees. ``grid``: points along each mantissa for the two
    distributions. ``pairs``: products drawn from each model's operands. ``contenders``: the arithmetics tried in
    attention. ``tokens_per_file``: how much of each test file the language models read. ``small_models``: train a small
    language model for each seed (else the shipped one alone is looked at). ``tuning_steps``: batches of fine-tuning;
    0 leaves it out.
    """

    seeds: int
    training_steps: int
    grid: int
    pairs: int
    tokens_per_file: int
    contenders: tuple[str, ...] = tuple(CONTENDERS)
    small_models: bool = False
    tuning_steps: int = 0


PRESETS = {
    "smoke": Sizes(
        seeds=3,
        training_steps=20,
        grid=256,
        pairs=5_000,
        tokens_per_file=24,
        contenders=("float32", "e4m3", "e5m2", "carry3", "carry4"),
    ),
    "quick": Sizes(seeds=5, training_steps=1000, grid=512, pairs=200_000, tokens_per_file=500),
    "full": Sizes(
        seeds=5,
        training_steps=3000,
        grid=2048,
        pairs=2_000_000,
        tokens_per_file=4000,
        small_models=True,
        tuning_steps=60,
    ),
}

_KS = (1, 2, 3, 4, 5, 6, 7)
_NEEDS_FULL = "needs --preset full"

Records = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Precision:
    """A claim about single products: L-Mul with ``k`` bits in one variant against an 8-bit float of ``fp8_bits``."""

    claim: str
    variant: str
    k: int
    fp8: str
    fp8_bits: int


_PRECISION = (
    _Precision(claim="C1", variant="carry", k=4, fp8="e4m3", fp8_bits=3),
    _Precision(claim="C1-formula", variant="formula", k=4, fp8="e4m3", fp8_bits=3),
    _Precision(claim="C2", variant="carry", k=3, fp8="e5m2", fp8_bits=2),
    _Precision(claim="C2-formula", variant="formula", k=3, fp8="e5m2", fp8_bits=2),
)


def run(lab: Lab, sizes: Sizes) -> Iterator[Measurement | Untested]:
    """Yield the result of every claim, cheapest first."""
    yield from _energy()
    theory = [
        *lab.step("uniform", error_table, ks=_KS, dist="uniform", grid=sizes.grid),
        *lab.step("benford", error_table, ks=_KS, dist="benford", grid=sizes.grid),
    ]
    models = [
        lab.step(
            "digits",
            digits.measure,
            seed=int(lab.rng("digits", seed).integers(2**31)),
            training_steps=sizes.training_steps,
            contenders=sizes.contenders,
            ks=_KS,
            pairs=sizes.pairs,
            device=lab.device,
        )
        for seed in lab.progress(lab.seeds, "models of digits")
    ]
    yield from _precision(lab, theory, [model["errors"] for model in models])
    yield _vision(lab, models, sizes)
    yield from _text(lab, sizes)
    yield _tuned(lab, sizes)


def _energy() -> Iterator[Measurement]:
    note = (
        "Arithmetic only, on hardware that does not exist yet: a real chip saves far less, since one DRAM access takes "
        "1.3 to 2.6 nJ, and today's CPUs and GPUs save nothing. The 16-bit integer addition is interpolated (0.05 pJ)."
    )
    for claim, kind in (("C3", "elementwise"), ("C3-dot", "dot")):
        savings = {name: 100 * saving(name, kind) for name in ("fp32", "fp16")}
        yield Measurement(
            claim=claim,
            **stats.exact(min(savings.values())).as_fields(),
            scale="same",
            setting="energies per operation at 45 nm (Horowitz 2014)",
            unit="%",
            note=note,
            rows=tuple({"format": name, "saving, %": value} for name, value in savings.items()),
        )


def _precision(lab: Lab, theory: Records, real: Sequence[Records]) -> Iterator[Measurement]:
    figure = lab.figure("errors", draw.errors(theory), alt=draw.ERRORS_ALT)
    for claim in _PRECISION:
        ratios = [_geometric_mean(_ratios(claim, theory, records).values()) for records in real]
        rows = [_ratios(claim, theory, records) for records in real]
        yield Measurement(
            claim=claim.claim,
            **stats.geometric_mean(ratios).as_fields(),
            scale="same",
            setting=f"uniform and Benford mantissas, and operands of {len(real)} pairs of networks trained on digits",
            baseline=1.0,
            note="Relative to the true product; zeros left out. " + _offset_note(claim),
            rows=tuple(_precision_row(claim, theory, real, rows, operands) for operands in rows[0]),
            figures=(figure,),
        )


def _offset_note(claim: _Precision) -> str:
    if claim.variant == "carry":
        return "The carry into the exponent and the truncation of operands are what makes L-Mul's constant fit."
    return "Without the carry, products with a + b + c >= 1 come out too small: this is where the equation loses."


def _ratios(claim: _Precision, theory: Records, real: Records) -> dict[str, float]:
    """By kind of operands, L-Mul's RMS error over the 8-bit float's; the two networks' operands count as one kind."""
    kinds = {
        "uniform": [record for record in theory if record["dist"] == "uniform"],
        "Benford": [record for record in theory if record["dist"] == "benford"],
        "real": list(real),
    }
    return {
        kind: _rms(records, claim.variant, "truncate", claim.k) / _rms(records, "multiply", "nearest", claim.fp8_bits)
        for kind, records in kinds.items()
    }


def _precision_row(
    claim: _Precision, theory: Records, real: Sequence[Records], ratios: Sequence[dict[str, float]], operands: str
) -> dict[str, str | float | None]:
    if operands == "real":
        records = [record for one in real for record in one]
    else:
        records = [record for record in theory if record["dist"] == operands.lower()]
    return {
        "operands": operands,
        f"L-Mul k = {claim.k}, RMS": _rms(records, claim.variant, "truncate", claim.k),
        f"{claim.fp8}, RMS": _rms(records, "multiply", "nearest", claim.fp8_bits),
        f"{claim.fp8} truncated, RMS": _rms(records, "multiply", "truncate", claim.fp8_bits),
        "ratio": _geometric_mean(one[operands] for one in ratios),
    }


def _rms(records: Iterable[Mapping[str, Any]], method: str, rounding: str, k: int) -> float:
    """Root-mean-square error over all records of that arithmetic, each record counting the same."""
    wanted = [r["rms"] for r in records if (r["method"], r["rounding"], r["k"]) == (method, rounding, k)]
    return float(np.sqrt(np.mean(np.square(wanted))))


def _geometric_mean(values: Iterable[float]) -> float:
    return float(np.exp(np.mean(np.log(list(values)))))


def _vision(lab: Lab, models: Sequence[Mapping[str, Any]], sizes: Sizes) -> Measurement:
    accuracy = _changes(models, "correct", sizes.contenders, lab, times=100.0)
    loss = _changes(models, "loss", sizes.contenders, lab)
    figure = lab.figure("digits", draw.loss_changes(loss, CONTENDERS), alt=draw.VISION_ALT)
    exact = 100 * float(np.mean([model["correct"]["float32"] for model in models]))
    return Measurement(
        claim="C5",
        **accuracy["carry4"].as_fields(),
        scale="smaller",
        setting=(
            f"{len(models)} vision transformers of 18 thousand parameters, {digits.HELD_OUT} held-out images of "
            "handwritten digits (8 x 8); only attention multiplies by L-Mul"
        ),
        unit="points",
        baseline=exact,
        note="One image is 0.14 points: the paired change of the loss, in the rows, tells finer.",
        rows=tuple(
            {
                "in attention": CONTENDERS[name].says,
                "accuracy change, points": accuracy[name].value,
                "from": accuracy[name].low,
                "to": accuracy[name].high,
                "loss change, nats": loss[name].value,
                "loss from": loss[name].low,
                "loss to": loss[name].high,
            }
            for name in accuracy
        ),
        figures=(figure,),
    )


def _changes(
    models: Sequence[Mapping[str, Any]], what: str, contenders: Iterable[str], lab: Lab, times: float = 1.0
) -> dict[str, stats.Estimate]:
    """By contender, the mean change against float32, paired by model and image, over seeds and images."""
    reference = np.stack([model[what]["float32"] for model in models]).astype(np.float64)
    changes = {}
    for name in contenders:
        if name != "float32":
            values = np.stack([model[what][name] for model in models]).astype(np.float64)
            changes[name] = stats.two_level(times * (values - reference), lab.rng(f"{what} {name}", 0))
    return changes


def _text(lab: Lab, sizes: Sizes) -> Iterator[Measurement]:
    """C4 and C5b: on the shipped model, and, where small models are trained, over their seeds."""
    shipped = _read(lab, sizes, "tiny_lm", 0)
    models = [_read(lab, sizes, "quick", seed) for seed in lab.seeds] if sizes.small_models else [shipped]
    lost = {name: _share_lost(lab, models, name) for name in sizes.contenders if name != "float32"}
    change = {name: _loss_change(lab, models, name, "float32") for name in lost}
    figure = lab.figure("language", draw.loss_changes(change, CONTENDERS), alt=draw.LANGUAGE_ALT)
    common: dict[str, Any] = {
        "scale": "smaller",
        "setting": _language_setting(models, sizes),
        "rows": tuple(_language_row(lab, name, lost[name], change[name], shipped) for name in lost),
        "figures": (figure,),
    }
    accuracy = float(np.mean([model["correct"]["float32"].mean() for model in models]))
    yield Measurement(claim="C4", **lost["carry4"].as_fields(), unit="%", baseline=100 * accuracy, **common)
    yield Measurement(
        claim="C5b", **_loss_change(lab, models, "carry3", "e5m2").as_fields(), unit="nats", baseline=0.0, **common
    )


def _read(lab: Lab, sizes: Sizes, recipe: str, seed: int) -> dict[str, Any]:
    def read(recipe: str, seed: int, tokens_per_file: int, contenders: tuple[str, ...]) -> dict[str, Any]:
        return language.attention(lab, recipe=recipe, seed=seed, tokens_per_file=tokens_per_file, contenders=contenders)

    return lab.step(
        f"read-{recipe}",
        read,
        recipe=recipe,
        seed=seed,
        tokens_per_file=sizes.tokens_per_file,
        contenders=sizes.contenders,
    )


def _language_setting(models: Sequence[Mapping[str, Any]], sizes: Sizes) -> str:
    which = (
        "the shipped model of 2.8 million parameters"
        if len(models) == 1
        else (f"{len(models)} Llamas of 0.9 million parameters, trained from different seeds")
    )
    tokens = len(models[0]["file"])
    return (
        f"{which}; {tokens:,} tokens of Python source it has not seen, from {_files(models[0])} files; attention only"
    )


def _language_row(
    lab: Lab, name: str, lost: stats.Estimate, change: stats.Estimate, shipped: Mapping[str, Any]
) -> dict[str, str | float | None]:
    alone = _loss_change(lab, [shipped], name, "float32")
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


def _share_lost(lab: Lab, models: Sequence[Mapping[str, Any]], name: str) -> stats.Estimate:
    """Accuracy lost against float32, in percent of it; files are what varies, and seeds where there are some."""
    ours, before = ([_by_file(model, model["correct"][which]) for model in models] for which in (name, "float32"))
    rng = lab.rng(f"accuracy {name}", 0)
    kept = (
        stats.clustered_ratio(ours[0], before[0], rng) if len(models) == 1 else stats.two_level_ratio(ours, before, rng)
    )
    return replace(kept, value=100 * (1 - kept.value), low=100 * (1 - kept.high), high=100 * (1 - kept.low))


def _loss_change(lab: Lab, models: Sequence[Mapping[str, Any]], name: str, baseline: str) -> stats.Estimate:
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


def _tuned(lab: Lab, sizes: Sizes) -> Measurement | Untested:
    """C6, over the order of the batches."""
    if not sizes.tuning_steps:
        return Untested(claim="C6", reason=_NEEDS_FULL)

    def tune(contender: str, seed: int, steps: int) -> dict[str, float]:
        return language.fine_tuning(lab, contender=contender, seed=seed, steps=steps)

    losses = {
        name: [
            lab.step("tune", tune, contender=name, seed=seed, steps=sizes.tuning_steps)
            for seed in lab.progress(lab.seeds, f"fine-tuning with {name}")
        ]
        for name in language.TUNED_WITH
    }
    falls = {name: [loss["before"] - loss["after"] for loss in seeds] for name, seeds in losses.items()}
    return Measurement(
        claim="C6",
        **stats.ratio(falls["carry3"], falls["e4m3"]).as_fields(),
        scale="smaller",
        setting=(
            f"the shipped model of 2.8 million parameters, {sizes.tuning_steps} steps of 4 x 256 tokens of Python's "
            "documentation, held-out topics; gradients of the ordinary product"
        ),
        baseline=1.0,
        rows=tuple(
            {
                "every product": language.TUNED_WITH[name].says,
                "loss before, nats": float(np.mean([loss["before"] for loss in losses[name]])),
                "loss after, nats": float(np.mean([loss["after"] for loss in losses[name]])),
                "fall, nats": float(np.mean(falls[name])),
            }
            for name in losses
        ),
    )
