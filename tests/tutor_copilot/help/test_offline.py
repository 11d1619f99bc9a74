"""The offline help: suggestions that fit the mistake, never have the answer, and can be read by the student."""

from __future__ import annotations

import asyncio
import random
from fractions import Fraction

import pytest

from paperworks.tutor_copilot import demo
from paperworks.tutor_copilot.help.leak import gives_away
from paperworks.tutor_copilot.help.moves import moves
from paperworks.tutor_copilot.help.offline import OfflineEngine, diagnosis_of
from paperworks.tutor_copilot.help.readability import LONGEST, fits, reading_grade
from paperworks.tutor_copilot.help.request import DEFAULT_STRATEGIES, HelpRequest, Strategy, Suggestion, Turn
from paperworks.tutor_copilot.help.skill_words import NUDGES, SAYINGS
from paperworks.tutor_copilot.maths.diagnosis import diagnose_problem
from paperworks.tutor_copilot.maths.drawing import draw
from paperworks.tutor_copilot.maths.problem import SKILLS, same
from paperworks.tutor_copilot.maths.reading import problem_of
from paperworks.tutor_copilot.maths.rules import RULES, wrong_answers


def request(
    *turns: tuple[str, str], problem: str = "", strategies=DEFAULT_STRATEGIES, grade: int = 5, avoid=()
) -> HelpRequest:
    return HelpRequest(
        strategies=strategies,
        turns=tuple(Turn(speaker=speaker, text=text) for speaker, text in turns),
        topic="fractions",
        problem=problem,
        grade=grade,
        tutor_name="Ana",
        student_name="Bo",
        avoid=avoid,
    )


def suggested(asked: HelpRequest) -> list[Suggestion]:
    async def collect() -> list[Suggestion]:
        return [piece async for piece in OfflineEngine().suggest(asked) if isinstance(piece, Suggestion)]

    return asyncio.run(collect())


def test_what_the_demonstration_asks_is_diagnosed() -> None:
    found = suggested(request(("student", "is it 4/9?"), problem=demo.PROBLEM))
    assert "adds the numerators and adds the denominators" in found[0].note


ADDED_ACROSS = (("tutor", "What is 3/4 + 1/5?"), ("student", "I got 4/9"))


def test_three_suggestions_speak_of_the_mistake_and_the_tutor_is_told_what_it_is() -> None:
    found = suggested(request(*ADDED_ACROSS))
    assert [each.strategy for each in found] == list(DEFAULT_STRATEGIES)
    assert found[0].note == "The student probably adds the numerators and adds the denominators (adding fractions)."
    assert found[1].text == NUDGES["fraction_add.num_and_den"]
    assert {each.engine for each in found} == {"rules on this machine"}
    assert suggested(request(*ADDED_ACROSS)) == found


def test_a_column_asked_for_again_says_something_else() -> None:
    first = suggested(request(*ADDED_ACROSS))
    again = suggested(request(*ADDED_ACROSS, avoid=tuple(each.text for each in first)))
    assert not {each.text for each in first} & {each.text for each in again}
    thrice = suggested(request(*ADDED_ACROSS, strategies=(Strategy.PROVIDE_HINT,) * 3))
    assert len({each.text for each in thrice}) == 3


@pytest.mark.parametrize(
    ("turns", "problem", "note"),
    [
        ((("student", "x = 10"),), "Solve 2x + 6 = 14", "adds on both sides what should be subtracted"),
        ((("tutor", "52 - 17?"), ("student", "99")), "", "The rules know no mistake that gives 99 for 52 − 17"),
        ((("tutor", "52 - 17?"), ("student", "34")), "", "34 is close to the answer"),
        ((("tutor", "52 - 17?"), ("student", "35")), "", "35 is right."),
        ((("tutor", "1/2 + 1/4?"), ("student", "6/8")), "", "3/4 is right, and can be simplified."),
        (
            (("tutor", "52 - 17?"), ("student", "45"), ("tutor", "Hm."), ("student", "why?")),
            "",
            "smaller digit from the larger",
        ),
    ],
)
def test_the_tutor_reads_what_was_found_and_what_was_not(turns, problem: str, note: str) -> None:
    assert note in suggested(request(*turns, problem=problem))[0].note


def test_without_a_problem_or_an_answer_fixed_sentences_ask_for_the_thinking() -> None:
    for asked in (
        request(("tutor", "Hello!"), ("student", "hi")),
        request(("tutor", "52 - 17?"), ("student", "dunno")),
    ):
        found = suggested(asked)
        assert {each.engine for each in found} == {"fixed sentences on this machine"}
        assert {each.note for each in found} == {""}
    assert diagnosis_of(request()).verdict == "no_math"


@pytest.mark.parametrize("skill", SKILLS)
def test_no_move_of_any_strategy_after_any_mistake_gives_the_answer_away(skill: str) -> None:
    rng = random.Random(skill)
    for _ in range(2):
        problem = draw(skill, rng)
        for each in RULES[skill]:
            for value in wrong_answers(each, problem):
                if same(value, problem.answer):
                    continue
                found = diagnose_problem(problem, value)
                for strategy in Strategy:
                    told = moves(strategy, found, grade=5, rng=rng)
                    assert told, (problem.text, each.id, strategy)
                    assert not any(gives_away(text, problem) for text in told)
                    assert all(len(text.split()) <= LONGEST for text in told)


@pytest.mark.parametrize("skill", SKILLS)
def test_every_strategy_has_three_sentences_for_most_problems(skill: str) -> None:
    rng = random.Random(skill)
    counts = []
    for _ in range(5):
        problem = draw(skill, rng)
        found = diagnose_problem(problem, Fraction(987_654_321))
        counts += [len(moves(strategy, found, grade=8, rng=rng)) for strategy in Strategy]
    assert sum(count >= 3 for count in counts) >= 0.9 * len(counts)


def test_the_tables_of_words_fit_the_rules() -> None:
    assert set(SAYINGS) == set(SKILLS)
    assert set(NUDGES) <= {each.id for rules in RULES.values() for each in rules}
    for say in SAYINGS.values():
        for text in (say.concept, say.question, say.hint, say.way):
            assert fits(text, 7), (reading_grade(text), text)


@pytest.mark.parametrize(
    ("text", "leaks"),
    [
        ("It is 19/20.", True),
        ("It is 38/40!", True),
        ("So 0.95 it is", True),
        ("That makes 95 %", True),
        (r"It is $\frac{19}{20}$.", True),
        (r"What does $\frac{3}{4}$ look like?", False),
        ("nineteen twentieths? No: 19/20", True),
        ("What do the pieces look like?", False),
        ("Is 3/4 more than 1/5?", False),
        ("About 1 or less?", False),
    ],
)
def test_an_answer_is_seen_in_any_form(text: str, leaks: bool) -> None:
    assert gives_away(text, problem_of("3/4 + 1/5")) is leaks


def test_algebra_and_mixed_numbers_are_seen_too() -> None:
    assert gives_away("so it is 12 + 3x", problem_of("3(x+4)"))
    assert not gives_away("what is 3 times x?", problem_of("3(x+4)"))
    assert gives_away("three and 1/4 is what you want", problem_of("2 3/4 + 1/2"))
    assert gives_away("13/4", problem_of("2 3/4 + 1/2"))
    assert not gives_away("Do you see the 52?", problem_of("52 - 0"))  # it stands in the problem


def test_reading_grades_follow_flesch_and_kincaid() -> None:
    # 6 words, 1 sentence, 6 syllables; and 8 words with 15 syllables
    assert reading_grade("The cat sat on the mat.") == pytest.approx(0.39 * 6 + 11.8 - 15.59)
    hard = reading_grade("Consider the reciprocal denominators of rational expressions carefully.")
    assert hard > 12
    assert reading_grade("3 + 4") == 0
