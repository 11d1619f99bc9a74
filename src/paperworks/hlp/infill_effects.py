"""What the experiment measures of the shipped infilling model: what rules that cut do for it, and its horizon.

All variants are scored on the same holes, and what a rule cuts is the same filling, so every difference is paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from paperworks.core import Measurement, Untested
from paperworks.lab import Lab, stats

from .evaluation import Evaluation, Filled, FIMEval, scored
from .holes import Hole, Kind, StdlibFIM
from .infill_lm import load
from .infilling import Decoding
from .rules import RULES

__all__ = ["END_BIASES", "rule_dependence"]

END_BIASES = (1.0, 2.0, 4.0)
_KINDS: tuple[Kind, ...] = ("line", "block", "control", "call")
_LONGEST = 64
_AS_WRITTEN = "as written"
_ALL_RULES = "all rules"


def rule_dependence(lab: Lab, holes_a_kind: int, *, end_biases: Sequence[float] = END_BIASES) -> Measurement | Untested:
    """H6: exact match after all rules minus as written, in points, on held-out files of the standard library.

    The rows show each rule alone, and, beyond the paper, what it changes that the horizon moves the end: the length
    error and the share of fillings that repeat the suffix.

    Where no filling matches, with the rules or without, nothing is measured of them, and that is the result.
    """
    model, tokenizer, version = load("shipped")
    holes = [hole for kind in _KINDS for hole in StdlibFIM(kind=kind, n=holes_a_kind).holes()]
    filled = {bias: _filled(lab, model, tokenizer, version, holes, bias) for bias in (0.0, *end_biases)}
    variants = {_AS_WRITTEN: scored("stdlib", holes, filled[0.0])}
    variants |= {f"after {rule.name}": scored("stdlib", holes, filled[0.0], [rule]) for rule in RULES.values()}
    variants[_ALL_RULES] = scored("stdlib", holes, filled[0.0], tuple(RULES.values()))
    variants |= {f"end bias {bias:g}": scored("stdlib", holes, filled[bias]) for bias in end_biases}
    files = np.unique([hole.source for hole in holes], return_inverse=True)[1]
    note = _note(lab, variants, [f"end bias {bias:g}" for bias in end_biases], files)
    if not any(variants[name].scores["exact_match"].any() for name in (_AS_WRITTEN, _ALL_RULES)):
        reason = f"the shipped model fills none of {len(holes)} held-out holes exactly, with the rules or without them"
        return Untested(claim="H6", reason=f"{reason}. {note}".strip())
    gain = _paired(lab, variants, _ALL_RULES, "exact_match", files)
    return Measurement(
        claim="H6",
        **gain.as_fields(),
        scale="smaller",
        setting=(
            f"{len(holes)} holes ({', '.join(_KINDS)}) in {files.max() + 1} held-out files of Python's standard "
            "library, filled by the shipped model of 2.8 M parameters; rules: lines of the truth, syntax, overlap"
        ),
        unit="points",
        baseline=float(100 * variants[_AS_WRITTEN].scores["exact_match"].mean()),
        note=note,
        rows=tuple(_row(name, variant) for name, variant in variants.items()),
    )


def _filled(lab: Lab, model: Any, tokenizer: Any, version: str, holes: Sequence[Hole], end_bias: float) -> list[Filled]:
    evaluation = FIMEval(
        lab=lab, model_id=version, max_new_tokens=_LONGEST, batch=16, decoding=Decoding(end_bias=end_bias)
    )
    return evaluation.fill(model, tokenizer, f"end bias {end_bias:g}", holes)


def _paired(lab: Lab, variants: Mapping[str, Evaluation], name: str, metric: str, files: Any) -> stats.Estimate:
    """A variant minus as written; shares in points."""
    difference = variants[name].scores[metric] - variants[_AS_WRITTEN].scores[metric]
    scale = 1.0 if metric == "length_error" else 100.0
    return stats.clustered(scale * difference, lab.rng(f"{name} {metric}", 0), clusters=files)


def _note(lab: Lab, variants: Mapping[str, Evaluation], biased: Sequence[str], files: Any) -> str:
    """The effect of the horizon on where fillings end, of the middle bias."""
    if not biased:
        return ""
    name = biased[len(biased) // 2]
    length = _paired(lab, variants, name, "length_error", files)
    repeats = _paired(lab, variants, name, "suffix_repeat", files)
    return (
        f"With the horizon moving the end ({name}), the length error changes by {length.value:+.2f} tokens "
        f"[{length.low:+.2f}, {length.high:+.2f}] and repetitions of the suffix by {repeats.value:+.2f} points "
        f"[{repeats.low:+.2f}, {repeats.high:+.2f}]."
    )


def _row(name: str, variant: Evaluation) -> dict[str, str | float | None]:
    def mean(metric: str, scale: float = 100.0) -> float:
        return round(float(scale * np.nanmean(variant.scores[metric])), 3)

    return {
        "fillings": name,
        "exact match, %": mean("exact_match"),
        "edit similarity": mean("edit_similarity", 1.0),
        "parses, %": mean("parse_ok"),
        "stopped, %": mean("stopped"),
        "length error, tokens": mean("length_error", 1.0),
        "repeats the suffix, %": mean("suffix_repeat"),
    }
