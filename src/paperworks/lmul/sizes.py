"""How much L-Mul's experiment does at each preset."""

from __future__ import annotations

from dataclasses import dataclass

from .contenders import CONTENDERS

__all__ = ["PRESETS", "HubSizes", "Sizes"]


@dataclass(frozen=True, kw_only=True)
class HubSizes:
    """What is measured on published models.

    ``models``: causal language models, hub ids or folders. ``tasks``: of lm-evaluation-harness, whose answers C4 is
    judged by; ``more_tasks``: shown beside them. ``include``: a folder with tasks of one's own. ``limit``: questions of
    each task, 0 for all. ``tuned``: the model that C6 is measured on; ``dataset``: what it is tuned on, a data set of
    the hub (or a folder) with splits train and test, columns question and answer.
    """

    models: tuple[str, ...]
    tasks: tuple[str, ...]
    more_tasks: tuple[str, ...] = ()
    include: str = ""
    limit: int = 0
    tuned: str
    dataset: str
    context: int = 512


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much an experiment does.

    ``training_steps``: batches of 128 digits each model sees. ``grid``: points along each mantissa for the two
    distributions. ``pairs``: products drawn from each model's operands. ``contenders``: the arithmetics tried in
    attention. ``tokens_per_file``: how much of each held-out file the language models read in every arithmetic;
    ``judged_tokens_per_file``: how much in those that claims are judged by, where that is more. ``recipe``: the
    language model, out of `tiny_lm.RECIPES`; ``models_per_seed``: how many of it are trained for each seed (0: the
    shipped one alone). ``tuning_steps``: batches of fine-tuning, 0 leaves it out; ``tuned_recipe``: of which model.
    ``hub``: published models in the place of our own.
    """

    seeds: int
    training_steps: int
    grid: int
    pairs: int
    tokens_per_file: int
    judged_tokens_per_file: int = 0
    contenders: tuple[str, ...] = tuple(CONTENDERS)
    recipe: str = "tiny_lm"
    models_per_seed: int = 0
    tuning_steps: int = 0
    tuned_recipe: str = "tiny_lm"
    hub: HubSizes | None = None


PRESETS = {
    "smoke": Sizes(
        seeds=3,
        training_steps=20,
        grid=256,
        pairs=5_000,
        tokens_per_file=12,
        contenders=("float32", "e4m3", "e5m2", "carry3", "carry4"),
    ),
    "quick": Sizes(seeds=5, training_steps=1000, grid=512, pairs=200_000, tokens_per_file=250),
    "full": Sizes(
        seeds=5,
        training_steps=3000,
        grid=2048,
        pairs=2_000_000,
        tokens_per_file=1200,
        judged_tokens_per_file=40_000,
        recipe="quick",
        models_per_seed=2,
        tuning_steps=60,
    ),
    "gpu": Sizes(
        seeds=3,
        training_steps=1000,
        grid=2048,
        pairs=2_000_000,
        tokens_per_file=1200,
        judged_tokens_per_file=40_000,
        recipe="large",
        models_per_seed=1,
        tuning_steps=20,
        tuned_recipe="large",
    ),
    "paper": Sizes(
        seeds=3,
        training_steps=3000,
        grid=2048,
        pairs=2_000_000,
        tokens_per_file=1200,
        contenders=("float32", "e4m3", "e5m2", "carry3", "carry4"),
        tuning_steps=200,
        hub=HubSizes(
            models=(
                "meta-llama/Llama-3.1-8B-Instruct",
                "mistralai/Mistral-7B-Instruct-v0.3",
                "google/gemma-2-2b-it",
            ),
            tasks=("mmlu", "bbh", "arc_challenge", "commonsense_qa", "openbookqa", "piqa", "social_iqa"),
            more_tasks=("gsm8k",),
            tuned="google/gemma-2-2b-it",
            dataset="openai/gsm8k",
        ),
    ),
}
