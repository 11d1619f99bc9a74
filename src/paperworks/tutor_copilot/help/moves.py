"""What a tutor could say next, by strategy and by what is known of the student's mistake."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from ..maths.diagnosis import Diagnosis
from ..maths.drawing import rule_named, similar, simpler, telling_apart
from ..maths.problem import Problem, show_answer
from .leak import gives_away
from .readability import fits, reading_grade
from .request import Strategy
from .skill_words import NUDGES, SAYINGS, Sayings

__all__ = ["moves"]

_TRIES = 30


def moves(strategy: Strategy, diagnosis: Diagnosis, *, grade: int, rng: random.Random) -> list[str]:
    """Sentences for a strategy, best first: without the answer, the readable ones before the others.

    The answer may stand only where the student has said it. ``diagnosis`` must have a problem.
    """
    problem = diagnosis.problem
    assert problem is not None
    said = diagnosis.verdict == "correct"
    told = [text for text in _of(strategy, diagnosis, problem, rng) if said or not gives_away(text, problem)]
    readable = [text for text in told if fits(text, grade)]
    return readable + sorted((text for text in told if text not in readable), key=reading_grade)


def _of(strategy: Strategy, diagnosis: Diagnosis, problem: Problem, rng: random.Random) -> Iterator[str]:
    say = SAYINGS[problem.skill]
    nudges = [NUDGES[each.rule] for each in diagnosis.candidates if each.rule in NUDGES]
    match strategy:
        case Strategy.EXPLAIN_CONCEPT:
            yield from (say.concept, f"Remember: {_lower(say.concept)}", f"Here is the idea: {_lower(say.concept)}")
        case Strategy.ASK_QUESTION:
            yield from (*nudges, say.question, "Can you show me each step you took?", "What did you do first, and why?")
        case Strategy.PROVIDE_HINT:
            yield from (*nudges, say.hint, f"You are on your way. {say.hint}", f"Here is a hint: {_lower(say.hint)}")
        case Strategy.PROVIDE_STRATEGY:
            yield from (say.way, f"Here is a way: {_lower(say.way)}", f"{say.way} Then compare.")
        case Strategy.PROVIDE_EXAMPLE:
            yield from _examples(problem, rng)
        case Strategy.PROVIDE_CORRECTION:
            yield from _corrections(diagnosis, say, nudges)
        case Strategy.PROVIDE_SIMILAR_PROBLEM:
            yield from _similar(diagnosis, problem, rng)
        case Strategy.SIMPLIFY_QUESTION:
            yield from _simpler(problem, rng)
        case Strategy.AFFIRM_CORRECT_ANSWER:
            yield from _affirmations(diagnosis)
        case Strategy.ENCOURAGE_STUDENT:
            yield "I like that you tried this one. Let's look at it step by step."
            yield "You are working hard on this. Keep going, we can do it."
            yield "It is fine to get stuck. Let's find the first step together."


def _examples(problem: Problem, rng: random.Random) -> Iterator[str]:
    """Another problem of the skill, worked out."""
    for start in ("Look at this one: {} = {}.", "Here is a similar one: {} = {}.", "See how this one goes: {} = {}."):
        other = _without_answer(lambda: simpler(problem, rng), problem, worked=True)
        if problem.skill == "linear":
            letter, solution = other.operands[3], show_answer(other.answer)
            yield start.format(other.text, "").replace(" = .", f" means {letter} = {solution}.")
        elif problem.skill in {"rounding", "simplify", "area", "perimeter", "mean"}:
            yield start.format(other.text, "").replace(
                " = .", f" is {show_answer(other.answer, decimal=other.decimal)}."
            )
        else:
            yield start.format(other.text, show_answer(other.answer, decimal=other.decimal))


def _corrections(diagnosis: Diagnosis, say: Sayings, nudges: list[str]) -> Iterator[str]:
    if diagnosis.imprecise:
        yield "That is right. Can you write it in a simpler way?"
    if diagnosis.verdict == "slip":
        yield "You are very close. Can you check each digit once more?"
    yield from (f"Look at it again. {nudge}" for nudge in nudges)
    yield f"One step needs another look. {say.hint}"
    yield f"Let's look at it again. {say.question}"
    yield "Go through your steps again. Can you find one that does not fit?"


def _similar(diagnosis: Diagnosis, problem: Problem, rng: random.Random) -> Iterator[str]:
    """Where several mistakes give the student's answer, first a problem on which they would show apart."""
    rules = [rule_named(each.rule) for each in diagnosis.candidates]
    others = [telling_apart(problem, rules, rng)] if len(rules) > 1 else []
    rule = rules[0] if rules else None
    others += [_without_answer(lambda: similar(problem, rng, rule=rule), problem) for _ in range(3)]
    starts = ("Try this one too: {}.", "Here is a similar one: {}.", "How about this one: {}?", "And this one: {}?")
    for start, other in zip(starts, [each for each in others if each is not None], strict=False):
        yield start.format(other.text)


def _simpler(problem: Problem, rng: random.Random) -> Iterator[str]:
    for start in ("Let's take smaller numbers first: {}.", "Try this one before: {}.", "Start with an easier one: {}."):
        yield start.format(_without_answer(lambda: simpler(problem, rng), problem).text)


def _without_answer(make: Callable[[], Problem], problem: Problem, *, worked: bool = False) -> Problem:
    """What ``make`` gives, without the answer to ``problem`` in it; ``worked`` shows its own answer too."""
    for _ in range(_TRIES):
        other = make()
        shown = f"{other.text} = {show_answer(other.answer, decimal=other.decimal)}" if worked else other.text
        if not gives_away(shown, problem):
            break
    return other


def _affirmations(diagnosis: Diagnosis) -> Iterator[str]:
    if diagnosis.verdict == "correct":
        yield "Yes, that is right! How did you know?"
        yield "Correct! Can you tell me how you got it?"
        yield "That works. Could you explain it to a friend?"
        return
    yield "Which of your steps are you most sure of?"
    yield "Let's check your steps one by one. Where shall we start?"
    yield "Which part of this do you trust most, and why?"


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
