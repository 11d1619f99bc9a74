"""What a room asks of the help and what it gets: the one seam between the two.

A room hands over the conversation with real names and the names themselves; what leaves the process, and without which
names, is the engine's to decide and to record. Everything that comes back carries real names again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

HISTORY = 10
"""Messages of a conversation that the help sees: the most recent ones (section 2.1 of the paper)."""

COLUMNS = 3
"""Suggestions at a time."""


class Strategy(StrEnum):
    """What an expert might do next (Bridge, Table 2); the value is what travels and is stored."""

    EXPLAIN_CONCEPT = "explain_concept"
    ASK_QUESTION = "ask_question"
    PROVIDE_HINT = "provide_hint"
    PROVIDE_STRATEGY = "provide_strategy"
    PROVIDE_EXAMPLE = "provide_example"
    PROVIDE_CORRECTION = "provide_correction"
    PROVIDE_SIMILAR_PROBLEM = "provide_similar_problem"
    SIMPLIFY_QUESTION = "simplify_question"
    AFFIRM_CORRECT_ANSWER = "affirm_correct_answer"
    ENCOURAGE_STUDENT = "encourage_student"

    @property
    def label(self) -> str:
        """What stands on the button."""
        return _LABELS[self]


_LABELS = {
    Strategy.EXPLAIN_CONCEPT: "Explain a concept",
    Strategy.ASK_QUESTION: "Ask a question",
    Strategy.PROVIDE_HINT: "Provide a hint",
    Strategy.PROVIDE_STRATEGY: "Provide a strategy",
    Strategy.PROVIDE_EXAMPLE: "Give a worked example",
    Strategy.PROVIDE_CORRECTION: "Give a minor correction",
    Strategy.PROVIDE_SIMILAR_PROBLEM: "Give a similar problem",
    Strategy.SIMPLIFY_QUESTION: "Simplify the question",
    Strategy.AFFIRM_CORRECT_ANSWER: "Affirm the right answer",
    Strategy.ENCOURAGE_STUDENT: "Encourage the student",
}

DEFAULT_STRATEGIES = (Strategy.EXPLAIN_CONCEPT, Strategy.ASK_QUESTION, Strategy.PROVIDE_HINT)
"""One a column where the tutor chose none (section 2.1 of the paper)."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One message of the conversation."""

    speaker: Literal["tutor", "student"]
    text: str


@dataclass(frozen=True, kw_only=True)
class HelpRequest:
    """A tutor asks for help.

    ``strategies`` has one strategy a column, and may name one several times: then its columns differ in wording.
    ``turns`` is in order of time. ``tutor_name``, ``student_name`` and ``other_names`` (the class) are what must not
    leave the process. ``spent_usd`` is what this tutor's help has cost today. ``avoid`` holds suggestions that the
    tutor has just asked to be replaced.
    """

    strategies: tuple[Strategy, ...]
    turns: tuple[Turn, ...]
    topic: str
    problem: str
    grade: int
    tutor_name: str
    student_name: str
    other_names: tuple[str, ...] = ()
    spent_usd: float = 0.0
    avoid: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.strategies) <= COLUMNS:
            raise ValueError(f"a request names 1 to {COLUMNS} strategies, one a column, not {len(self.strategies)}")
        if len(self.turns) > HISTORY:
            raise ValueError(f"a request has the {HISTORY} most recent turns, not {len(self.turns)}")


@dataclass(frozen=True, kw_only=True)
class Delta:
    """More of a column's suggestion, to be added to what has come of it."""

    column: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """A column's suggestion, whole; it stands in place of the deltas that came before.

    ``engine`` names who wrote it, as the tutor should read it. ``sent_out`` is exactly what left the process for it,
    names removed; "" where nothing did. ``note`` is a sentence for the tutor, such as why a rule and not a model
    answered; "" for none. ``flags`` names what guards found and mended ("leak", "moderation", "readability").
    """

    column: int
    strategy: Strategy
    text: str
    engine: str
    note: str = ""
    sent_out: str = ""
    flags: tuple[str, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0


class HelpUnavailable(RuntimeError):
    """No suggestion can be given now; the message is one sentence for the tutor."""


class HelpEngine(Protocol):
    """Who writes suggestions."""

    @property
    def name(self) -> str:
        """What the tutor and the administrator read."""
        ...

    def suggest(self, request: HelpRequest) -> AsyncIterator[Delta | Suggestion]:
        """Deltas of any column in any order, and one `Suggestion` a column; closing the iterator stops the work.

        Raises HelpUnavailable.
        """
        ...

    async def close(self) -> None:
        """Give back what is held: connections, threads."""
        ...
