"""Measures the paper's claims: what the help costs, and how well strategies are told apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats as distributions

from paperworks.core import Measurement, Untested
from paperworks.lab import Lab, stats

__all__ = ["PRESETS", "Sizes", "run"]

RESAMPLES = 2000
GPT_4 = (30.0, 60.0)
"""Dollars for a million tokens read and written by GPT-4 in 2024."""
CHARACTERS_A_TOKEN = 4
"""OpenAI's rule of thumb for English."""
SESSIONS, TUTORS, MONTHS = 4136, 782, 2
USED, USES = 0.29, 10
"""The share of treated sessions in which it was used, and how often in those (2.1)."""
_CONVERSATION = (
    ("tutor", "Hi! Ready for number 3? What is 3/4 + 1/5?"),
    ("student", "ok"),
    ("student", "is it 4/9"),
    ("tutor", "Tell me how you got that."),
    ("student", "i did 3 plus 1 and 4 plus 5"),
    ("tutor", "I see. What do the bottom numbers tell us?"),
    ("student", "how many pieces"),
    ("tutor", "Yes! And are the pieces of both fractions the same size?"),
    ("student", "no i dont think so"),
    ("student", "so what do i do"),
)
"""Ten messages, made up, about as long as those of a chat."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much an experiment does: a seed draws the messages that a classifier learns from."""

    seeds: int
    turns: int


PRESETS = {
    "smoke": Sizes(seeds=3, turns=600),
    "quick": Sizes(seeds=5, turns=3000),
    "full": Sizes(seeds=10, turns=6000),
}


def run(lab: Lab, sizes: Sizes) -> Iterator[Measurement | Untested]:
    """A result for every claim, as soon as it is known."""
    yield _cost()
    yield _strategies(lab, sizes)


def _cost() -> Measurement:
    """Dollars a tutor and year with our prompts: the paper's uses, three columns each, at GPT-4's prices."""
    from .help import prompt
    from .help.names import NameMask
    from .help.request import DEFAULT_STRATEGIES, HelpRequest, Turn

    request = HelpRequest(
        strategies=DEFAULT_STRATEGIES,
        turns=tuple(Turn(speaker=speaker, text=text) for speaker, text in _CONVERSATION),  # type: ignore[arg-type]
        topic="Adding fractions with unlike denominators",
        problem="3/4 + 1/5",
        grade=5,
        tutor_name="Ana Diaz",
        student_name="Bo Lee",
    )
    mask = NameMask(tutor=request.tutor_name, student=request.student_name)
    read = [sum(len(message.text) for message in prompt.messages(request, column, mask)) for column in range(3)]
    tokens = sum(read) / CHARACTERS_A_TOKEN
    written = 3 * prompt.WORDS * 4 / 3
    use = (tokens * GPT_4[0] + written * GPT_4[1]) / 1e6
    uses = SESSIONS / TUTORS * 12 / MONTHS * USED * USES
    return Measurement(
        claim="T6",
        **stats.exact(use * uses).as_fields(),
        unit="$",
        scale="stand-in",
        setting="our prompts with ten made-up messages, 4 characters a token; GPT-4 at $30 and $60 a million",
        note=(
            f"A use reads {tokens:.0f} tokens and writes {written:.0f} in three columns: ${use:.4f}. The paper's "
            f"{SESSIONS / TUTORS:.1f} sessions a tutor in two months, {USED:.0%} of them with {USES} uses, are "
            f"{uses:.0f} uses a year. How the paper comes to its figure is not printed."
        ),
    )


def _strategies(lab: Lab, sizes: Sizes) -> Measurement:
    """The F1 of a classifier that learns from made-up messages, on messages written by hand; mean over strategies."""
    from .strategies.classifier import f1_scores
    from .strategies.labelled import labelled_turns
    from .strategies.written import LABELS

    found = [lab.step("strategies", found_by, turns=sizes.turns, seed=seed) for seed in range(sizes.seeds)]
    right = _right()
    scores = np.array([f1_scores(np.array(each), right) for each in found])
    rng = lab.rng("strategies", 0)
    drawn = [rng.integers(len(right), size=len(right)) for _ in range(RESAMPLES)]
    picks = rng.integers(len(found), size=RESAMPLES)
    resampled = [
        f1_scores(np.array(found[pick])[rows], right[rows]).mean() for pick, rows in zip(picks, drawn, strict=True)
    ]
    value = float(scores.mean())
    half = float(distributions.norm.ppf(0.975) * np.std(resampled, ddof=1))
    return Measurement(
        claim="T9",
        value=value,
        low=value - half,
        high=value + half,
        interval="seeds+items",
        n=sizes.seeds,
        scale="stand-in",
        setting=f"trained on {sizes.turns} synthetic messages, tested on {len(right)} written and labelled by hand",
        note=f"The {len(labelled_turns())} messages were written apart from the training sentences, by one person.",
        rows=tuple(
            {"strategy": says, "F1": float(scores[:, place].mean()), "messages": int(right[:, place].sum())}
            for place, says in enumerate(LABELS.values())
        ),
    )


def found_by(*, turns: int, seed: int) -> list[list[int]]:
    """What a classifier of a seed finds in the labelled messages [N, 7]."""
    import random

    from .strategies.classifier import StrategyClassifier, labels_matrix
    from .strategies.labelled import labelled_turns
    from .strategies.written import synthetic_turns

    classifier = StrategyClassifier().fit(synthetic_turns(turns, random.Random(seed)))
    found: list[list[int]] = labels_matrix(classifier.predict([text for text, _ in labelled_turns()])).tolist()
    return found


def _right() -> np.ndarray:
    from .strategies.classifier import labels_matrix
    from .strategies.labelled import labelled_turns

    return labels_matrix([labels for _, labels in labelled_turns()])
