"""The experiment's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from paperworks.lab import plots, stats

from .contenders import Contender

__all__ = ["ERRORS_ALT", "LANGUAGE_ALT", "VISION_ALT", "errors", "loss_changes"]

ERRORS_ALT = (
    "Root-mean-square relative error of one product by mantissa bits, 1 to 7, uniform operands. L-Mul as the adder "
    "computes it, with truncated operands, falls to the level of e4m3 multiplication at 4 bits and lies below e5m2 at "
    "3 bits; with rounded operands it needs more bits. L-Mul as the printed equation stays above both at every number "
    "of bits."
)
_CHANGES_ALT = (
    "Change of the cross-entropy of {models} when both products of attention are done in another arithmetic, with 95 % "
    "intervals: ordinary multiplication of shortened operands, L-Mul as the adder computes it and L-Mul as the printed "
    "equation, by mantissa bits."
)
VISION_ALT = _CHANGES_ALT.format(models="vision transformers on digits")
LANGUAGE_ALT = _CHANGES_ALT.format(models="small language models on Python source")

_LINES = (
    ("carry", "truncate", "L-Mul, adder, truncated"),
    ("carry", "nearest", "L-Mul, adder, rounded"),
    ("formula", "truncate", "L-Mul, formula"),
    ("multiply", "truncate", "ordinary, truncated"),
)
_FLOATS = ((3, "e4m3 multiplication"), (2, "e5m2 multiplication"))
_GROUPS = {"multiply": 0, "carry": 1, "formula": 2}


def errors(records: Sequence[Mapping[str, Any]]) -> Figure:
    """RMS error over mantissa bits for uniform operands: each way of L-Mul as a line, the 8-bit floats as levels."""
    uniform = {(r["method"], r["rounding"], r["k"]): r["rms"] for r in records if r["dist"] == "uniform"}
    ks = sorted({k for _, _, k in uniform})
    fig, ax = plots.figure(width=7.2, ratio=0.58)
    with plots.style():
        for method, rounding, label in _LINES:
            plots.line(ax, ks, [uniform[method, rounding, k] for k in ks], label=label, marker="o")
        for bits, label in _FLOATS:
            level = uniform["multiply", "nearest", bits]
            plots.line(ax, ks, [level] * len(ks), label=label, dashed=True)
        ax.set_yscale("log")
        ax.set_yticks([0.01, 0.02, 0.05, 0.1, 0.2], ["1 %", "2 %", "5 %", "10 %", "20 %"])
        ax.minorticks_off()
        ax.set_xlabel("mantissa bits kept of each operand, k")
        ax.set_ylabel("RMS relative error of one product")
        plots.label_lines(ax)
    return fig


def loss_changes(changes: Mapping[str, stats.Estimate], contenders: Mapping[str, Contender]) -> Figure:
    """Change of the loss by arithmetic, with intervals."""
    dots = [
        plots.Dot(
            label=contenders[name].says,
            value=change.value,
            low=change.low,
            high=change.high,
            group=_GROUPS[contenders[name].method],
        )
        for name, change in changes.items()
    ]
    fig, ax = plots.figure(width=7.2, ratio=max(0.35, 0.045 * len(dots)))
    with plots.style():
        plots.intervals(ax, dots, null=0, null_label="float32")
        ax.set_xlabel("change of the cross-entropy, nats")
    return fig
