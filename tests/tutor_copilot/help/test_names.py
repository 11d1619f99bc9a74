"""Names are taken out however they are written, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from paperworks.tutor_copilot.help.given_names import ALSO_WORDS
from paperworks.tutor_copilot.help.names import NameMask

MASK = NameMask(
    tutor="Dana Rivera", student="Robbie Miller", others=["Maya Okafor", "Zoë Lind-Berg", "Will Park", "An Le"]
)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Hi Robbie!", "Hi [STUDENT]!"),
        ("hi robbie", "hi [STUDENT]"),
        ("ROBBIE MILLER said", "[STUDENT] said"),
        ("robbieee come on", "[STUDENT] come on"),
        ("that is Robbie's answer", "that is [STUDENT]'s answer"),
        ("rob, look", "[STUDENT], look"),
        ("Ro\u0301bbie?", "[STUDENT]?"),
        ("r\u200bobbie?", "[STUDENT]?"),
        ("Ms. Rivera helps", "Ms. [TUTOR] helps"),
        ("ask Maya or maya okafor", "ask [CLASSMATE 1] or [CLASSMATE 1]"),
        ("zoe and ZOË LIND BERG", "[CLASSMATE 2] and [CLASSMATE 2]"),
        ("Lind-Berg", "[CLASSMATE 2]-[CLASSMATE 2]"),
        ("robbie-miller or Robbie_Miller", "[STUDENT] or [STUDENT]"),
        ("Will is right", "[CLASSMATE 3] is right"),
        ("good job will", "good job [CLASSMATE 3]"),
        ("it is robbie.m@school.org or 555-123-4567", "it is [EMAIL] or [PHONE]"),
        ("see https://me.example/robbie ok", "see [LINK] ok"),
    ],
)
def test_names_are_found_however_they_are_written(text, masked):
    assert MASK.mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "Bob has 3 apples and Alice has 5",
        "it will be 12",
        "park the car",
        "an apple, a robot and a miller's daughter".replace("miller", "mill"),
        "Johnson mixed 3-4-5",
        "555 + 123 = 678",
        "3.14 * 2000000",
        "$\\frac{3}{4} + \\frac{1}{5}$",
        "bananas",
    ],
)
def test_what_is_no_name_of_the_class_stays(text):
    assert MASK.mask(text) == text


def test_placeholders_become_first_names_again():
    text = "Well done, [STUDENT]: ask [CLASSMATE 2], says [tutor]; [CLASSMATE 9] and [x] stay"
    restored = "Well done, Robbie: ask Zoë, says Dana; [CLASSMATE 9] and [x] stay"
    assert MASK.restore(text) == restored


NAME = st.text(st.characters(categories=["Lu", "Ll", "Lo"], max_codepoint=0x24F), min_size=3, max_size=9)
CARRIER = st.sampled_from(["{} says 3", "is it ok, {}?", "({})", "{}'s turn", "1. {}", "thanks {}", "{}", "7 {} 7"])
CASE = st.sampled_from([str, str.upper, str.lower, str.title])


@given(NAME, NAME, CARRIER, CASE)
def test_no_name_of_any_letters_gets_through(first, last, carrier, case):
    assume(first.casefold() not in ALSO_WORDS)
    mask = NameMask(tutor="Dana Rivera", student=f"{first} {last}")
    for written in (first, f"{first} {last}"):
        assert "[STUDENT]" in mask.mask(carrier.format(case(written)))
