"""How much the experiment does at each preset."""

from __future__ import annotations

from dataclasses import dataclass, replace

from paperworks.lab.tiny_lm import Recipe

from .hellaswag import HellaSwag
from .texts import HubText

__all__ = ["PRESETS", "AssignmentSizes", "LanguageSizes", "Sizes"]


@dataclass(frozen=True, kw_only=True)
class AssignmentSizes:
    """Variable assignment: ``steps`` of training, ``rows`` sequences of each length that a model is judged on.

    ``models_per_seed``: how many models of each kind are trained for each seed of the run, since these are cheap.
    """

    steps: int
    rows: int
    models_per_seed: int = 1


@dataclass(frozen=True, kw_only=True)
class LanguageSizes:
    """Language models: all that is measured is measured on the first of ``recipes``, equal size on each.

    ``checkpoints``: places of a training where the validation loss is taken. ``pruned_tokens_per_file``: how much of
    each validation file pruned models read. ``budget_sequences`` and ``budget_step``: on how many sequences budgets are
    searched, and how finely. ``text`` is what the models read in the place of the standard library, and ``questions``
    what they are asked besides.
    """

    recipes: tuple[Recipe, ...]
    checkpoints: int
    pruned_tokens_per_file: int
    budget_sequences: int
    budget_step: int
    text: HubText | None = None
    questions: HellaSwag | None = None


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much an experiment does; ``language`` None leaves the language models out."""

    seeds: int
    assignment: AssignmentSizes
    language: LanguageSizes | None = None


_MAIN = Recipe(
    vocabulary=1024,
    hidden=128,
    intermediate=352,
    layers=3,
    heads=4,
    kv_heads=4,
    context=256,
    tokens=1_200_000,
    batch=4,
    learning_rate=3e-3,
    optimizer="adamw",
)
_SMALL = replace(
    _MAIN, hidden=64, intermediate=176, layers=2, heads=2, kv_heads=2, context=128, tokens=2_000_000, batch=8
)
_GPU = replace(
    _MAIN,
    vocabulary=8192,
    hidden=512,
    intermediate=1376,
    layers=8,
    heads=8,
    kv_heads=8,
    context=512,
    tokens=6_000_000,
    batch=32,
    learning_rate=2e-3,
    precision="bfloat16",
)


def _papers(size: int, context: int) -> Recipe:
    """The paper's model of a size d (Section 4): d layers of d heads, of width 64 d.

    It reads a billion tokens, where the paper's read 524,288 steps of some 131,000; the learning rate is ours.
    """
    return replace(
        _GPU,
        hidden=64 * size,
        intermediate=172 * size,
        layers=size,
        heads=size,
        kv_heads=size,
        context=context,
        tokens=1_000_000_000,
        batch=_PAPERS_BATCH // context,
        learning_rate=1e-3,
        warmup=0.02,
    )


_PAPERS_BATCH = 65_536
"""Tokens of a step."""

PRESETS = {
    "smoke": Sizes(seeds=3, assignment=AssignmentSizes(steps=15, rows=16)),
    "quick": Sizes(seeds=5, assignment=AssignmentSizes(steps=600, rows=256)),
    "full": Sizes(
        seeds=3,
        assignment=AssignmentSizes(steps=1350, rows=1024, models_per_seed=2),
        language=LanguageSizes(
            recipes=(_MAIN, _SMALL),
            checkpoints=10,
            pruned_tokens_per_file=2000,
            budget_sequences=32,
            budget_step=8,
        ),
    ),
    "gpu": Sizes(
        seeds=3,
        assignment=AssignmentSizes(steps=600, rows=256),
        language=LanguageSizes(
            recipes=(_GPU, replace(_GPU, context=1024, batch=16)),
            checkpoints=10,
            pruned_tokens_per_file=2000,
            budget_sequences=16,
            budget_step=32,
        ),
    ),
    "paper": Sizes(
        seeds=3,
        assignment=AssignmentSizes(steps=1350, rows=1024),
        language=LanguageSizes(
            recipes=(_papers(12, 512), _papers(12, 1024), _papers(12, 2048), _papers(6, 512), _papers(16, 512)),
            checkpoints=20,
            pruned_tokens_per_file=1000,
            budget_sequences=64,
            budget_step=8,
            text=HubText(dataset="allenai/c4", subset="en", says="C4", train_characters=4_000_000_000, held_out=1000),
            questions=HellaSwag(),
        ),
    ),
}
