"""When a failure is met with another attempt, and after how long."""

from __future__ import annotations

import pytest

from paperworks.lab.chat import ChatError, Retry

PASSING = ChatError("no", retriable=True)


def asking(header: str) -> ChatError:
    return ChatError("no", retriable=True, retry_after=header)


def test_pauses_double_up_to_the_longest_and_chance_takes_up_to_half():
    longest, shortest = (
        Retry(attempts=99, first_s=1, longest_s=20, random=lambda chance=chance: chance) for chance in (1.0, 0.0)
    )
    assert [longest.pause_s(PASSING, attempt) for attempt in range(1, 7)] == [1, 2, 4, 8, 16, 20]
    assert [shortest.pause_s(PASSING, attempt) for attempt in range(1, 7)] == [0.5, 1, 2, 4, 8, 10]
    assert longest.pause_s(PASSING, 98) == 20


def test_the_last_attempt_and_a_lasting_failure_end_it():
    retry = Retry(attempts=2)
    assert retry.pause_s(PASSING, 1) is not None
    assert retry.pause_s(PASSING, 2) is None
    assert retry.pause_s(ChatError("no"), 1) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0.25", 1),  # the pause is never shorter than the backoff
        ("0", 1),
        ("-5", 1),
        ("nan", 1),
        ("inf", 1),
        ("soon", 1),
        ("", 1),
        ("Tue, 14 Nov 2023 22:13:29 GMT", 9),
        ("Tue, 14 Nov 2023 22:13:00 GMT", 1),  # past
        ("Tue, 99 Nov 2023 22:13:29 GMT", 1),
    ],
)
def test_the_servers_word_lengthens_the_pause(header, seconds):
    retry = Retry(first_s=1, random=lambda: 1.0, clock=lambda: 1_700_000_000.0)
    assert retry.pause_s(asking(header), 1) == seconds


def test_more_than_patience_is_not_waited_for():
    retry = Retry(patience_s=60)
    assert retry.pause_s(asking("60"), 1) == 60
    assert retry.pause_s(asking("61"), 1) is None


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"first_s": -1}, {"first_s": 9, "longest_s": 3}])
def test_settings_without_sense_are_refused(wrong):
    with pytest.raises(ValueError):
        Retry(**wrong)
