"""Measures L-Mul's claims: energies, errors of single products, attention of models, and fine-tuning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paperworks.core import Measurement, Untested
from paperworks.lab import Lab, stats

from . import digits, draw, hub_claims, text_claims
from .contenders import CONTENDERS
from .energy import saving
from .error_table import error_table
from .sizes import PRESETS, Sizes

__all__ = ["PRESETS", "Sizes", "run"]


_KS = (1, 2, 3, 4, 5, 6, 7)

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
    models = lab.each_seed(
        "digits",
        digits.measure,
        training_steps=sizes.training_steps,
        contenders=sizes.contenders,
        ks=_KS,
        pairs=sizes.pairs,
        device=lab.device,
    )
    yield from _precision(lab, theory, [model["errors"] for model in models])
    yield _vision(lab, models, sizes)
    if sizes.hub is not None:
        yield from hub_claims.claims(lab, sizes, sizes.hub)
        return
    yield from text_claims.attention_claims(lab, sizes)
    yield text_claims.tuning_claim(lab, sizes)


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
