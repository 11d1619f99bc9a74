"""S1, S2, S3, S5 and S6 on language models: loss at equal size, memory at equal loss, HellaSwag, loss by budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from paperworks.core import Measurement, Untested
from paperworks.lab import Lab, stats
from paperworks.lab.tiny_lm import Recipe

from . import draw, texts
from .hellaswag import HellaSwag
from .language import VARIANTS, ByFile, Study
from .sizes import LanguageSizes

__all__ = ["claims"]

_NEEDS_FULL = "needs --preset full"
_NEEDS_PAPER = "needs --preset paper"
_UNTESTED = {
    "S1": _NEEDS_FULL,
    "S2": _NEEDS_FULL,
    "S3-512": _NEEDS_FULL,
    "S3-1024": "needs --preset gpu",
    "S3-2048": _NEEDS_PAPER,
    "S5": _NEEDS_PAPER,
    "S6": _NEEDS_FULL,
    "S6-window": _NEEDS_FULL,
}
_JUDGED_SHARES = (2, 4, 8)
_SHARES = (*_JUDGED_SHARES, 16)
"""What part of the context a budget is: a half, a quarter, ..."""
_LIMITS = {
    "selective, pruned": ("selective", "budget"),
    "memory loss, pruned": ("memory", "budget"),
    "selective, window": ("selective", "window"),
    "memory loss, window": ("memory", "window"),
    "standard, window": ("standard", "window"),
}
"""The lines of the pruning curves: a model, and what limits it."""

Losses = Sequence[ByFile]
Row = Mapping[str, str | float | None]


def claims(lab: Lab, sizes: LanguageSizes | None) -> Iterator[Measurement | Untested]:
    """All of them, over seeds and files; without ``sizes``, why there is no number."""
    if sizes is None:
        yield from (Untested(claim=claim, reason=reason) for claim, reason in _UNTESTED.items())
        return
    read = texts.read(lab, sizes.text)
    studies = [Study(lab, recipe, read, checkpoints=sizes.checkpoints) for recipe in sizes.recipes]
    yield _equal_size(lab, studies)
    yield _twice_the_heads(lab, studies[0])
    yield from _memory(studies, sizes)
    yield from _pruning(lab, studies[0], sizes)
    yield _endings(lab, studies, sizes.questions)


def _equal_size(lab: Lab, studies: Sequence[Study]) -> Measurement:
    """S1: the smallest of the settings' differences stands for all."""
    found = {study: _difference(lab, study.losses("standard"), study.losses("selective")) for study in studies}
    worst = min(found, key=lambda study: found[study].value)
    curves = {variant.says: studies[0].curves(name) for name, variant in VARIANTS.items()}
    return Measurement(
        claim="S1",
        **found[worst].as_fields(),
        scale="smaller",
        setting=_setting(lab, worst, worst.losses("standard")),
        unit="nats",
        baseline=_mean(worst.losses("standard")),
        note=_flatness(studies[0]),
        rows=tuple(_size_row(study, found[study]) for study in studies),
        figures=(lab.figure("learning", draw.learning(curves), alt=draw.LEARNING_ALT),),
    )


def _size_row(study: Study, difference: stats.Estimate) -> Row:
    """``selective by then`` compares at equal time: the selective model has done fewer steps when standard ends."""
    ended = [curve[-1]["seconds"] for curve in study.curves("standard")]
    at_equal_time = [_at(curve, "seconds", end) for curve, end in zip(study.curves("selective"), ended, strict=True)]
    by_seed = _by_seed(study.losses("standard"), study.losses("selective"))
    return {
        "model": _short(study.recipe),
        "standard, nats": _mean(study.losses("standard")),
        "selective, nats": _mean(study.losses("selective")),
        "difference": difference.value,
        "from": difference.low,
        "to": difference.high,
        "by seed": ", ".join(f"{one:.3f}" for one in by_seed),
        "standard at its end": float(np.mean([curve[-1]["nats"] for curve in study.curves("standard")])),
        "selective by then": float(np.mean(at_equal_time)),
    }


def _flatness(study: Study) -> str:
    falls = {}
    for variant in ("standard", "selective"):
        curves = study.curves(variant)
        falls[variant] = np.mean([_at(c, "step", 0.9 * c[-1]["step"]) - c[-1]["nats"] for c in curves])
    return (
        f"In the last tenth of the {study.recipe.steps} steps, with the learning rate going to 0, the validation loss "
        f"still fell by {falls['standard']:.4f} nats (standard) and {falls['selective']:.4f} (selective). The curves "
        "are taken on the beginning of each file."
    )


def _at(curve: Sequence[Mapping[str, float]], axis: str, place: float) -> float:
    return float(np.interp(place, [point[axis] for point in curve], [point["nats"] for point in curve]))


def _twice_the_heads(lab: Lab, study: Study) -> Measurement:
    wide = study.losses("wide")
    return Measurement(
        claim="S2",
        **_difference(lab, wide, study.losses("selective")).as_fields(),
        scale="smaller",
        setting=_setting(lab, study, wide),
        unit="nats",
        baseline=_mean(wide),
        note=_by_doubling(_mean(wide) - _mean(study.losses("standard"))),
        rows=tuple(
            {"attention": VARIANTS[name].says, "loss, nats": _mean(study.losses(name))}
            for name in ("standard", "wide", "selective", "memory")
        ),
    )


def _by_doubling(rise: float) -> str:
    """What the doubling alone did: where it did not help, that selection does as well says little."""
    change = f"{abs(rise):.3f} nats {'higher' if rise > 0 else 'lower'}"
    said = f"Twice the heads, as wide each, end with a loss {change} than the standard model's after as many steps"
    if rise <= 0:
        return f"{said}."
    return f"{said}: at this size and length of training they are no gain that selection would have to match."


def _memory(studies: Sequence[Study], sizes: LanguageSizes) -> Iterator[Measurement | Untested]:
    """S3, by context."""
    shorter = [study for study in studies if study.recipe.context <= 512]
    chosen = {"S3-512": max(shorter, key=lambda study: study.recipe.context, default=None)}
    for context in (1024, 2048):
        same = (study for study in studies if study.recipe.context == context)
        chosen[f"S3-{context}"] = next(same, None)
    for claim, study in chosen.items():
        yield Untested(claim=claim, reason=_UNTESTED[claim]) if study is None else _factor(claim, study, sizes)


def _factor(claim: str, study: Study, sizes: LanguageSizes) -> Measurement:
    found = study.budgets(sequences=sizes.budget_sequences, step=sizes.budget_step)
    missed = sum(one["whole"] > one["validation"]["target"] for one in found)
    return Measurement(
        claim=claim,
        **stats.geometric_mean([one["factor"] for one in found]).as_fields(),
        scale="smaller",
        setting=(
            f"{len(found)} pairs of Llamas, {_model(study.recipe)}; budgets found on {sizes.budget_sequences} "
            f"sequences of held-out {study.texts.says}, in steps of {sizes.budget_step} tokens at the last"
        ),
        unit="times",
        baseline=1.0,
        note=(
            f"{missed} of the {len(found)} models with the memory loss miss the standard model's loss even with the "
            "whole context; their factor counts as 1."
            if missed
            else f"The test columns are other {study.texts.items}, on which no budget was chosen."
        ),
        rows=tuple(_budget_row(seed, one, study.recipe.context) for seed, one in enumerate(found)),
    )


def _budget_row(seed: int, found: Mapping[str, Any], context: int) -> Row:
    return {
        "seed": str(seed),
        "factor": found["factor"],
        "factor of a sliding window": context / found["window"],
        "budgets by layer": ", ".join(str(budget) for budget in found["budgets"]),
        "standard, nats": found["validation"]["target"],
        "not pruned, nats": found["whole"],
        "pruned, nats": found["validation"]["loss"],
        "test: standard, nats": found["test"]["target"],
        "test: pruned, nats": found["test"]["loss"],
    }


def _pruning(lab: Lab, study: Study, sizes: LanguageSizes) -> Iterator[Measurement]:
    """S6 and S6-window, and the curves of which they are points."""
    context, some = study.recipe.context, sizes.pruned_tokens_per_file
    whole = {name: study.losses(name, tokens_per_file=some) for name in ("standard", "selective", "memory")}
    limited = {
        line: {share: _limited(study, name, kind, context // share, some) for share in _SHARES}
        for line, (name, kind) in _LIMITS.items()
    }
    levels = {VARIANTS[name].says: _mean(losses) for name, losses in whole.items()}
    curves = {line: [_mean(by_share[share]) for share in _SHARES] for line, by_share in limited.items()}
    drawn: dict[str, dict[str, list[float]]] = {says: {} for says in levels}
    for line, (name, kind) in _LIMITS.items():
        drawn[VARIANTS[name].says]["pruned" if kind == "budget" else kind] = curves[line]
    budgets = [context // share for share in _SHARES]
    common: dict[str, Any] = {
        "scale": "smaller",
        "setting": _setting(lab, study, whole["selective"]),
        "rows": tuple(
            {"tokens stored": float(budget)}
            | {f"{line}, nats": curve[place] for line, curve in curves.items()}
            | {f"{says}, whole, nats": level for says, level in levels.items()}
            for place, budget in enumerate(budgets)
        ),
        "figures": (lab.figure("pruning", draw.pruning(budgets, drawn, levels), alt=draw.PRUNING_ALT),),
    }
    pruned = limited["selective, pruned"]
    yield Measurement(
        claim="S6",
        **_rise(lab, pruned[4], whole["selective"]).as_fields(),
        unit="%",
        baseline=_mean(whole["selective"]),
        note=f"With the memory loss: {_rise(lab, limited['memory loss, pruned'][4], whole['memory']).value:+.3f} %.",
        **common,
    )
    won = {share: _difference(lab, limited["selective, window"][share], pruned[share]) for share in _SHARES}
    yield Measurement(
        claim="S6-window",
        **min((won[share] for share in _JUDGED_SHARES), key=lambda one: one.value).as_fields(),
        unit="nats",
        baseline=0.0,
        note=_by_budget({context // share: one for share, one in won.items()}),
        **common,
    )


def _by_budget(won: Mapping[int, stats.Estimate]) -> str:
    """What pruning wins over a window at each budget, the smallest of which is beyond those that are judged."""
    said = ", ".join(f"{one.value:+.4f} [{one.low:+.4f}, {one.high:+.4f}] at {budget}" for budget, one in won.items())
    return f"The window's loss minus that of pruning, by tokens stored: {said}; the last is not judged."


def _endings(lab: Lab, studies: Sequence[Study], asked: HellaSwag | None) -> Measurement | Untested:
    """S5: the smallest of the settings' differences stands for all."""
    if asked is None:
        return Untested(claim="S5", reason=_UNTESTED["S5"])
    correct = {
        study: {name: _points(study.answers(name, asked)) for name in ("standard", "selective")} for study in studies
    }
    found = {
        study: stats.two_level(points["selective"] - points["standard"], lab.rng("endings", 0))
        for study, points in correct.items()
    }
    worst = min(found, key=lambda study: found[study].value)
    return Measurement(
        claim="S5",
        **found[worst].as_fields(),
        scale="smaller",
        setting=(
            f"{len(lab.seeds)} Llamas of each kind, {_model(worst.recipe)}, trained on "
            f"{worst.recipe.tokens / 1e6:.1f} million tokens of {worst.texts.says}; "
            f"{correct[worst]['standard'].shape[1]:,} questions"
        ),
        unit="points",
        baseline=float(correct[worst]["standard"].mean()),
        note="Of four endings, a guess is right in 25 % of the questions.",
        rows=tuple(
            {"model": _short(study.recipe)}
            | {f"{name}, %": float(points.mean()) for name, points in correct[study].items()}
            | {"difference, points": one.value, "from": one.low, "to": one.high}
            for study, one in found.items()
        ),
    )


def _points(answered: Losses) -> np.ndarray[Any, Any]:
    """[S, Q]: 100 for a right answer, 0 for a wrong one."""
    return 100 * np.array([one["correct"] for one in answered])


def _limited(study: Study, variant: str, kind: str, budget: int, tokens_per_file: int) -> Losses:
    """A window of the query itself and as many tokens as the budget stores is what compares with it."""
    if kind == "window":
        return study.losses(variant, tokens_per_file=tokens_per_file, window=budget + 1)
    return study.losses(variant, tokens_per_file=tokens_per_file, budget=budget)


def _difference(lab: Lab, above: Losses, below: Losses) -> stats.Estimate:
    """The loss ``above`` minus that ``below``, nats a token, paired by seed and file; files count by their tokens."""
    return stats.two_level(_by_file(above, below), lab.rng("difference", 0))


def _by_seed(above: Losses, below: Losses) -> list[float]:
    return [float(files.mean()) for files in _by_file(above, below)]


def _by_file(above: Losses, below: Losses) -> list[np.ndarray[Any, Any]]:
    """The differences [F] of each seed, whose mean is that of all tokens."""
    pairs = zip(above, below, strict=True)
    return [(one["nats"] - other["nats"]) / one["tokens"].mean() for one, other in pairs]


def _rise(lab: Lab, after: Losses, before: Losses) -> stats.Estimate:
    """By how many percent the loss rises."""
    nats = [[one["nats"] for one in losses] for losses in (after, before)]
    ratio = stats.two_level_ratio(*nats, lab.rng("rise", 0))
    return replace(ratio, **{part: 100 * (getattr(ratio, part) - 1) for part in ("value", "low", "high")})


def _mean(losses: Losses) -> float:
    return float(sum(one["nats"].sum() for one in losses) / sum(one["tokens"].sum() for one in losses))


def _setting(lab: Lab, study: Study, losses: Losses) -> str:
    tokens = losses[0]["tokens"]
    return (
        f"{len(lab.seeds)} Llamas of each kind, {_model(study.recipe)}, trained on {study.recipe.tokens / 1e6:.1f} "
        f"million tokens of {study.texts.says}; {int(tokens.sum()):,} held-out tokens from {len(tokens)} "
        f"{study.texts.items}"
    )


def _model(recipe: Recipe) -> str:
    return (
        f"{recipe.layers} layers of {recipe.heads} heads, width {recipe.hidden}, a context of {recipe.context} tokens"
    )


def _short(recipe: Recipe) -> str:
    return f"width {recipe.hidden}, context {recipe.context}"
