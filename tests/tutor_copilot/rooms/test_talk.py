"""Two people talk: nothing is lost, nothing comes twice, everything in order."""

from __future__ import annotations

import pytest
from websockets.exceptions import ConnectionClosed

from paperworks.tutor_copilot.store import messages
from paperworks.tutor_copilot.store.messages import Draft
from paperworks.tutor_copilot.store.schema import Role

from .conftest import text_of


def test_a_message_reaches_the_other_side_and_is_acknowledged_with_its_number(tutor, student, school):
    with tutor.socket(school.room) as t, student.socket(school.room) as s:
        t.say("What is 3/4 + 1/5?", "a1")
        assert t.next("ack") == {"t": "ack", "id": "a1", "seq": 1}
        heard = s.next("message")
        assert (heard["seq"], heard["who"], text_of(heard)) == (1, "tutor", "What is 3/4 + 1/5?")
        s.say(r"Is it $\frac{4}{9}$?", "b1")
        heard = t.next("message", who="student")
        assert (heard["seq"], heard["parts"][1]["tex"]) == (2, r"\frac{4}{9}")
        assert heard["parts"][1]["math"][2][0][2][0][0] == "mfrac"


def test_a_message_that_is_sent_again_is_kept_once_and_acknowledged_again(tutor, student, school):
    with student.socket(school.room) as s:
        with tutor.socket(school.room) as t:
            t.say("once", "a1")
            assert t.next("ack")["seq"] == 1
        with tutor.socket(school.room, after=1) as t:
            t.say("once", "a1")
            assert t.next("ack")["seq"] == 1
            t.say("twice", "a2")
            assert t.next("ack")["seq"] == 2
        assert [text_of(s.next("message")) for _ in range(2)] == ["once", "twice"]
        assert [frame for frame in s.until_pong() if frame["t"] == "message"] == []


def test_whoever_comes_back_gets_what_they_missed_from_where_they_were(tutor, student, school):
    with student.socket(school.room) as s, tutor.socket(school.room) as t:
        t.say("one", "a1")
        assert s.next("message")["seq"] == 1
    with tutor.socket(school.room, after=1) as t:
        for number in range(2, 6):
            t.say(str(number), f"a{number}")
            t.next("ack")
    with student.socket(school.room, after=1) as s:
        assert [(s.next("message")["seq"]) for _ in range(4)] == [2, 3, 4, 5]
    with student.socket(school.room) as s:
        assert [text_of(s.next("message")) for _ in range(5)] == ["one", "2", "3", "4", "5"]


def test_a_long_conversation_comes_whole_and_in_order(server, student, school):
    n_messages = 2500  # more than may be on its way to a browser at a time

    async def talk_long(session) -> None:
        for begin in range(0, n_messages, 500):
            drafts = [
                Draft(room_id=school.room, author_id=school.tutor, role=Role.TUTOR, client_id=f"c{n}", text=f"{n}")
                for n in range(begin, begin + 500)
            ]
            await session.run_sync(messages.append, drafts)

    server.database(talk_long)
    with student.socket(school.room) as s:
        assert [text_of(s.next("message")) for _ in range(n_messages)] == [f"{n}" for n in range(n_messages)]


def test_the_same_number_of_two_people_is_two_messages(tutor, student, school):
    with tutor.socket(school.room) as t, student.socket(school.room) as s:
        t.say("mine", "same")
        assert t.next("ack")["seq"] == 1
        s.say("also mine", "same")
        assert s.next("ack")["seq"] == 2


def test_presence_and_typing_are_told_to_the_other_and_not_kept(tutor, student, school):
    with tutor.socket(school.room) as t:
        assert t.next("hello")["present"] == ["tutor"]
        with student.socket(school.room) as s:
            assert s.next("hello")["present"] == ["student", "tutor"]
            assert t.next("presence") == {"t": "presence", "who": "student", "on": True}
            s.send({"t": "typing", "on": True})
            assert t.next("typing") == {"t": "typing", "who": "student", "on": True}
            assert "typing" not in {frame["t"] for frame in s.until_pong()}
        assert t.next("presence") == {"t": "presence", "who": "student", "on": False}


def test_a_second_window_takes_over_and_the_first_is_told(tutor, student, school):
    with student.socket(school.room) as s, tutor.socket(school.room) as first:
        s.next("presence", on=True)
        with tutor.socket(school.room) as second:
            with pytest.raises(ConnectionClosed) as closed:
                first.next("never")
            assert closed.value.rcvd.code == 4409
            second.say("from here now", "a1")
            assert text_of(s.next("message")) == "from here now"
        assert s.next("presence", on=False)


def test_a_closed_room_is_read_and_not_written(tutor, student, school):
    with student.socket(school.room) as s:
        s.say("before", "b1")
        s.next("ack")
        answer = tutor.post(f"/rooms/{school.room}/close", {"exit_score": "66.7"}, page=f"/rooms/{school.room}")
        assert answer.status_code == 303
        s.next("closed")
        s.say("after", "b2")
        assert s.next("error")["code"] == "closed"
        s.say("before", "b1")
        assert s.next("ack")["seq"] == 1, "what was kept before is still acknowledged"
    assert "This room is closed." in tutor.http.get(f"/rooms/{school.room}").text


@pytest.mark.parametrize("score", ["101", "-1", "nan", "good"])
def test_an_exit_tickets_score_is_a_percentage(tutor, school, score):
    answer = tutor.post(f"/rooms/{school.room}/close", {"exit_score": score}, page=f"/rooms/{school.room}")
    assert answer.status_code == 422
    assert "a percentage from 0 to 100" in answer.text


_WORLD = "e\u0301 \U0001f44d\U0001f3fd \u05e9\u05dc\u05d5\u05dd \u202eabc"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (_WORLD, _WORLD),
        ("null\x00byte and \x1b[31m", "nullbyte and [31m"),
        ("two\nlines", "two\nlines"),
        ("from $5 to $6", "from $5 to $6"),
    ],
)
def test_texts_of_all_kinds_come_through(tutor, school, text, kept):
    with tutor.socket(school.room) as t:
        t.say(text, "a1")
        assert text_of(t.next("message")) == kept


def test_half_a_character_is_refused_and_the_line_stays_open(tutor, school):
    with tutor.socket(school.room) as t:
        t.send('{"t": "message", "id": "a1", "text": "half \\ud800 of one"}')
        assert t.next("error")["code"] == "malformed"
        t.say("whole", "a1")
        assert t.next("ack")["seq"] == 1
