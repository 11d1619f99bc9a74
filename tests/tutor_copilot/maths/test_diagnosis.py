"""Problems read from messages, known mistakes, and what no text may do."""

from __future__ import annotations

import random
import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paperworks.tutor_copilot.maths.diagnosis import diagnose, diagnose_problem
from paperworks.tutor_copilot.maths.drawing import draw, rule_named, similar, simpler, telling_apart
from paperworks.tutor_copilot.maths.expressions import NotMathematics, evaluate, parse, show, tokens_of
from paperworks.tutor_copilot.maths.problem import SKILLS, same, show_answer
from paperworks.tutor_copilot.maths.reading import answers_in, problem_in
from paperworks.tutor_copilot.maths.rules import RULES, wrong_answers

ALL_RULES = [each for rules in RULES.values() for each in rules]


@pytest.mark.parametrize(
    ("problem", "reply", "rule"),
    [
        ("52 − 17", "45", "int_sub.smaller_from_larger"),
        ("302 - 147", "255", "int_sub.zero_becomes_nine"),
        ("3/4 + 1/5", "4/9", "fraction_add.num_and_den"),
        ("1/2 + 1/3 = ?", "2/6", "fraction_add.common_den_no_scaling"),
        ("27+35", "512", "int_add.both_digits"),
        ("What is 27 + 35?", "52", "int_add.no_carry"),
        ("2+3·4", "20", "order.left_to_right"),
        ("10 - 3 + 2", "5", "order.addition_before_subtraction"),
        ("Solve 2x + 6 = 14", "x = 10", "linear.wrong_inverse"),
        ("2x+6=14", "8", "linear.forgot_divide"),
        ("Expand 3(x+4)", "3x+4", "distribute.first_term_only"),
        ("3x + 4", "7x", "like_terms.unlike_joined"),
        ("0.3·0.2", "0.6", "decimal_mul.kept_places"),
        ("2.7 + 1.5", "3.12", "decimal_add.parts_apart"),
        ("2³", "6", "power.as_product"),
        ("7 − (−3)", "4", "signed_sub.minus_negative_as_minus"),
        ("3 - 7", "4", "signed_sub.wrong_sign"),
        ("23 × 45", "207", "int_mul.no_place_shift"),
        ("612 ÷ 6", "12", "int_div.zero_dropped"),
        ("3/4 ÷ 1/2", "3/8", "fraction_div.no_inversion"),
        ("What is three fourths of twenty?", "5", "fraction_of.only_divided"),
        ("25% of 80", "2000", "percent_of.times_percent"),
        ("Find the area of a rectangle that is 4 cm by 6 cm", "20 cm", "area.perimeter_instead"),
        ("Round 3446 to the nearest hundred", "3500", "rounding.double_rounding"),
        ("mean of 3, 5 and 10", "18", "mean.sum_only"),
        ("simplify 6/8", "3/8", "simplify.only_numerator"),
    ],
)
def test_known_mistakes_are_found(problem: str, reply: str, rule: str) -> None:
    found = diagnose(problem, reply)
    assert found.verdict == "misconception"
    assert rule in {each.rule for each in found.candidates[:2]}
    assert sum(each.p for each in found.candidates) == pytest.approx(1)


def test_the_example_of_the_specification() -> None:
    found = diagnose("3/4 + 1/5", "4/9", grade=5)
    assert found.correct == Fraction(19, 20)
    assert found.candidates[0].rule == "fraction_add.num_and_den"


@pytest.mark.parametrize(
    ("problem", "reply", "imprecise"),
    [
        ("1/4 + 1/4", "0.5", False),
        ("1/4 + 1/4", "it's one half", False),
        ("1/4 + 1/2", "6/8", True),
        ("1/4 + 1/2", "3/4", False),
        ("2x + 6 = 14", "x = 4", False),
        ("2x + 6 = 14", "I got 4 because 14-6=8", False),
        ("3(x + 4)", "12 + 3x", False),
        ("52 - 17", "52 - 17 = 35", False),
        ("2 1/2 + 1/2", "3", False),
        ("1,200 + 34", "1,234", False),
    ],
)
def test_equal_answers_are_correct_in_any_form(problem: str, reply: str, imprecise: bool) -> None:
    found = diagnose(problem, reply)
    assert (found.verdict, found.imprecise) == ("correct", imprecise)


@pytest.mark.parametrize(
    ("problem", "reply", "verdict"),
    [
        ("52 - 17", "53", "slip"),
        ("52 - 17", "34", "slip"),
        ("52 - 17", "99", "unknown"),
        ("52 - 17", "idk", "no_answer"),
        ("How was your weekend?", "7", "no_math"),
        ("Bob has 12 apples and Alice has 5", "7", "no_math"),
        ("", "", "no_math"),
    ],
)
def test_what_is_not_known_is_said(problem: str, reply: str, verdict: str) -> None:
    assert diagnose(problem, reply).verdict == verdict


@pytest.mark.parametrize(
    ("text", "skill", "answer"),
    [
        ("Can you tell me what twenty-five times thirty is?", "int_mul", "750"),
        ("two and three fourths plus one half", "fraction_add", "13/4"),
        ("Solve for x: x/3 = 5", "linear", "15"),
        ("(2+3)*4 - 1", "order", "19"),
        ("-4 + 7", "signed_add", "3"),
        ("½ + ¼", "fraction_add", "3/4"),
        ("combine like terms: 3x + 4 + 2x", "like_terms", "5x + 4"),
        ("Round 3.46 to the nearest tenth", "rounding", "3.5"),
        ("First do 3 + 4, then try 12 ÷ 4!", "int_div", "3"),
    ],
)
def test_problems_are_read_from_messages(text: str, skill: str, answer: str) -> None:
    found = problem_in(text)
    assert found is not None
    assert (found.skill, show_answer(found.answer, decimal=found.decimal)) == (skill, answer)


@pytest.mark.parametrize(
    ("problem", "reply", "found"),
    [
        (r"What is $\frac{3}{4} + \frac{1}{5}$? Show how you know.", "4/9", "fraction_add.num_and_den"),
        (r"What is $\frac{3}{4} + \frac{1}{5}$?", r"I got $\frac{4}{9}$", "fraction_add.num_and_den"),
        (r"$\dfrac34 \times \frac{2}{3}$", r"$\frac{1}{2}$", "correct"),
        (r"$\frac{1}{4} + \frac{1}{2}$", r"$\frac{6}{8}$", "correct"),
        (r"$2\frac{3}{4} + \frac12$", r"$3\frac{1}{4}$", "correct"),
        (r"$2 + 3 \cdot 4$", "$20$", "order.left_to_right"),
        (r"$2^{3}$", "6", "power.as_product"),
        (r"Solve $\frac{x}{3} = 5$", "15", "correct"),
        (r"$12 \div 4 \times 3$", "1", "order.multiplication_before_division"),
    ],
)
def test_formulas_in_tex_are_read(problem: str, reply: str, found: str) -> None:
    """The rooms' keys and boards write them."""
    diagnosis = diagnose(problem, reply)
    assert found in {diagnosis.verdict, *(each.rule for each in diagnosis.candidates)}
    assert diagnosis.imprecise == (reply == r"$\frac{6}{8}$")


@pytest.mark.parametrize(
    "text", ["9**9**9", "9^9^9", "2^13", "__import__('os')", "1" * 13 + "+1", "(" * 40 + "1", "1/0", "1 +", "x y"]
)
def test_what_is_no_bounded_expression_is_refused(text: str) -> None:
    with pytest.raises(NotMathematics):
        evaluate(parse(tokens_of(text)))
    assert diagnose(text, "5").verdict in {"no_math", "unknown"}


def test_a_million_digits_are_refused_at_once() -> None:
    began = time.process_time()
    assert diagnose("1" * 10**6 + " + 1", "9" * 10**6).verdict == "no_math"
    assert time.process_time() - began < 0.5


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789+-*/^()=.,%x ÷×abcdefghijklmnop\n½²", max_size=60), st.text(max_size=40))
def test_no_text_raises(problem: str, reply: str) -> None:
    found = diagnose(problem, reply)
    assert found.verdict in {"correct", "misconception", "slip", "unknown", "no_answer", "no_math"}
    answers_in(problem)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_hundred_thousand_texts_never_raise_and_none_takes_fifty_milliseconds() -> None:
    rng = random.Random(0)
    pieces = [
        "12",
        "3/4",
        "+",
        "-",
        "×",
        "(",
        ")",
        "x",
        "=",
        "^",
        "2",
        ".",
        "%",
        " of ",
        "round ",
        "nearest ten",
        "mean of ",
        ",",
        "half",
    ]
    diagnose("3(x+1)", "3x+1")  # sympy is loaded
    slowest = 0.0
    for _ in range(100_000):
        text = "".join(rng.choices(pieces, k=rng.randint(1, 20)))
        began = time.process_time()
        diagnose(text, "".join(rng.choices(pieces, k=4)))
        slowest = max(slowest, time.process_time() - began)
    assert slowest < 0.05


def test_there_are_over_a_hundred_mistakes_with_names_of_their_own() -> None:
    assert len(ALL_RULES) >= 100
    assert len({each.id for each in ALL_RULES}) == len(ALL_RULES)
    assert all(len(RULES[skill]) >= 3 for skill in SKILLS)


@pytest.mark.parametrize("skill", SKILLS)
def test_every_mistake_of_a_skill_is_diagnosed_from_its_answer(skill: str) -> None:
    rng = random.Random(skill)
    seen = set()
    for _ in range(60):
        problem = draw(skill, rng)
        assert problem.skill == skill
        for each in RULES[skill]:
            for value in wrong_answers(each, problem):
                found = diagnose_problem(problem, value)
                if same(value, problem.answer):
                    assert found.verdict == "correct"
                    continue
                seen.add(each.id)
                assert each.id in {candidate.rule for candidate in found.candidates}
    rare = {"int_mul.zero_keeps_the_number", "power.sign_lost", "rounding.double_rounding", "int_add.left_aligned"}
    assert {each.id for each in RULES[skill]} - seen <= rare


def test_most_mistakes_are_the_only_explanation_of_their_answers() -> None:
    rng = random.Random(1)
    only = first = count = 0
    for skill in SKILLS:
        for _ in range(12):
            problem = draw(skill, rng)
            for each in RULES[skill]:
                for value in wrong_answers(each, problem):
                    if same(value, problem.answer):
                        continue
                    candidates = diagnose_problem(problem, value).candidates
                    count += 1
                    only += len(candidates) == 1
                    first += candidates[0].rule == each.id
    assert only / count > 0.8
    assert first / count > 0.88


@pytest.mark.parametrize("each", ALL_RULES, ids=lambda each: each.id)
def test_a_similar_problem_is_another_one_that_brings_the_mistake_out_again(each) -> None:
    rng = random.Random(each.id)
    problem = next(made for made in (draw(each.skill, rng) for _ in range(2000)) if wrong_answers(each, made))
    other = similar(problem, rng, rule=each)
    assert other.skill == each.skill
    assert other.text != problem.text
    always_alike = {"int_mul.zero_keeps_the_number", "power.zeroth_is_zero", "power.zeroth_is_base"}
    assert same(other.answer, problem.answer) <= (each.id in always_alike)
    wrong = wrong_answers(each, other)
    assert wrong
    assert not any(same(value, other.answer) for value in wrong)


@pytest.mark.parametrize("skill", SKILLS)
def test_simpler_problems_have_smaller_numbers(skill: str) -> None:
    rng = random.Random(skill)
    for _ in range(20):
        problem = draw(skill, rng)
        other = simpler(problem, rng)
        assert other.skill == skill
        assert len(other.text) <= max(len(problem.text), len("perimeter of a 5 by 5 rectangle"))


def test_two_mistakes_are_told_apart_by_another_problem() -> None:
    found = diagnose("7 − (−3)", "4")
    rules = [rule_named(each.rule) for each in found.candidates]
    assert len(rules) == 2
    other = telling_apart(found.problem, rules, random.Random(0))
    first, second = (wrong_answers(each, other) for each in rules)
    assert not same(first[0], second[0])


@given(st.fractions(max_denominator=500).filter(lambda value: abs(value) < 10**6))
def test_what_is_shown_is_read_back(value: Fraction) -> None:
    for decimal in (False, True):
        read = answers_in(show(value, decimal=decimal))
        assert value in read
