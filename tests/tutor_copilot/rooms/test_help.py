"""The tutor, and only the tutor, gets suggestions; what becomes of them is kept."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from paperworks.lab.chat import Chat, Scripted
from paperworks.tutor_copilot.help.model import ModelHelp
from paperworks.tutor_copilot.help.wording import OpenQuestions
from paperworks.tutor_copilot.store import arms, schema

from .conftest import make_school, running

THREE = ["ask_question"] * 3


def ask(line: Any, strategies: list[str] = THREE, **more: Any) -> list[dict[str, Any]]:
    line.send({"t": "help", "id": "h1", "strategies": strategies, **more})
    found = [line.next("suggestion") for _ in strategies]
    line.next("help_done")
    return found


def rows(server: Any, table: type[Any]) -> list[Any]:
    async def read(session: Any) -> list[Any]:
        return list(await session.scalars(select(table)))

    return server.database(read)


def test_three_suggestions_of_the_chosen_strategy_one_edited_and_sent(server, tutor, student, school):
    with student.socket(school.room) as s, tutor.socket(school.room) as t:
        s.say("is it 4/9?", "b1")
        t.next("message")
        shown = ask(t)
        assert [each["label"] for each in shown] == ["Ask a question"] * 3
        assert [each["text"] for each in shown] == ["ask_question 0", "ask_question 1", "ask_question 2"]
        t.say("How did you get 9, Robbie?", "a1", suggestion=shown[1]["id"])
        t.next("ack")
        s.next("message", who="tutor")
        come = s.until_pong()
        assert {frame["t"] for frame in come} <= {"hello", "presence", "ack", "message", "closed"}
    kinds = {row.suggestion_id: row.kind for row in rows(server, schema.HelpEvent)}
    assert kinds[shown[1]["id"]] == "edited"
    asked = next(row for row in rows(server, schema.HelpAsked) if row.room_id == school.room)
    assert (asked.outcome, asked.sent_out, asked.context_to) == ("given", ["[STUDENT] said"], 1)
    assert asked.cost_usd == pytest.approx(0.03)


def test_the_engine_sees_the_conversation_the_lesson_and_the_names_to_remove(server, tutor, student, school):
    with student.socket(school.room) as s, tutor.socket(school.room) as t:
        for number in range(12):
            s.say(f"line {number}", f"b{number}")
            t.next("message")
        ask(t, ["explain_concept", "ask_question", "provide_hint"])
    request = server.help.asked[-1]
    assert [turn.text for turn in request.turns] == [f"line {number}" for number in range(2, 12)]
    assert (request.topic, request.grade, request.tutor_name, request.student_name) == (
        "Adding fractions", 5, "Dana Rivera", "Robbie Miller",
    )  # fmt: skip
    assert request.other_names == ("Maya Okafor",), "classmates, and nobody of another class"


def test_others_are_asked_for_without_those_that_were_shown(server, tutor, school):
    with tutor.socket(school.room) as t:
        first = ask(t)
        again = ask(t, instead=[each["id"] for each in first])
        assert not {each["text"] for each in first} & {each["text"] for each in again}
    assert server.help.asked[-1].avoid == tuple(each["text"] for each in first)
    kinds = {row.suggestion_id: row.kind for row in rows(server, schema.HelpEvent)}
    assert {kinds[each["id"]] for each in first} == {"regenerated"}


def test_too_hard_makes_the_next_suggestions_easier(server, tutor, school):
    with tutor.socket(school.room) as t:
        shown = ask(t)
        t.send({"t": "opinion", "suggestion": shown[0]["id"], "kind": "too_hard"})
        ask(t)
    assert server.help.asked[-1].grade == 4


def test_a_message_stops_the_help_that_is_under_way(server, tutor, school):
    server.help.gate.clear()
    stopped = server.help.stopped
    try:
        with tutor.socket(school.room) as t:
            t.send({"t": "help", "id": "h1", "strategies": THREE})
            assert t.next("delta")["text"] == "ask_question"
            t.say("I know what to say", "a1")
            t.next("ack")
            assert server.help.stopped == stopped + 1
    finally:
        server.help.gate.set()
    asked = [row for row in rows(server, schema.HelpAsked) if row.room_id == school.room]
    assert [row.outcome for row in asked] == ["stopped"]


def test_help_comes_so_often_and_no_more(tutor, school):
    with tutor.socket(school.room) as t:
        for _ in range(6):
            ask(t)
        t.send({"t": "help", "id": "h7", "strategies": THREE})
        refused = t.next("error")
        assert (refused["code"], refused["about"]) == ("too_often", "h7")


def test_a_strategy_that_does_not_exist_is_answered_with_those_that_do(tutor, school):
    with tutor.socket(school.room) as t:
        t.send({"t": "help", "id": "h1", "strategies": ["shout"]})
        assert "explain_concept, ask_question" in t.next("error", code="strategy")["says"]


def test_a_tutor_of_the_control_arm_has_no_panel_and_the_server_gives_nothing(server, tutor, school):
    assert "Help your student" in tutor.http.get(f"/rooms/{school.room}").text

    async def assign(session: Any) -> int:
        return await arms.assign_from_table(session, f"tutor_id,arm\n{school.tutor},control\n")

    assert server.database(assign) == 1
    assert "Help your student" not in tutor.http.get(f"/rooms/{school.room}").text
    before = len(server.help.asked)
    with tutor.socket(school.room) as t:
        t.send({"t": "help", "id": "h1", "strategies": THREE})
        assert t.next("error")["code"] == "forbidden"
    assert len(server.help.asked) == before
    assert "asked for help without a right to it" in {
        row.action for row in rows(server, schema.AuditEntry) if row.subject == school.room
    }


def test_no_name_of_anybody_leaves_the_process_through_the_whole_application(tmp_path):
    model = Scripted(lambda request: "Tell me how you did it, [STUDENT].")
    engine = ModelHelp(Chat(model), instead=OpenQuestions())
    with running(f"sqlite:///{tmp_path / 'rooms.db'}", engine) as server:
        school = server.database(make_school)
        student, tutor = server.visitor(school.student), server.visitor(school.tutor)
        with student.socket(school.room) as s, tutor.socket(school.room) as t:
            s.say("its robbie miller, maya and ms rivera say 4/9. mail me: robbie@home.example", "b1")
            t.next("message")
            shown = ask(t)
    assert {each["text"] for each in shown} == {"Tell me how you did it, Robbie."}
    sent = "".join(message.text for request in model.asked for message in request.messages).lower()
    assert "4/9" in sent
    names = (
        "robbie",
        "miller",
        "maya",
        "okafor",
        "dana",
        "rivera",
        "home.example",
        "five a",
        school.student,
        school.room,
    )
    assert not [name for name in names if name in sent]
