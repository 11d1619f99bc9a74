"""How well a model fills the holes of a task: the metrics, with rules that cut and without, hole by hole."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np

from paperworks.core import UserError
from paperworks.lab import Lab, stats

from .documents import TextEncoder
from .execution import passed
from .holes import Hole
from .infilling import Decoding, infill
from .rules import Rule, ruled
from .scores import ast_equal, edit_similarity, exact_match, parses, repeats_suffix

__all__ = ["METRICS", "Evaluation", "FIMEval", "Filled", "Task", "scored", "text_metrics", "text_scores"]

METRICS = {
    "exact_match": "exact match, %",
    "strict_match": "exact match, every blank, %",
    "edit_similarity": "edit similarity",
    "parse_ok": "parses, %",
    "ast_equal": "same syntax tree, %",
    "executes": "passes, %",
    "stopped": "stopped by itself, %",
    "length_error": "length error, tokens",
    "suffix_repeat": "repeats the suffix, %",
}
"""What a hole is scored by, and what tables call it. All but edit similarity and length error are shares."""
_PLAIN = ("edit_similarity", "length_error")
_FEWEST = 5


class Task(Protocol):
    """Where holes come from."""

    @property
    def name(self) -> str:
        """What tables call it."""

    def holes(self) -> list[Hole]:
        """The holes, the same at every call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What was written into a hole; ``tokens`` of it, and of the truth, as the model's tokenizer counts them."""

    text: str
    tokens: int
    truth_tokens: int
    stopped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A task's fillings and their scores [N] by metric, each from 0 to 1 but for edit similarity and length error.

    A metric that a hole does not have (it is no Python, or cannot be run) is nan there.
    """

    task: str
    rules: tuple[str, ...]
    holes: tuple[Hole, ...]
    fillings: tuple[Filled, ...]
    scores: dict[str, np.ndarray[Any, np.dtype[np.float64]]]

    def records(self) -> Iterator[dict[str, Any]]:
        """Every hole with its filling, as the model wrote it, and its scores; None for a metric it does not have."""
        for place, (hole, filled) in enumerate(zip(self.holes, self.fillings, strict=True)):
            scores = {name: float(values[place]) for name, values in self.scores.items()}
            yield {
                "task": self.task,
                "rules": list(self.rules),
                "hole": hole.name,
                "truth": hole.truth,
                **asdict(filled),
                "scores": {name: None if np.isnan(score) else score for name, score in scores.items()},
            }

    def summary(self) -> dict[str, dict[str, float | None]]:
        """Of every metric that holes have: its mean, a 95 % interval over files, and the number of holes.

        Holes of one file count as one cluster. Without five files there is no interval.
        """
        sources = np.array([hole.source or hole.name for hole in self.holes])
        rows: dict[str, dict[str, float | None]] = {}
        for name, values in self.scores.items():
            kept = ~np.isnan(values)
            if not kept.any():
                continue
            scale = 1.0 if name in _PLAIN else 100.0
            row: dict[str, float | None] = {"value": float(scale * values[kept].mean()), "low": None, "high": None}
            if len(set(sources[kept])) >= _FEWEST:
                found = stats.clustered(
                    scale * values[kept],
                    np.random.default_rng(0),
                    clusters=np.unique(sources[kept], return_inverse=True)[1],
                )
                most = math.inf if name == "length_error" else 100.0
                row |= {"low": max(found.low, 0.0), "high": min(found.high, most)}
            rows[name] = row | {"n": float(kept.sum())}
        return rows


@dataclass(frozen=True, kw_only=True)
class FIMEval:
    """Fills a task's holes with a model, in batches that are steps of the ``lab``: cut off, it goes on where it was.

    ``model_id`` tells models apart, with all that their weights depend on. ``rules`` are applied one after the other.
    """

    lab: Lab
    model_id: str
    max_new_tokens: int = 128
    batch: int = 8
    decoding: Decoding = field(default_factory=Decoding)
    rules: tuple[Rule, ...] = ()
    scheme: str = "auto"
    workers: int | None = None

    def run(
        self, model: Any, tokenizer: Any, task: Task, progress: Callable[[str, int, int], None] | None = None
    ) -> Evaluation:
        """Fill and score. ``progress`` hears of holes filled. Raises UserError for a task without holes."""
        holes = task.holes()
        return scored(
            task.name, holes, self.fill(model, tokenizer, task.name, holes, progress), self.rules, self.workers
        )

    def fill(
        self,
        model: Any,
        tokenizer: Any,
        task: str,
        holes: Sequence[Hole],
        progress: Callable[[str, int, int], None] | None = None,
    ) -> list[Filled]:
        """The fillings of some holes, as the model wrote them, before any rule. Raises UserError without holes."""
        if not holes:
            raise UserError(f"task {task} has no holes")
        encoder = TextEncoder(tokenizer)
        fill = partial(_fill, model, tokenizer)
        settings = {"decoding": asdict(self.decoding), "max_new_tokens": self.max_new_tokens, "scheme": self.scheme}
        filled: list[Filled] = []
        for begin in range(0, len(holes), self.batch):
            given = holes[begin : begin + self.batch]
            asked = [(one.prefix, one.suffix) for one in given]
            written = self.lab.step("fill", fill, holes=asked, model_id=self.model_id, **settings)
            filled += [
                Filled(**one, truth_tokens=len(encoder.encode(hole.truth)))
                for one, hole in zip(written, given, strict=True)
            ]
            if progress is not None:
                progress(task, len(filled), len(holes))
        return filled


def _fill(
    model: Any,
    tokenizer: Any,
    *,
    holes: list[tuple[str, str]],
    decoding: dict[str, Any],
    model_id: str,
    **settings: Any,
) -> list[dict[str, Any]]:
    """One batch as plain values; ``model_id`` is there to be part of what the step is known by."""
    results = infill(model, tokenizer, holes, decoding=Decoding(**decoding), **settings)
    return [{"text": one.text, "tokens": one.tokens, "stopped": one.stopped} for one in results]


def scored(
    task: str,
    holes: Sequence[Hole],
    filled: Sequence[Filled],
    rules: Sequence[Rule] = (),
    workers: int | None = None,
) -> Evaluation:
    """The scores of fillings after ``rules``. The same fillings can be scored with other rules, which pairs them.

    ``stopped`` and ``length_error`` speak of what the model wrote, before any rule.
    """
    texts = [ruled(one.text, hole, rules) for one, hole in zip(filled, holes, strict=True)]
    rows = [_of(one, text, hole) for one, text, hole in zip(filled, texts, holes, strict=True)]
    runs = passed(holes, texts, workers=workers)
    for row, run in zip(rows, runs, strict=True):
        row["executes"] = np.nan if run is None else float(run)
    return Evaluation(
        task=task,
        rules=tuple(rule.name for rule in rules),
        holes=tuple(holes),
        fillings=tuple(filled),
        scores={name: np.array([row[name] for row in rows], dtype=np.float64) for name in METRICS},
    )


def text_metrics(holes: Sequence[Hole]) -> list[str]:
    """What these holes can be scored by where all that is known of a filling is its text."""
    python = any(hole.language == "python" for hole in holes)
    runs = any(hole.execution is not None for hole in holes)
    lacking = {"stopped", "length_error"}
    lacking |= set() if python else {"parse_ok", "ast_equal"}
    lacking |= set() if runs else {"executes"}
    return [name for name in METRICS if name not in lacking]


def text_scores(hole: Hole, text: str, rules: Sequence[Rule] = ()) -> dict[str, float]:
    """The scores of one text after ``rules``."""
    filled = Filled(text=text, tokens=0, truth_tokens=0, stopped=True)
    return {name: float(values[0]) for name, values in scored(hole.kind, [hole], [filled], rules).scores.items()}


def _of(one: Filled, text: str, hole: Hole) -> dict[str, float]:
    python = hole.language == "python" and parses(hole.filled(hole.truth))
    whole = hole.filled(text)
    return {
        "exact_match": exact_match(text, hole.truth),
        "strict_match": exact_match(text, hole.truth, strict=True),
        "edit_similarity": edit_similarity(text, hole.truth),
        "parse_ok": float(parses(whole)) if python else np.nan,
        "ast_equal": float(ast_equal(whole, hole.filled(hole.truth))) if python else np.nan,
        "stopped": one.stopped,
        "length_error": abs(one.tokens - one.truth_tokens),
        "suffix_repeat": repeats_suffix(text, hole.truth, hole.suffix),
    }
