"""Help without a key or a network: rules that find the student's mistake. No language model, and it says so."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

from ..maths.diagnosis import Diagnosis, diagnose
from ..maths.problem import SKILLS, Problem, show_answer
from .moves import moves
from .request import Delta, HelpRequest, Suggestion
from .wording import OpenQuestions

__all__ = ["OfflineEngine", "diagnosis_of", "unsolved_problem"]


class OfflineEngine:
    """Finds the last problem that the student answered, which known mistake gives the answer, and what to say of it.

    Where there is no problem that the rules can work out, or no answer of the student's, `OpenQuestions` answers. The
    same request gives the same suggestions.
    """

    name = "rules on this machine"

    def __init__(self) -> None:
        self._open = OpenQuestions()

    async def suggest(self, request: HelpRequest) -> AsyncIterator[Delta | Suggestion]:
        """One suggestion a column, none twice and none of those to avoid while there are others."""
        # In a thread: algebra and new problems take up to 0.2 s, for which no room of this worker should wait.
        suggestions = await asyncio.to_thread(self._suggestions, request)
        if not suggestions:
            async for part in self._open.suggest(request):
                yield part
        for each in suggestions:
            yield Delta(column=each.column, text=each.text)
            yield each

    def _suggestions(self, request: HelpRequest) -> list[Suggestion]:
        """One a column, or none where there is nothing to go by."""
        diagnosis = diagnosis_of(request)
        if diagnosis.problem is None or diagnosis.verdict in {"no_math", "no_answer"}:
            return []
        rng = random.Random(f"{diagnosis.problem.text} {diagnosis.given} {len(request.avoid)}")
        used = set(request.avoid)
        suggestions = []
        for column, strategy in enumerate(request.strategies):
            told = moves(strategy, diagnosis, grade=request.grade, rng=rng)
            text = next((text for text in told if text not in used), told[0])
            used.add(text)
            note = said_of(diagnosis) if not column else ""
            suggestions.append(Suggestion(column=column, strategy=strategy, text=text, engine=self.name, note=note))
        return suggestions

    async def close(self) -> None:
        """Nothing is held."""


def diagnosis_of(request: HelpRequest) -> Diagnosis:
    """The diagnosis of the student's last answer to the last problem before it, in the conversation or on the board."""
    latest = Diagnosis(verdict="no_math")
    for place in range(len(request.turns) - 1, -1, -1):
        if request.turns[place].speaker != "student":
            continue
        asked = [turn.text for turn in reversed(request.turns[:place]) if turn.speaker == "tutor"]
        for problem in (*asked, request.problem):
            found = diagnose(problem, request.turns[place].text, grade=request.grade)
            if found.verdict not in {"no_math", "no_answer"}:
                return found
            if found.verdict == "no_answer" and latest.verdict == "no_math":
                latest = found
    return latest


def unsolved_problem(request: HelpRequest) -> Problem | None:
    """The problem whose answer must not be told yet: the one at hand, unless the student has solved it."""
    diagnosis = diagnosis_of(request)
    return None if diagnosis.verdict == "correct" else diagnosis.problem


def said_of(diagnosis: Diagnosis) -> str:
    """One sentence for the tutor on what the rules found, or that they found nothing."""
    problem = diagnosis.problem
    if problem is None:
        return "The rules found no problem that they can work out."
    given = "" if diagnosis.given is None else show_answer(diagnosis.given, decimal=problem.decimal)
    match diagnosis.verdict:
        case "correct":
            return f"{given} is right" + (", and can be simplified." if diagnosis.imprecise else ".")
        case "misconception":
            first, *others = diagnosis.candidates
            sure = "The student probably" if first.p > 0.6 else "The student perhaps"
            more = f", or {others[0].says}" if others else ""
            return f"{sure} {first.says}{more} ({SKILLS[problem.skill]})."
        case "slip":
            return f"{given} is close to the answer: a slip rather than a misunderstanding."
        case "unknown":
            return f"The rules know no mistake that gives {given} for {problem.text}; ask how the student got it."
        case _:
            return "The rules found no answer in what the student wrote."
